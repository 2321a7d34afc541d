// The command as an operator runs it: a process of its own, with nothing of this one's environment that it
// could take for settings.
import { spawn } from 'node:child_process'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

const MAIN = fileURLToPath(new URL('../../../relay/dead-letters/main.ts', import.meta.url))

export interface Ran {
  code: number | null
  stdout: string
  stderr: string
  // Of stdout, without the end of the last one.
  lines: string[]
}

export async function run(line: string, env: Record<string, string> = {}): Promise<Ran> {
  const child = spawn(process.execPath, [MAIN, ...line.split(' ')], {
    env: { PATH: process.env['PATH'] ?? '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const out: Buffer[] = []
  const err: Buffer[] = []
  child.stdout.on('data', (data: Buffer) => out.push(data))
  child.stderr.on('data', (data: Buffer) => err.push(data))
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  const stdout = Buffer.concat(out).toString()
  const lines = stdout === '' ? [] : stdout.replace(/\n$/, '').split('\n')
  return { code, stdout, stderr: Buffer.concat(err).toString(), lines }
}
