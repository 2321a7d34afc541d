/**
 * What a shard remembers of its ledger: every id at or above the offset `low`, with its outcome until the status store has taken it.
 * It grows only by ledger records that are known to be committed: the ones read at boot, and the own ones after COMMIT answered.
 *
 * `low` moves only past ledger records whose outcomes the status store has all taken, and never past what a look-up in use stands on:
 * an id that is neither here nor in the status store was then never committed ("Absence needs evidence", docs/architecture.md). Moving
 * `low` less than it could only costs memory.
 */
import type { EnvelopeId, LedgerRecord, Outcome } from '#contract'

/** One `batch` record of the ledger. */
interface Entry {
  offset: bigint
  ids: readonly EnvelopeId[]
  raw: readonly string[]
  /** How many of its outcomes the status store has not taken yet, and of its raw messages the queue has not taken back. */
  untaken: number
  /** When it came to be remembered, monotonic ms. */
  at: number
}

interface Known {
  entry: Entry
  /** Gone once the status store has taken it. */
  outcome: Outcome | undefined
}

/** What is remembered of an id: `taken` is settled for good, `untaken` has to be settled again. */
export type Memory =
  | { status: 'taken'; offset: bigint }
  | { status: 'untaken'; offset: bigint; outcome: Outcome }

export interface RememberedOptions {
  /** Ids kept although they could be forgotten: a repeat of one of them needs no look-up. */
  keep: number
  /** Monotonic, ms. */
  clock(): number
}

/**
 * Nothing that could be forgotten is kept longer: a status row lives 10 days, and whatever is acked because it is remembered as taken must
 * have one.
 */
const MAX_KEPT_MS = 24 * 3_600_000

export class Remembered {
  readonly #options: RememberedOptions
  readonly #known = new Map<EnvelopeId, Known>()
  readonly #raw = new Map<string, Entry>()
  /** Those of them that hold their entry up. */
  readonly #leasedRaw = new Set<string>()
  /** In ledger order; the ones before `#first` are forgotten. */
  #entries: Entry[] = []
  #first = 0
  /** Index of the first entry that is not taken whole; never before `#first`. */
  #firstUntaken = 0
  #untaken = 0
  #low = 0n
  #next: bigint | undefined

  constructor(options: RememberedOptions) {
    this.#options = options
  }

  /** Ids. */
  get size(): number {
    return this.#known.size
  }

  /** Ids whose outcome the status store has not taken yet. */
  get untaken(): number {
    return this.#untaken
  }

  /** Every id of the ledger at this offset or above is remembered. */
  get low(): bigint {
    return this.#low
  }

  /** First ledger offset that was not read yet; undefined before the first boot. */
  get next(): bigint | undefined {
    return this.#next
  }

  /**
   * Everything below is taken by the status store, and stays so. This, not `low`, is what is committed: another process that remembers
   * from here on has what the rule asks for, and reads no more than it has to.
   */
  get settledLow(): bigint {
    return this.#entries[this.#firstUntaken]?.offset ?? this.#next ?? this.#low
  }

  /** Before the first boot reads: where it begins. */
  beginAt(low: bigint): void {
    this.#low = low
    this.#next = low
  }

  /** The ledger was read up to here, whatever was there: markers and aborted records have offsets, too. */
  readUpTo(next: bigint): void {
    if (this.#next === undefined || next > this.#next) this.#next = next
  }

  look(id: EnvelopeId): Memory | undefined {
    const known = this.#known.get(id)
    if (!known) return undefined
    const { offset } = known.entry
    return known.outcome
      ? { status: 'untaken', offset, outcome: known.outcome }
      : { status: 'taken', offset }
  }

  hasRaw(messageId: string): boolean {
    return this.#raw.has(messageId)
  }

  /**
   * A committed record at this offset. In the order of the offsets; one that was added already is passed over. `raw`: the messages that
   * were no envelopes are still leased. A boot can't know; it takes them for acked, and remembers them as long as it can.
   */
  add(record: LedgerRecord, offset: bigint, rawLeased = false): void {
    const isNew = this.#next === undefined || offset >= this.#next
    this.readUpTo(offset + 1n)
    if ('claim' in record || !isNew) return
    const { batch, raw = [] } = record
    const entry: Entry = {
      offset,
      ids: batch.map(([id]) => id),
      raw,
      untaken: batch.length + (rawLeased ? raw.length : 0),
      at: this.#options.clock(),
    }
    this.#entries.push(entry)
    for (const [id, outcome] of batch) {
      // An id that comes twice counts where it came last; the earlier place must not hold `low` up for ever.
      this.taken([id])
      this.#known.set(id, { entry, outcome })
    }
    for (const messageId of raw) {
      this.#raw.set(messageId, entry)
      if (rawLeased) this.#leasedRaw.add(messageId)
    }
    this.#untaken += batch.length
    this.#passTaken()
  }

  /** The status store has these now, durably. */
  taken(ids: Iterable<EnvelopeId>): void {
    for (const id of ids) {
      const known = this.#known.get(id)
      if (!known?.outcome) continue
      known.outcome = undefined
      known.entry.untaken--
      this.#untaken--
    }
    this.#passTaken()
  }

  /** Messages that were no envelopes are acked. */
  rawAcked(messageIds: Iterable<string>): void {
    for (const messageId of messageIds) {
      const entry = this.#raw.get(messageId)
      if (!entry || !this.#leasedRaw.delete(messageId)) continue
      entry.untaken--
    }
    this.#passTaken()
  }

  /** What the status store has not taken yet, in ledger order. */
  *untakenOutcomes(): Generator<[EnvelopeId, Outcome]> {
    for (const entry of this.#entries.slice(this.#firstUntaken)) {
      if (entry.untaken === 0) continue
      for (const id of entry.ids) {
        const known = this.#known.get(id)
        if (known?.entry === entry && known.outcome) yield [id, known.outcome]
      }
    }
  }

  /**
   * Moves `low` as far as the rule allows and the kept ids ask for. `inUse`: the lowest ledger end that a look-up in use was asked at;
   * undefined when none is.
   */
  forget(inUse: bigint | undefined): void {
    const { keep, clock } = this.#options
    const tooOld = clock() - MAX_KEPT_MS
    // An ack that failed may have worked: then the message never comes again, and nobody says that it is acked.
    this.rawAcked(
      [...this.#leasedRaw].filter((messageId) => (this.#raw.get(messageId)?.at ?? 0) <= tooOld),
    )
    while (this.#first < this.#firstUntaken) {
      const entry = this.#entries[this.#first]
      if (!entry || (inUse !== undefined && entry.offset >= inUse)) break
      if (this.#known.size - entry.ids.length < keep && entry.at > tooOld) break
      for (const id of entry.ids) {
        if (this.#known.get(id)?.entry === entry) this.#known.delete(id)
      }
      for (const messageId of entry.raw) {
        if (this.#raw.get(messageId) === entry) this.#raw.delete(messageId)
      }
      this.#low = entry.offset + 1n
      this.#first++
    }
    this.#trim()
  }

  #passTaken(): void {
    while (this.#entries[this.#firstUntaken]?.untaken === 0) this.#firstUntaken++
  }

  /** Gives the array's forgotten half back; each entry is moved once at most. */
  #trim(): void {
    if (this.#first < 1_024 || this.#first * 2 < this.#entries.length) return
    this.#entries = this.#entries.slice(this.#first)
    this.#firstUntaken -= this.#first
    this.#first = 0
  }
}
