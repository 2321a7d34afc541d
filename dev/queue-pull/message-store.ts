/**
 * What the simulated queue asks of a store: one per shard, holding the queue and its dead-letter queue. A store keeps and finds; it
 * decides nothing. All methods are synchronous, so that an operation of the queue is one turn, and in a Durable Object one commit.
 */
import type { Condition, MessageHead } from './lease-core.ts'
import type { Side } from './queues.ts'
import type { ContentType, WireBody } from './wire-body.ts'

export interface NewMessage extends WireBody {
  id: string
  timestamp: number
  visibleAt: number
}

export interface StoredMessage extends MessageHead {
  body: string
  contentType: ContentType
  /** When the simulator got it, Unix ms; stays when it moves. */
  givenAt: number
}

export interface Backlog {
  count: number
  bytes: number
  /** Unix ms; 0 when empty. */
  oldestTimestamp: number
}

export type Counts = Record<Condition, number>

export interface MessageStore {
  add(side: Side, messages: readonly NewMessage[], now: number): void
  /** Live, `visibleAt` not after `now`; longest visible first. Does not change anything. */
  due(side: Side, now: number, limit: number): StoredMessage[]
  /** Live, and either past its retention, or visible with all attempts used. */
  overdue(
    side: Side,
    now: number,
    limits: { maxRetries: number; retentionMs: number },
  ): MessageHead[]
  /** By seq, whatever its fate. */
  find(seqs: readonly number[]): Map<number, MessageHead>
  /** One more attempt, invisible until `visibleAt`. */
  lease(messages: readonly MessageHead[], visibleAt: number): void
  /** Not leased, invisible until `visibleAt`. */
  release(entries: readonly { message: MessageHead; visibleAt: number }[]): void
  finish(messages: readonly MessageHead[], fate: 'acked' | 'dropped'): void
  /** Into the shard's other queue: visible, no attempts, its timestamp `now`. */
  move(messages: readonly MessageHead[], side: Side, now: number): void
  /** Live messages of a side. */
  live(side: Side): MessageHead[]
  /** All leases end now. How many there were. */
  expireLeases(side: Side, now: number): number
  backlog(side: Side): Backlog
  counts(side: Side, now: number): Counts
  /** Everything ever given, by seq, both sides. */
  log(afterSeq: number, limit: number): StoredMessage[]
  loadSettings(): string | undefined
  saveSettings(json: string): void
}
