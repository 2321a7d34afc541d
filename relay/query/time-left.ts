/**
 * The time that a question has: `patience` ends a little before `signal`, so that what was found by then still gets there. Both end with
 * the asker's own signal.
 */
import { QueryTrouble } from './trouble.ts'

export interface TimeLeft {
  /** Ends the question. */
  signal: AbortSignal
  /** Ends its waiting for more. */
  patience: AbortSignal
}

/** Of a question's time, for the way back; and at most so much, ms. */
const MARGIN_SHARE = 0.1
const MAX_MARGIN_MS = 250

/** Runs the work with a time of its own. What is still under way when it is over, nobody waits for. */
export async function within<T>(
  withinMs: number,
  asker: AbortSignal,
  work: (time: TimeLeft) => Promise<T>,
): Promise<T> {
  const hard = new AbortController()
  const soft = new AbortController()
  const margin = Math.min(withinMs * MARGIN_SHARE, MAX_MARGIN_MS)
  const late = () => new QueryTrouble('timed_out', `not answered within ${withinMs} ms`)
  const timers = [
    setTimeout(() => soft.abort(late()), withinMs - margin),
    setTimeout(() => hard.abort(late()), withinMs),
  ]
  const cancelled = () => {
    const reason = new QueryTrouble('timed_out', 'nobody waits for the answer any more')
    hard.abort(reason)
    soft.abort(reason)
  }
  asker.addEventListener('abort', cancelled, { once: true })
  if (asker.aborted) cancelled()
  try {
    return await unlessAborted(hard.signal, () =>
      work({ signal: hard.signal, patience: soft.signal }),
    )
  } finally {
    for (const timer of timers) clearTimeout(timer)
    asker.removeEventListener('abort', cancelled)
    // Whatever of it is still under way sees that nobody waits.
    hard.abort(late())
    soft.abort(late())
  }
}

/** The result, or the signal's reason as soon as it is aborted. */
export async function unlessAborted<T>(signal: AbortSignal, start: () => Promise<T>): Promise<T> {
  signal.throwIfAborted()
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const giveUp = () => reject(signal.reason as Error)
  signal.addEventListener('abort', giveUp, { once: true })
  try {
    return await Promise.race([start(), aborted])
  } finally {
    signal.removeEventListener('abort', giveUp)
  }
}
