// `npm run dev` for a test: the real stack as a child process, in a state folder and on ports of its own, so
// that it disturbs no stack that is running. Everything that it started is gone when stop() resolves.
import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import type { DevJson } from '../../dev/dev-json.ts'
import { findFreePorts } from '../../dev/kafka/ports.ts'
import { isAlive } from '../../dev/processes.ts'

const STACK = fileURLToPath(new URL('../../dev/stack.ts', import.meta.url))

export interface StackOptions {
  // Bootstrap servers to use; without them the stack starts brokers of its own.
  brokers?: readonly string[]
  args?: readonly string[]
  env?: Readonly<Record<string, string>>
  // A folder to start on again; the caller removes it.
  state?: string
}

export interface Ended {
  code: number | null
  stdout: string
  stderr: string
}

export interface TestStack {
  dev: DevJson
  state: string
  // What dev.json says now; it changes when a process is started again.
  devNow(): Promise<DevJson>
  // Ctrl-C. Rejects when anything that it started is still running afterwards.
  stop(): Promise<Ended>
}

// Runs the stack until it ends by itself.
export async function runStack(options: StackOptions): Promise<Ended> {
  return (await spawnStack(options)).ended
}

export async function startStack(options: StackOptions = {}): Promise<TestStack> {
  const own = options.state === undefined
  const state = options.state ?? (await mkdtemp(join(tmpdir(), 'edgehub-test-stack-')))
  const { ended, firstLine, interrupt } = await spawnStack({ ...options, state })
  const dev = JSON.parse(await firstLine) as DevJson
  const readDev = async () => JSON.parse(await readFile(join(state, 'dev.json'), 'utf8')) as DevJson
  let pids = Object.values(dev.pids).flat()
  return {
    dev,
    state,
    devNow: readDev,
    async stop() {
      pids = [...new Set([...pids, ...Object.values((await readDev()).pids).flat()])]
      interrupt()
      const end = await ended
      const left = pids.filter(isAlive)
      if (own) await rm(state, { recursive: true, force: true })
      if (left.length > 0) throw new Error(`still running after Ctrl-C: ${left.join(', ')}`)
      return end
    },
  }
}

interface Spawned {
  firstLine: Promise<string>
  ended: Promise<Ended>
  interrupt(): void
}

async function spawnStack({ brokers, args = [], env = {}, state }: StackOptions): Promise<Spawned> {
  const [port = 0, kafkaPort = 0] = await findFreePorts(2)
  const flags = [
    '--json-only',
    '--port',
    `${port}`,
    '--kafka-port',
    `${kafkaPort}`,
    '--state',
    state ?? '.edgehub',
  ]
  const { KAFKA_BROKERS: _, ...inherited } = process.env
  const child = spawn(process.execPath, [STACK, ...flags, ...args], {
    env: { ...inherited, ...(brokers ? { KAFKA_BROKERS: brokers.join(',') } : {}), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  const line = Promise.withResolvers<string>()
  child.stdout.on('data', (data: Buffer) => {
    stdout += data.toString()
    if (stdout.includes('\n')) line.resolve(stdout.slice(0, stdout.indexOf('\n')))
  })
  child.stderr.on('data', (data: Buffer) => (stderr += data.toString()))
  const ended = new Promise<Ended>((resolve) => {
    child.once('close', (code) => {
      line.reject(new Error(`the stack ended with code ${code}:\n${stdout}${stderr}`))
      resolve({ code, stdout, stderr })
    })
  })
  // Whoever only waits for the end is not interested in the line.
  line.promise.catch(() => undefined)
  return { firstLine: line.promise, ended, interrupt: () => child.kill('SIGINT') }
}
