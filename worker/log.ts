/**
 * The worker's log: one JSON line an entry, the message a sentence, data beside it. Never given a secret, a signature, a receipt or a
 * body.
 */
export interface LogEntry {
  level: 'error' | 'warn' | 'info'
  message: string
  [field: string]: string | number | boolean | undefined
}

export type Log = (entry: LogEntry) => void

export const log: Log = (entry) => console[entry.level](JSON.stringify(entry))

/** An error as one field: what it says, and the chain of its causes. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const own = `${error.name}: ${error.message}`
  return error.cause === undefined ? own : `${own} (cause: ${describeError(error.cause)})`
}
