/**
 * Pulls ahead of the transactions, within bounds: while one runs, the messages for the next are collected. It stops pulling when its
 * buffer is full and when it is paused. An empty queue is asked again after 20 ms, then ever more rarely down to once a second; the
 * first message brings it back to 20 ms. A failing queue API is asked again with back-off, honouring Retry-After.
 *
 * States: paused (pulls nothing, keeps its buffer) → running (resume) → paused (pause) → … → stopped.
 */
import { backoffMs } from './backoff.ts'
import { bytesOf, reportsIn, type Item } from './item.ts'
import { QueueError, type Lease } from './queue/client.ts'

export interface IntakeDeps {
  pull(): Promise<Lease[]>
  prepare(lease: Lease): Promise<Item>
  /** Ends early when the signal aborts; never throws. */
  sleep(ms: number, signal: AbortSignal): Promise<void>
  random(): number
  onPulled(leases: readonly Lease[]): void
  onPullFailed(error: unknown): void
}

export interface IntakeLimits {
  /** Reports and bytes of one batch; the buffer holds at most two of them, plus what one round of pulls brings. */
  maxReports: number
  maxBytes: number
  /** Pulls under way at once, when the queue is full enough to answer whole pulls. */
  maxPulls: number
}

const IDLE = { firstMs: 20, maxMs: 1_000 }
const FAILED = { firstMs: 200, maxMs: 30_000 }
const FULL_PULL = 100

export class Intake {
  readonly #deps: IntakeDeps
  readonly #limits: IntakeLimits
  readonly #stop = new AbortController()
  #buffer: Item[] = []
  #paused = true
  /** Woken whenever the buffer, the pause or the end changes. */
  #changed = Promise.withResolvers<void>()
  #done: Promise<void> | undefined

  constructor(deps: IntakeDeps, limits: IntakeLimits) {
    this.#deps = deps
    this.#limits = limits
  }

  resume(): void {
    this.#paused = false
    this.#done ??= this.#run()
    this.#wake()
  }

  pause(): void {
    this.#paused = true
  }

  /** The next batch: waits until there is at least one item; none only when `signal` aborts. */
  async take(signal: AbortSignal): Promise<Item[]> {
    const wake = () => this.#wake()
    signal.addEventListener('abort', wake)
    try {
      while (this.#buffer.length === 0 && !signal.aborted) await this.#changed.promise
    } finally {
      signal.removeEventListener('abort', wake)
    }
    if (signal.aborted) return []
    return this.#cut()
  }

  /** Stops for good and hands out what was pulled and not taken. */
  async stop(): Promise<Item[]> {
    this.#stop.abort()
    this.#wake()
    await this.#done
    return this.drain()
  }

  drain(): Item[] {
    const items = this.#buffer
    this.#buffer = []
    this.#wake()
    return items
  }

  #cut(): Item[] {
    let reports = 0
    let bytes = 0
    let n = 0
    for (const item of this.#buffer) {
      reports += reportsIn(item)
      bytes += bytesOf(item)
      if (n > 0 && (reports > this.#limits.maxReports || bytes > this.#limits.maxBytes)) break
      n++
    }
    const items = this.#buffer.splice(0, n)
    this.#wake()
    return items
  }

  #isFull(): boolean {
    let reports = 0
    let bytes = 0
    for (const item of this.#buffer) {
      reports += reportsIn(item)
      bytes += bytesOf(item)
    }
    return reports >= this.#limits.maxReports || bytes >= this.#limits.maxBytes
  }

  async #run(): Promise<void> {
    let idle = 0
    let failures = 0
    let pulls = 1
    while (!this.#stop.signal.aborted) {
      if (this.#paused || this.#isFull()) {
        await this.#changed.promise
        continue
      }
      const ends = await Promise.allSettled(Array.from({ length: pulls }, () => this.#pullOnce()))
      const failed = ends.find((end) => end.status === 'rejected')
      const sizes = ends.map((end) => (end.status === 'fulfilled' ? end.value : 0))
      const pulled = sizes.reduce((a, b) => a + b, 0)
      failures = failed ? failures + 1 : 0
      if (pulled > 0) idle = 0
      else if (!failed) idle++
      pulls = sizes.every((n) => n >= FULL_PULL) ? Math.min(pulls * 2, this.#limits.maxPulls) : 1
      if (failed) {
        this.#deps.onPullFailed(failed.reason)
        const asked = failed.reason instanceof QueueError ? (failed.reason.retryAfterMs ?? 0) : 0
        await this.#deps.sleep(
          Math.max(asked, backoffMs(failures, FAILED, this.#deps.random)),
          this.#stop.signal,
        )
      } else if (pulled === 0) {
        await this.#deps.sleep(
          Math.min(IDLE.firstMs * 2 ** (idle - 1), IDLE.maxMs),
          this.#stop.signal,
        )
      }
    }
  }

  async #pullOnce(): Promise<number> {
    const leases = await this.#deps.pull()
    this.#deps.onPulled(leases)
    const items = await Promise.all(leases.map((lease) => this.#deps.prepare(lease)))
    this.#buffer.push(...items)
    if (items.length > 0) this.#wake()
    return items.length
  }

  #wake(): void {
    this.#changed.resolve()
    this.#changed = Promise.withResolvers<void>()
  }
}
