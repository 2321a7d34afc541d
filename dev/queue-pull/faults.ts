/**
 * Faults that a test orders in advance: each queue keeps one list for its pulls and one for its acks, and a call takes the next. Pure; what a
 * fault means is the API's affair. Kept in memory only: a restart of the simulator clears them.
 */
import * as z from 'zod'
import type { Side } from './queues.ts'

const MAX_TIMES = 1_000_000
const MAX_HANG_MS = 600_000

export const Fault = z.discriminatedUnion('kind', [
  /** 429 / 10250, nothing done. */
  z.strictObject({
    kind: z.literal('overloaded'),
    retryAfterSeconds: z.int().min(0).max(3600).optional(),
  }),
  /** 500 / 15000, nothing done. */
  z.strictObject({ kind: z.literal('error') }),
  /** 200 with text that is no JSON, nothing done. */
  z.strictObject({ kind: z.literal('garbage') }),
  /** Waits, then does it and answers as usual; done even if the caller has gone. */
  z.strictObject({ kind: z.literal('hang'), ms: z.int().min(0).max(MAX_HANG_MS) }),
  /** Does it, then answers 500: the caller can't know. */
  z.strictObject({ kind: z.literal('lost_answer') }),
])
export type Fault = z.infer<typeof Fault>

export const FaultOrder = z.strictObject({
  on: z.enum(['pull', 'ack']),
  times: z.int().min(1).max(MAX_TIMES).default(1),
  fault: Fault,
})
export type FaultOrder = z.infer<typeof FaultOrder>

export interface PendingFault {
  on: 'pull' | 'ack'
  times: number
  fault: Fault
}

export class Faults {
  readonly #pending: Record<Side, PendingFault[]> = { queue: [], deadLetter: [] }

  order(side: Side, { on, times, fault }: FaultOrder): void {
    this.#pending[side].push({ on, times, fault })
  }

  next(side: Side, on: 'pull' | 'ack'): Fault | undefined {
    const pending = this.#pending[side]
    const at = pending.findIndex((each) => each.on === on)
    const found = pending[at]
    if (!found) return undefined
    if (--found.times === 0) pending.splice(at, 1)
    return found.fault
  }

  pending(side: Side): readonly PendingFault[] {
    return this.#pending[side]
  }

  clear(side: Side): void {
    this.#pending[side] = []
  }
}
