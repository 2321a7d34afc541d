// What a relay logs, as a stream that a test can wait on, and messages that these tests wait for.
import { createLogger, type Logger } from '../../../relay/ops/log.ts'

export interface Line {
  // ISO, of the moment.
  time: string
  level: string
  msg: string
  point?: string
  reason?: string
  source?: string
  place?: string
  messages?: number
  envelopes?: number
  waitMs?: number
  err?: { message: string; type: string }
}

export interface LogLines {
  logger: Logger
  lines: readonly Line[]
  count(msg: string): number
  // The first line that is written from now on, and fits.
  next(fits: (line: Line) => boolean): Promise<Line>
  // As soon as something is found in all that was written so far.
  until<T>(find: (lines: readonly Line[]) => T | undefined | false): Promise<T>
}

export function captureLog(level = 'debug'): LogLines {
  const lines: Line[] = []
  // Told after each line, until it says that it is done.
  let waiters: (() => boolean)[] = []
  const logger = createLogger(level, 'test', {
    write(text) {
      lines.push(JSON.parse(text) as Line)
      waiters = waiters.filter((isDone) => !isDone())
    },
  })
  return {
    logger,
    lines,
    count: (msg) => lines.filter((line) => line.msg === msg).length,
    next: (fits) =>
      new Promise((resolve) => {
        waiters.push(() => {
          const line = lines.at(-1)
          if (!line || !fits(line)) return false
          resolve(line)
          return true
        })
      }),
    until: (find) =>
      new Promise((resolve) => {
        const isDone = () => {
          const found = find(lines)
          if (found === undefined || found === false) return false
          resolve(found)
          return true
        }
        if (!isDone()) waiters.push(isDone)
      }),
  }
}

export const MSG = {
  booted: 'The shard is taken over and its ledger is read',
  bootFailed: 'The shard could not be taken over',
  doubt: 'A transaction is in doubt; the ledger will tell',
  fenced: 'Another owner has fenced this one; it waits for the group',
  acked: 'Leases were acked',
  ackFailed: 'Leases could not be acked; the messages come again and are known',
  handedBack: 'Messages were handed back to the queue',
  handBackFailed: 'Messages could not be handed back; they come again when their leases run out',
  pulled: 'Messages pulled',
  pullFailed: 'A pull failed',
  blocked: 'Envelopes wait for a topic that takes nothing now',
  lookUpFailed: 'The status store did not say what it has; they wait',
  notTaken: 'The status store did not take some outcomes; they are posted again',
  fetchFailed: 'The records of an envelope could not be fetched; it waits',
  workerAway: 'The worker does not answer; nothing is pulled until it does',
  workerBack: 'The worker answers again',
} as const

export const says =
  (msg: string, reason?: string) =>
  (line: Line): boolean =>
    line.msg === msg && (reason === undefined || line.reason === reason)
