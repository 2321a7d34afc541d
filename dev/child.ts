/**
 * One supervised child process, in a process group of its own, so that a Ctrl-C in the terminal reaches the stack alone and the stack ends
 * its children in order. Its output goes to a log file. A child that dies unasked is started again, at once when it was killed by a
 * signal, with a growing delay when it ended by itself; and never when restarts are off.
 *
 * States: up → (dies) → waiting → up → … → stopping → down.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { open, readFile } from 'node:fs/promises'
import process from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'

export interface ChildOptions {
  command: string
  args: readonly string[]
  env: Readonly<Record<string, string | undefined>>
  cwd: string
  logFile: string
  restart: boolean
  /** Exit codes that a restart would not change. */
  finalCodes?: readonly number[]
  /** Long enough for an orderly end; then SIGKILL to the whole group, ms. */
  stopDeadlineMs: number
  /** After each start, the first one included. */
  onStart?: (pid: number) => void
  /** It ended unasked. `final`: it will not be started again. */
  onDeath?: (how: string, final: boolean) => void
}

const MAX_RESTART_DELAY_MS = 10_000
const GROUP_DEADLINE_MS = 2_000
const GROUP_POLL_MS = 10
const TAIL_BYTES = 2_000

export class Child {
  readonly #options: ChildOptions
  #process: ChildProcess | undefined
  #ended: Promise<void> = Promise.resolve()
  #stopping = new AbortController()
  #failures = 0

  constructor(options: ChildOptions) {
    this.#options = options
  }

  get pid(): number | undefined {
    return this.#process?.pid
  }

  /** Resolves when the process is spawned, not when it is ready. @throws when it can't be spawned */
  async start(): Promise<void> {
    const { command, args, env, cwd, logFile } = this.#options
    const log = await open(logFile, 'a')
    try {
      const child = spawn(command, args, {
        cwd,
        env: { ...env },
        detached: true,
        stdio: ['ignore', log.fd, log.fd],
      })
      await new Promise<void>((resolve, reject) => {
        child.once('spawn', resolve)
        child.once('error', reject)
      })
      this.#process = child
      this.#ended = new Promise((resolve) => {
        child.once('exit', (code, signal) => {
          this.#process = undefined
          resolve()
          void this.#died(code, signal)
        })
      })
      if (child.pid !== undefined) this.#options.onStart?.(child.pid)
    } finally {
      await log.close()
    }
  }

  /** SIGTERM, then SIGKILL to the group after the deadline. Safe to call twice. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    const child = this.#process
    if (!child?.pid) return
    child.kill('SIGTERM')
    const timer = setTimeout(() => killGroup(child.pid), this.#options.stopDeadlineMs)
    await this.#ended
    clearTimeout(timer)
    // Whatever it left behind in its group has no parent to ask any more.
    const deadline = Date.now() + GROUP_DEADLINE_MS
    while (killGroup(child.pid) && Date.now() < deadline) await delay(GROUP_POLL_MS)
  }

  /** The last lines that it wrote. */
  async tail(): Promise<string> {
    const text = await readFile(this.#options.logFile, 'utf8').catch(() => '')
    return text.slice(-TAIL_BYTES)
  }

  async #died(code: number | null, signal: NodeJS.Signals | null): Promise<void> {
    if (this.#stopping.signal.aborted) return
    const { restart, finalCodes = [], onDeath } = this.#options
    const final = !restart || (code !== null && finalCodes.includes(code))
    onDeath?.(signal === null ? `exit code ${code}` : `signal ${signal}`, final)
    if (final) return
    this.#failures = signal === null ? this.#failures + 1 : 0
    const wait = Math.min(100 * 2 ** this.#failures, MAX_RESTART_DELAY_MS)
    try {
      await delay(wait, undefined, { signal: this.#stopping.signal })
      await this.start()
    } catch {
      // Stopped while waiting, or it can't be spawned any more: the end of the stack tells.
    }
  }
}

/** False when nothing is left in the group. */
function killGroup(pid: number | undefined): boolean {
  if (pid === undefined) return false
  try {
    return process.kill(-pid, 'SIGKILL')
  } catch {
    return false
  }
}
