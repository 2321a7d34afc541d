/** Structured logs: one JSON line each, a sentence and its data. Written at once, so that a kill loses none. */
import process from 'node:process'
import { destination, pino, type DestinationStream, type Logger } from 'pino'

export type { Logger }

export function createLogger(
  level: string,
  relay: string,
  to: DestinationStream = destination({ dest: 1, sync: true }),
): Logger {
  return pino(
    {
      level,
      base: { relay, pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: ['*.token', '*.password', '*.authorization'], censor: '(redacted)' },
    },
    to,
  )
}
