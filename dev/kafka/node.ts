// One Kafka node as a child process: formats its data folder once, starts and stops the JVM, and
// harms it on request (kill, pause) for fault tests. It knows nothing of clusters beyond its own
// properties, and it never deletes data.
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import { isErrno } from '../files.ts'
import { isAlive } from '../processes.ts'
import { exists } from './cache.ts'
import { waitUntilReady } from './ready.ts'
import { runTool } from './requirements.ts'

const LOG_CONFIG = new URL('./log4j2.properties', import.meta.url).href
// Two busy cores and three JVMs: 7 s is usual, a loaded CI machine takes several times that.
const START_TIMEOUT_MS = 90_000
const STOP_TIMEOUT_MS = 20_000
const ORPHAN_POLL_MS = 50
const TAIL_LINES = 20
const TAIL_BYTES = 16_384
const exec = promisify(execFile)

export interface NodeOptions {
  readonly id: number
  readonly port: number
  // Holds data/, server.properties, kafka.log and kafka.pid.
  readonly dir: string
  readonly clusterId: string
  readonly properties: (dataDir: string) => string
  readonly classPath: string
  readonly jvmArgs: readonly string[]
  // For the broker alone, not for formatting.
  readonly brokerArgs?: readonly string[]
  // For formatting alone.
  readonly formatArgs?: readonly string[]
  readonly log: (line: string) => void
}

// Down → start → up → stop, kill or its own end → down. A paused node is up. Every way down waits until
// the process is gone, so that a start right after it finds the port and the folder free.
export class KafkaNode {
  readonly id: number
  readonly port: number
  readonly #options: NodeOptions
  #child: ChildProcess | undefined
  #ended: Promise<void> = Promise.resolve()
  #stopping = false

  constructor(options: NodeOptions) {
    this.id = options.id
    this.port = options.port
    this.#options = options
  }

  // Undefined while the node is down.
  get pid(): number | undefined {
    return this.#child?.pid
  }

  // Resolves when the process of this moment is gone; at once while the node is down.
  get down(): Promise<void> {
    return this.#ended
  }

  get logFile(): string {
    return join(this.#options.dir, 'kafka.log')
  }

  // Resolves when this node serves and lists all `ids` (by default itself) as brokers in service.
  async start(ids: readonly number[] = [this.id]): Promise<void> {
    if (this.#child !== undefined) return
    const { dir, classPath, jvmArgs, brokerArgs = [], log } = this.#options
    this.#stopping = false
    await this.endOrphan()
    await mkdir(dir, { recursive: true })
    const properties = await this.#format()
    // A kill or stop came before there was anything to end.
    if (this.#stopping) throw new Error(`Kafka node ${this.id} was stopped while starting.`)

    const logHandle = await open(this.logFile, 'a')
    const { size: logStart } = await logHandle.stat()
    const args = [...jvmArgs, ...brokerArgs, `-Dlog4j2.configurationFile=${LOG_CONFIG}`]
    // A process group of its own: Ctrl-C in the terminal reaches the stack, which stops its children
    // in order, and not the broker under the feet of the relay.
    const child = spawn('java', [...args, '-cp', classPath, 'kafka.Kafka', properties], {
      detached: true,
      stdio: ['ignore', logHandle.fd, logHandle.fd],
    })
    await logHandle.close()
    this.#child = child
    // A crash of this process must not leave a JVM behind. (A SIGKILL does: see endOrphan.)
    const killAtExit = (): void => signalGroup(child, 'SIGKILL')
    process.once('exit', killAtExit)

    const { promise: ended, resolve } = Promise.withResolvers<string>()
    child.once('error', (error) => resolve(error.message))
    child.once('exit', (code, signal) => resolve(signal ?? `exit code ${code}`))
    this.#ended = ended.then((how) => {
      process.off('exit', killAtExit)
      this.#child = undefined
      if (!this.#stopping) log(`Kafka node ${this.id} ended (${how}), see ${this.logFile}`)
    })
    const gone = ended.then(async (how): Promise<never> => {
      const tail = await readTail(this.logFile, logStart)
      throw new Error(`Kafka node ${this.id} ended while starting (${how}). Its log:\n${tail}`)
    })
    // Only listened to while starting.
    gone.catch(() => {})

    try {
      await this.#writePid(child)
      await waitUntilReady({ port: this.port, ids, gone, timeoutMs: START_TIMEOUT_MS })
    } catch (error) {
      await this.kill()
      throw error
    }
  }

  // SIGTERM, and SIGKILL after 20 s.
  async stop(): Promise<void> {
    this.#stopping = true
    const child = this.#child
    if (child === undefined) return this.#ended
    signalGroup(child, 'SIGTERM')
    // A paused process would keep the SIGTERM for later.
    signalGroup(child, 'SIGCONT')
    const timer = setTimeout(() => signalGroup(child, 'SIGKILL'), STOP_TIMEOUT_MS)
    await this.#ended
    clearTimeout(timer)
    await rm(this.#pidFile, { force: true })
  }

  // kill -9. Leaves everything as a power cut of the process would.
  async kill(): Promise<void> {
    this.#stopping = true
    if (this.#child !== undefined) signalGroup(this.#child, 'SIGKILL')
    await this.#ended
  }

  // SIGSTOP: connections stay open and nothing answers.
  pause(): void {
    if (this.#child !== undefined) signalGroup(this.#child, 'SIGSTOP')
  }

  resume(): void {
    if (this.#child !== undefined) signalGroup(this.#child, 'SIGCONT')
  }

  get #pidFile(): string {
    return join(this.#options.dir, 'kafka.pid')
  }

  get #propertiesFile(): string {
    return join(this.#options.dir, 'server.properties')
  }

  async #writePid(child: ChildProcess): Promise<void> {
    await writeFile(this.#pidFile, JSON.stringify({ pid: child.pid, parent: process.pid }))
  }

  // A stack that was killed with -9 leaves its JVM, which holds the port and the lock of the data
  // folder. Nobody else can end it, so we do, but only if it is ours beyond doubt: its command line
  // names this node's properties and the process that started it is gone.
  async endOrphan(): Promise<void> {
    const owner = await readOwner(this.#pidFile)
    if (owner === undefined || !isAlive(owner.pid)) return
    if (!(await commandLine(owner.pid)).includes(this.#propertiesFile)) return
    if (isAlive(owner.parent)) {
      throw new Error(
        `${this.#options.dir} is in use: Kafka node ${this.id} runs as process ${owner.pid}, started by process ${owner.parent}. Stop that stack, or use another folder.`,
      )
    }
    this.#options.log(`Ending Kafka node ${this.id} of an earlier run (process ${owner.pid})`)
    const deadline = Date.now() + STOP_TIMEOUT_MS
    sendSignal(owner.pid, 'SIGTERM')
    sendSignal(owner.pid, 'SIGCONT')
    while (isAlive(owner.pid)) {
      if (Date.now() > deadline) sendSignal(owner.pid, 'SIGKILL')
      await pause(ORPHAN_POLL_MS)
    }
  }

  // Formats under another name and renames, so that a kill in between leaves no half-made folder.
  async #format(): Promise<string> {
    const { dir, clusterId, properties, classPath, jvmArgs, formatArgs = [] } = this.#options
    const dataDir = join(dir, 'data')
    const path = this.#propertiesFile
    if (!(await exists(dataDir))) {
      const temporary = join(dir, 'data.new')
      await rm(temporary, { recursive: true, force: true })
      await writeFile(path, properties(temporary))
      const args = [...jvmArgs, `-Dlog4j2.configurationFile=${LOG_CONFIG}`, '-cp', classPath]
      const format = ['kafka.tools.StorageTool', 'format', '-t', clusterId, '-c', path]
      const output = await runTool('java', [...args, ...format, ...formatArgs])
      if (output.status === 'missing') throw new Error('Java was not found.')
      if (output.status === 'failed') throw new Error(`Cannot format ${temporary}: ${output.text}`)
      await rename(temporary, dataDir)
    }
    // Written at every start: ports may differ from those of the last one.
    await writeFile(path, properties(dataDir))
    return path
  }
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  // No pid: the spawn failed. No group: it has just ended.
  if (child.pid !== undefined) sendSignal(-child.pid, signal)
}

function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if (!isErrno(error, 'ESRCH')) throw error
  }
}

async function readOwner(path: string): Promise<{ pid: number; parent: number } | undefined> {
  try {
    const owner: unknown = JSON.parse(await readFile(path, 'utf8'))
    if (typeof owner !== 'object' || owner === null) return undefined
    const { pid, parent } = owner as { pid?: unknown; parent?: unknown }
    return typeof pid === 'number' && typeof parent === 'number' ? { pid, parent } : undefined
  } catch {
    // Missing, or cut short by a kill while it was written.
    return undefined
  }
}

async function commandLine(pid: number): Promise<string> {
  try {
    return await readFile(`/proc/${pid}/cmdline`, 'utf8')
  } catch {
    // No /proc (macOS), or the process has just ended.
    return exec('ps', ['-ww', '-o', 'args=', '-p', String(pid)]).then(
      ({ stdout }) => stdout,
      () => '',
    )
  }
}

async function readTail(path: string, from: number): Promise<string> {
  const file = await open(path, 'r')
  try {
    const { size } = await file.stat()
    const start = Math.max(from, size - TAIL_BYTES)
    const { buffer, bytesRead } = await file.read({
      buffer: Buffer.alloc(TAIL_BYTES),
      position: start,
    })
    const lines = buffer.toString('utf8', 0, bytesRead).trimEnd().split('\n')
    return lines.slice(-TAIL_LINES).join('\n')
  } finally {
    await file.close()
  }
}
