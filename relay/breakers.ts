/**
 * Topics and partitions that can't take records now. Each is behind a breaker of its own: open, nothing is sent there and nobody asks
 * for it; after a while, doubling up to a minute, the next envelope may try. So one bad topic costs a shard neither its other topics nor
 * a boot for each batch. Pure over its clock.
 */
import type { BlockReason } from './placement.ts'

interface Breaker {
  reason: BlockReason
  /** Of the first failure since it last worked. */
  since: number
  until: number
  failures: number
}

const FIRST_MS = 1_000
const MAX_MS = 60_000
/** After so long without another failure, the next one is a new trouble. Longer than any message stays away. */
const FORGET_MS = 8_000_000

/** `topic`, or `topic/partition`. */
type Place = string

export class Breakers {
  readonly #breakers = new Map<Place, Breaker>()
  readonly #clock: () => number

  /** `clock`: monotonic, ms. */
  constructor(clock: () => number) {
    this.#clock = clock
  }

  /** Open ones. */
  get open(): number {
    const now = this.#clock()
    return [...this.#breakers.values()].filter(({ until }) => until > now).length
  }

  fail(place: Place, reason: BlockReason): void {
    const now = this.#clock()
    for (const [old, { until }] of this.#breakers) {
      if (now - until > FORGET_MS) this.#breakers.delete(old)
    }
    const before = this.#breakers.get(place)
    // A failure while it is open is news of the same trouble, not another try.
    if (before && before.until > now) {
      before.reason = reason
      return
    }
    const failures = (before?.failures ?? 0) + 1
    this.#breakers.set(place, {
      reason,
      since: before?.since ?? now,
      until: now + Math.min(FIRST_MS * 2 ** (failures - 1), MAX_MS),
      failures,
    })
  }

  works(place: Place): void {
    this.#breakers.delete(place)
  }

  /** Why nothing may be sent there now, or undefined when it may be tried. */
  reasonFor(place: Place): BlockReason | undefined {
    const breaker = this.#breakers.get(place)
    return breaker && breaker.until > this.#clock() ? breaker.reason : undefined
  }

  /** How long it has not worked, ms; 0 when it works or was never tried. */
  failingFor(place: Place): number {
    const breaker = this.#breakers.get(place)
    return breaker ? this.#clock() - breaker.since : 0
  }
}
