/** Questions about processes, through `ps`, which Linux and macOS both have. */
import { execFile } from 'node:child_process'
import process from 'node:process'
import { promisify } from 'node:util'
import { isErrno } from './files.ts'

const run = promisify(execFile)

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return isErrno(error, 'EPERM')
  }
}

/** A process and everything below it, itself first. */
export async function familyOf(pid: number): Promise<number[]> {
  const { stdout } = await run('ps', ['-A', '-o', 'pid=,ppid='])
  const children = Map.groupBy(
    stdout.split('\n').map((line) => line.trim().split(/\s+/).map(Number)),
    ([, parent]) => parent,
  )
  const family = [pid]
  for (const member of family) {
    for (const [child] of children.get(member) ?? []) if (child !== undefined) family.push(child)
  }
  return family
}

/** Empty when there is no such process. */
export async function commandLine(pid: number): Promise<string> {
  const { stdout } = await run('ps', ['-o', 'command=', '-p', String(pid)]).catch(() => ({
    stdout: '',
  }))
  return stdout.trim()
}
