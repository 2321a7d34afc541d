/**
 * Whether the worker answers. A call that fails opens the circuit: nothing is pulled, because nothing could be looked up or settled.
 * While it is open, one small look-up is tried again and again with back-off; its first answer closes the circuit. An answer that leaves
 * some ids out is an answer: one silent part of the status store stops nobody else.
 */
import { randomBytes } from 'node:crypto'
import { envelopeIdOf, ENVELOPE_ID_BYTES } from '#contract'
import { backoffMs } from '../backoff.ts'
import type { WorkerClient } from './worker-client.ts'

export interface WorkerWatch {
  readonly isAway: boolean
  /** Called with each change, until the returned function is called. */
  onChange(listener: (away: boolean) => void): () => void
  stop(): Promise<void>
}

export interface WorkerWatchDeps {
  random(): number
  /** Ends early when the signal aborts; never throws. */
  sleep(ms: number, signal: AbortSignal): Promise<void>
  onAway(error: unknown): void
  onBack(): void
}

const PROBE = { firstMs: 200, maxMs: 10_000 }

/** The same client, watched. */
export function watchWorker(
  worker: WorkerClient,
  { random, sleep, onAway, onBack }: WorkerWatchDeps,
): WorkerClient & { watch: WorkerWatch } {
  const stop = new AbortController()
  const listeners = new Set<(away: boolean) => void>()
  let away = false
  let probing: Promise<void> = Promise.resolve()
  /** Since the worker last took outcomes: a look-up that is answered does not prove that they are taken. */
  let failures = 0

  function opened(error: unknown): void {
    if (away || stop.signal.aborted) return
    away = true
    onAway(error)
    for (const listener of listeners) listener(true)
    probing = probe()
  }

  async function probe(): Promise<void> {
    while (!stop.signal.aborted) {
      await sleep(backoffMs(++failures, PROBE, random), stop.signal)
      if (stop.signal.aborted) return
      try {
        await worker.lookUp([envelopeIdOf(randomBytes(ENVELOPE_ID_BYTES))])
      } catch {
        continue
      }
      away = false
      onBack()
      for (const listener of listeners) listener(false)
      return
    }
  }

  async function watched<T>(call: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    try {
      return await call
    } catch (error) {
      // What we ended ourselves says nothing about the worker.
      if (!signal?.aborted) opened(error)
      throw error
    }
  }

  return {
    async postOutcomes(outcomes) {
      const answer = await worker.postOutcomes(outcomes)
      if (answer.failed !== undefined) opened(answer.failed)
      else if (answer.taken.size > 0) failures = 0
      return answer
    },
    lookUp: (ids, signal) => watched(worker.lookUp(ids, signal), signal),
    fetchRecords: (claim, signal) => watched(worker.fetchRecords(claim, signal), signal),
    // A failed clean-up holds nobody up.
    deleteRecords: (object) => worker.deleteRecords(object),
    watch: {
      get isAway() {
        return away
      },
      onChange(listener) {
        listeners.add(listener)
        return () => void listeners.delete(listener)
      },
      async stop() {
        stop.abort()
        await probing
      },
    },
  }
}
