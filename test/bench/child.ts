/**
 * The processes that a bench starts: each fresh, each ended by whoever started it, killed at once when the bench is interrupted. What one
 * writes is kept to say why it died.
 */
import { fork, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const TAIL_CHARACTERS = 4_000

export interface BenchChild {
  /** The next message; ask for it before it can come. @throws when the child ends, or does not send it in time */
  message<T>(deadlineMs: number): Promise<T>
  /** Rejects when the child ends. */
  gone: Promise<never>
  kill(signal: 'SIGTERM' | 'SIGKILL'): void
  /** SIGTERM, then SIGKILL. Resolves when it is gone; safe to call twice. */
  end(graceMs: number): Promise<void>
}

/** A TypeScript file beside this one, which reads its options from its first argument. */
export function forkChild(file: string, options: object, signal: AbortSignal): BenchChild {
  const path = fileURLToPath(new URL(file, import.meta.url))
  return watchChild(
    file,
    fork(path, [JSON.stringify(options)], { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] }),
    signal,
  )
}

export function spawnNode(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  signal: AbortSignal,
  /** Of what it writes to stdout. */
  onLine: (line: string) => void = () => {},
): BenchChild {
  const { PATH, HOME, TMPDIR } = process.env
  const child = spawn(process.execPath, args, {
    env: { PATH, HOME, TMPDIR, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  createInterface({ input: child.stdout }).on('line', onLine)
  return watchChild(args.at(-1) ?? 'node', child, signal)
}

/** For a program that was started otherwise. */
export function watchChild(name: string, child: ChildProcess, signal: AbortSignal): BenchChild {
  let said = ''
  const keep = (chunk: string) => {
    said = (said + chunk).slice(-TAIL_CHARACTERS)
  }
  child.stdout?.setEncoding('utf8').on('data', keep)
  child.stderr?.setEncoding('utf8').on('data', keep)
  const closed = once(child, 'close')
  const kill = () => child.kill('SIGKILL')
  signal.addEventListener('abort', kill)
  const ended = closed.then(
    () => `exit code ${child.exitCode}, signal ${child.signalCode}`,
    (error: unknown) => String(error),
  )
  void ended.then(() => signal.removeEventListener('abort', kill))
  const gone = ended.then((how): never => {
    if (signal.aborted) throw signal.reason as Error
    throw new Error(`${name} ended (${how}). The last it wrote:\n${said}`)
  })
  // Ended in the end by the bench itself, when nobody waits any more.
  gone.catch(() => {})
  if (signal.aborted) kill()

  return {
    gone,
    kill: (name) => void child.kill(name),
    async message<T>(deadlineMs: number): Promise<T> {
      const late = new AbortController()
      const timer = setTimeout(() => late.abort(), deadlineMs)
      try {
        const [message] = (await Promise.race([
          once(child, 'message', { signal: late.signal }),
          gone,
        ])) as [T]
        return message
      } catch (error) {
        if (!late.signal.aborted) throw error
        throw new Error(`${name} sent nothing for ${deadlineMs} ms. The last it wrote:\n${said}`, {
          cause: error,
        })
      } finally {
        clearTimeout(timer)
      }
    },
    async end(graceMs) {
      const timer = setTimeout(kill, graceMs)
      child.kill('SIGTERM')
      await ended
      clearTimeout(timer)
    },
  }
}
