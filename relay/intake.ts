/**
 * Pulls ahead of the transactions, within bounds: while one runs, the messages for the next are collected. It has two sources, the
 * shard's queue and that queue's dead-letter queue, and one buffer. It pulls only while nobody holds it back, and only what there is room
 * for. An empty source is asked again ever more rarely; its first message brings it back to the quickest pace, and a wake does so for the
 * queue. A failing queue API is asked again with back-off, honouring Retry-After.
 *
 * States: held (pulls nothing, keeps its buffer) ↔ pulling … → stopped.
 */
import { backoffMs } from './backoff.ts'
import {
  bytesOf,
  neededFrom,
  reportsIn,
  smallest,
  type PulledLease,
  type Item,
  type SourceName,
} from './item.ts'
import { QueueError, type Lease } from './queue/client.ts'

/** Why nothing is pulled now. */
export type Hold =
  /** The shard is not booted. */
  | 'not_booted'
  /** The worker does not answer. */
  | 'worker_away'
  /** Too many outcomes that the status store has not taken. */
  | 'unsettled'

export interface IntakeSource {
  name: SourceName
  /** At most `limit` messages. */
  pull(limit: number): Promise<Lease[]>
  /** Between two pulls that bring nothing. */
  idle: { firstMs: number; maxMs: number }
}

export interface IntakeDeps {
  sources: readonly IntakeSource[]
  /** Turns leases into items, and hands each out once. Never throws. */
  prepare(leases: readonly PulledLease[], emit: (item: Item) => void): Promise<void>
  /** The ledger's end as the shard knows it. */
  ledgerEnd(): bigint | undefined
  /** Monotonic, ms. */
  clock(): number
  /** Ends early when the signal aborts; never throws. */
  sleep(ms: number, signal: AbortSignal): Promise<void>
  random(): number
  onPulled(leases: readonly Lease[], source: SourceName): Promise<void> | void
  onPullFailed(error: unknown, source: SourceName): void
}

export interface IntakeLimits {
  /** Reports and bytes of one batch. The buffer holds at most two of them, plus what the pulls under way bring. */
  maxReports: number
  maxBytes: number
  /** Pulls under way at once, when the queue is full enough to answer whole pulls. */
  maxPulls: number
  leaseMs: number
}

const FAILED = { firstMs: 200, maxMs: 30_000 }
const FULL_PULL = 100
const FEWEST = 10
const BATCHES_AHEAD = 2
const AVERAGED_OVER = 20
/** What a message is taken to have before any was seen. */
const FIRST_GUESS_BYTES = 32_000

interface UnderWay {
  /** The ledger's end when it came. */
  from: bigint | undefined
  /** Not handed out yet. */
  leases: number
  done: Promise<void>
}

export class Intake {
  readonly #deps: IntakeDeps
  readonly #limits: IntakeLimits
  readonly #stop = new AbortController()
  readonly #holds = new Set<Hold>(['not_booted'])
  #buffer: Item[] = []
  #bufferedReports = 0
  #bufferedBytes = 0
  /** Bytes of records that are being fetched. */
  #reservedBytes = 0
  /** What one message has, on the average of the last ones. */
  #messageBytes = FIRST_GUESS_BYTES
  #messageReports = 1
  /** Of each pull that is being prepared: the ledger's end when it came. */
  readonly #preparing = new Set<UnderWay>()
  /** Aborts with the next wake; another one takes its place then. */
  #wakening = new AbortController()
  /** Resolved whenever the buffer, the holds or the end changes. */
  #changed = Promise.withResolvers<void>()
  #running: Promise<unknown> | undefined

  constructor(deps: IntakeDeps, limits: IntakeLimits) {
    this.#deps = deps
    this.#limits = limits
  }

  hold(why: Hold): void {
    this.#holds.add(why)
  }

  release(why: Hold): void {
    this.#holds.delete(why)
    if (this.#holds.size === 0) {
      this.#running ??= Promise.all(this.#deps.sources.map((source) => this.#run(source)))
      this.#notify()
    }
  }

  /**
   * Somebody waits for what is in the queue. Its wait between two empty pulls ends; a pull that is under way, a hold or a wait after a
   * failure goes on as it is. The dead-letter queue is never urgent.
   */
  wake(): void {
    if (this.#stop.signal.aborted) return
    this.#wakening.abort()
    this.#wakening = new AbortController()
  }

  /** Aborts when it is stopped: what is only prepared need not be finished then. */
  get stopping(): AbortSignal {
    return this.#stop.signal
  }

  get holds(): ReadonlySet<Hold> {
    return this.#holds
  }

  /** The next batch: waits until there is at least one item; none only when `signal` aborts. */
  async take(signal: AbortSignal): Promise<Item[]> {
    const notify = () => this.#notify()
    signal.addEventListener('abort', notify)
    try {
      while (this.#buffer.length === 0 && !signal.aborted) await this.#changed.promise
    } finally {
      signal.removeEventListener('abort', notify)
    }
    if (signal.aborted) return []
    return this.#cut()
  }

  /**
   * Waits for room for records that are fetched; what is already there makes room by being taken. Returns how to give the room back, once
   * the records are in an item or will never come.
   */
  async room(bytes: number): Promise<() => void> {
    const limit = this.#limits.maxBytes * BATCHES_AHEAD
    while (
      !this.#stop.signal.aborted &&
      this.#bufferedBytes + this.#reservedBytes > 0 &&
      this.#bufferedBytes + this.#reservedBytes + bytes > limit
    ) {
      await this.#changed.promise
    }
    this.#reservedBytes += bytes
    return () => {
      this.#reservedBytes -= bytes
      this.#notify()
    }
  }

  /** The ledger offset from which on everything must stay remembered for what is here; undefined: nothing needs it. */
  neededFrom(): bigint | undefined {
    return smallest([
      smallest([...this.#preparing].map(({ from }) => from)),
      smallest(this.#buffer.map(neededFrom)),
    ])
  }

  /** Stops for good and hands out what was pulled and not taken. */
  async stop(): Promise<Item[]> {
    this.#stop.abort()
    this.#wakening.abort()
    this.#notify()
    await this.#running
    await Promise.all([...this.#preparing].map(({ done }) => done))
    return this.drain()
  }

  drain(): Item[] {
    return this.#remove(this.#buffer.length)
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
    return this.#remove(n)
  }

  #remove(n: number): Item[] {
    const items = this.#buffer.splice(0, n)
    for (const item of items) {
      this.#bufferedReports -= reportsIn(item)
      this.#bufferedBytes -= bytesOf(item)
    }
    this.#notify()
    return items
  }

  #push(item: Item): void {
    this.#buffer.push(item)
    this.#messageReports += (reportsIn(item) - this.#messageReports) / AVERAGED_OVER
    this.#bufferedReports += reportsIn(item)
    this.#bufferedBytes += bytesOf(item)
    this.#notify()
  }

  /** Messages that there is room for, by what is buffered and under way; 0: none. */
  #roomForMessages(): number {
    const { maxReports, maxBytes } = this.#limits
    const underWay = [...this.#preparing].reduce((sum, { leases }) => sum + leases, 0)
    const reports =
      maxReports * BATCHES_AHEAD - this.#bufferedReports - underWay * this.#messageReports
    const bytes =
      maxBytes * BATCHES_AHEAD -
      this.#bufferedBytes -
      this.#reservedBytes -
      underWay * this.#messageBytes
    if (reports <= 0 || bytes <= 0) return 0
    const fitting = Math.min(bytes / this.#messageBytes, reports / this.#messageReports)
    // Never so few that large messages come one by one: a full buffer stops the next pull.
    return Math.max(Math.floor(fitting), FEWEST)
  }

  async #run(source: IntakeSource): Promise<void> {
    const { signal } = this.#stop
    let idle = 0
    let failures = 0
    let pulls = 1
    while (!signal.aborted) {
      const room = this.#roomForMessages()
      if (this.#holds.size > 0 || room === 0) {
        await this.#changed.promise
        continue
      }
      const limit = Math.min(room, FULL_PULL)
      const before = this.#wakeningOf(source)
      const ends = await Promise.allSettled(
        Array.from({ length: Math.min(pulls, Math.ceil(room / FULL_PULL)) }, () =>
          this.#pullOnce(source, limit),
        ),
      )
      const failed = ends.find((end) => end.status === 'rejected')
      const sizes = ends.map((end) => (end.status === 'fulfilled' ? end.value : 0))
      const pulled = sizes.reduce((a, b) => a + b, 0)
      failures = failed ? failures + 1 : 0
      // What the wake is about may have come too late for this pull.
      if (pulled > 0 || before.aborted) idle = 0
      if (pulled === 0 && !failed) idle++
      pulls = sizes.every((n) => n >= limit) ? Math.min(pulls * 2, this.#limits.maxPulls) : 1
      if (failed) {
        this.#deps.onPullFailed(failed.reason, source.name)
        const asked = failed.reason instanceof QueueError ? (failed.reason.retryAfterMs ?? 0) : 0
        await this.#deps.sleep(
          Math.max(asked, backoffMs(failures, FAILED, this.#deps.random)),
          signal,
        )
      } else if (pulled === 0) {
        const { firstMs, maxMs } = source.idle
        const wakening = this.#wakeningOf(source)
        await this.#deps.sleep(Math.min(firstMs * 2 ** (idle - 1), maxMs), wakening)
        if (wakening.aborted) idle = 0
      }
    }
  }

  /** Aborts also with the stop. */
  #wakeningOf(source: IntakeSource): AbortSignal {
    return source.name === 'queue' ? this.#wakening.signal : this.#stop.signal
  }

  /** Resolves as soon as the leases are here; preparing them goes on behind, and counts as under way. */
  async #pullOnce(source: IntakeSource, limit: number): Promise<number> {
    const expires = this.#deps.clock() + this.#limits.leaseMs
    const pulled = await source.pull(limit)
    await this.#deps.onPulled(pulled, source.name)
    if (pulled.length === 0) return 0
    const bytes = pulled.reduce((sum, { body }) => sum + body.length, 0) / pulled.length
    this.#messageBytes = (this.#messageBytes + Math.max(bytes, 1)) / 2
    const leases = pulled.map((lease): PulledLease => {
      return { ...lease, source: source.name, expires, bytes: lease.body.length }
    })
    const underWay: UnderWay = {
      from: this.#deps.ledgerEnd(),
      leases: leases.length,
      done: Promise.resolve(),
    }
    this.#preparing.add(underWay)
    underWay.done = this.#deps
      .prepare(leases, (item) => {
        underWay.leases--
        this.#push(item)
      })
      .finally(() => {
        this.#preparing.delete(underWay)
        this.#notify()
      })
    return leases.length
  }

  #notify(): void {
    this.#changed.resolve()
    this.#changed = Promise.withResolvers<void>()
  }
}
