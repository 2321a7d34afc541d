/**
 * A shard's queue and dead-letter queue: asks the store, lets the lease core decide, writes the decision back. Synchronous, `now` is a
 * parameter. It knows no HTTP, and makes no decision of its own.
 */
import * as z from 'zod'
import {
  leasedSeqs,
  planAck,
  planPull,
  planSweep,
  type AckPlan,
  type AckRequest,
  type LeaseSettings,
} from './lease-core.ts'
import type { Backlog, Counts, MessageStore, NewMessage, StoredMessage } from './message-store.ts'
import type { Side } from './queues.ts'

/** Limits: https://developers.cloudflare.com/queues/platform/limits/ */
export const MAX_VISIBILITY_TIMEOUT_MS = 12 * 3_600_000
const MAX_RETRIES = 100

/** What can be changed while it runs; survives a restart in the SQLite store. */
export const SettingsChange = z.strictObject({
  maxRetries: z.int().min(1).max(MAX_RETRIES).optional(),
  visibilityTimeoutMs: z.int().min(0).max(MAX_VISIBILITY_TIMEOUT_MS).optional(),
  retentionMs: z.int().min(1).optional(),
})
export type SettingsChange = z.infer<typeof SettingsChange>

const SavedSettings = z.object({
  change: SettingsChange.default({}),
  paused: z.object({ queue: z.boolean(), deadLetter: z.boolean() }),
})

export interface Delivery {
  message: StoredMessage
  attempts: number
  leaseId: string
}

export type PullResult =
  | { status: 'ok'; deliveries: Delivery[]; backlog: Backlog }
  /** An operator paused deliveries; producing goes on. */
  | { status: 'paused' }

export class LeaseQueue {
  readonly #store: MessageStore
  readonly #defaults: LeaseSettings
  #saved: z.infer<typeof SavedSettings>

  constructor(store: MessageStore, defaults: LeaseSettings) {
    this.#store = store
    this.#defaults = defaults
    const saved = store.loadSettings()
    this.#saved =
      saved === undefined
        ? { change: {}, paused: { queue: false, deadLetter: false } }
        : SavedSettings.parse(JSON.parse(saved))
  }

  get settings(): LeaseSettings {
    const { maxRetries, visibilityTimeoutMs, retentionMs } = this.#saved.change
    return {
      maxRetries: maxRetries ?? this.#defaults.maxRetries,
      visibilityTimeoutMs: visibilityTimeoutMs ?? this.#defaults.visibilityTimeoutMs,
      retentionMs: retentionMs ?? this.#defaults.retentionMs,
    }
  }

  changeSettings(change: SettingsChange): void {
    this.#save({ ...this.#saved, change: { ...this.#saved.change, ...change } })
  }

  isPaused(side: Side): boolean {
    return this.#saved.paused[side]
  }

  setPaused(side: Side, paused: boolean): void {
    this.#save({ ...this.#saved, paused: { ...this.#saved.paused, [side]: paused } })
  }

  #save(saved: z.infer<typeof SavedSettings>): void {
    this.#store.saveSettings(JSON.stringify(saved))
    this.#saved = saved
  }

  give(side: Side, messages: readonly NewMessage[], now: number): void {
    this.#store.add(side, messages, now)
  }

  pull(
    side: Side,
    request: { limit: number; visibilityTimeoutMs?: number | undefined },
    now: number,
  ): PullResult {
    if (this.isPaused(side)) return { status: 'paused' }
    this.#sweep(side, now)
    const candidates = this.#store.due(side, now, request.limit)
    const plan = planPull(candidates, request, now, this.settings)
    this.#store.lease(plan.lease, plan.visibleAt)
    return { status: 'ok', deliveries: plan.deliveries, backlog: this.#store.backlog(side) }
  }

  /** No sweep before: a late ack must win over the move to the dead-letter queue that nobody has seen yet. */
  ack(side: Side, request: AckRequest, now: number): AckPlan {
    const found = this.#store.find(leasedSeqs(request))
    const plan = planAck(request, side, (seq) => found.get(seq), now, this.settings)
    this.#store.finish(plan.finish, 'acked')
    this.#store.release(plan.release)
    this.#store.move(plan.deadLetter, 'deadLetter', now)
    this.#store.finish(plan.drop, 'dropped')
    return plan
  }

  backlog(side: Side, now: number): Backlog {
    this.#sweep(side, now)
    return this.#store.backlog(side)
  }

  counts(side: Side, now: number): Counts {
    this.#sweep(side, now)
    return this.#store.counts(side, now)
  }

  /** How many leases ended. */
  expireLeases(side: Side, now: number): number {
    return this.#store.expireLeases(side, now)
  }

  /** All of the dead-letter queue, leased or not, back into the queue as if new. How many. */
  redrive(now: number): number {
    this.#sweep('deadLetter', now)
    const messages = this.#store.live('deadLetter')
    this.#store.move(messages, 'queue', now)
    return messages.length
  }

  log(afterSeq: number, limit: number): StoredMessage[] {
    return this.#store.log(afterSeq, limit)
  }

  /** The queue comes first: what it gives up now belongs into the dead-letter queue before anybody looks there. */
  #sweep(side: Side, now: number): void {
    const sides: Side[] = side === 'queue' ? ['queue'] : ['queue', 'deadLetter']
    for (const each of sides) {
      const overdue = this.#store.overdue(each, now, this.settings)
      if (overdue.length === 0) continue
      const { deadLetter, drop } = planSweep(overdue, now, this.settings)
      this.#store.move(deadLetter, 'deadLetter', now)
      this.#store.finish(drop, 'dropped')
    }
  }
}
