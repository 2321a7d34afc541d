/**
 * The topics against the book: one partition at a time, its records once and in order. A record that stands where the ledger says is
 * ticked off; what is never ticked off is missing, and a record that stands elsewhere is a stray, to be named when all are read. No I/O.
 */
import { reportId } from '#contract'
import type { Book } from './book.ts'
import type { Differences } from './differences.ts'
import { Strays, type Stray } from './strays.ts'

export interface SeenRecord {
  offset: bigint
  /** Undefined: not Edgehub's. */
  report: { id: Stray['id']; index: number } | undefined
  /** Unix ms. */
  timestamp: number
}

/** What is known of a partition before it is read. */
export interface KnownPartition {
  topic: string
  partition: number
  /** Where its log begins: what was before can't be looked at any more. */
  start: bigint
  /** Whether records may have been removed in between. */
  isCompacted: boolean
}

/** Reports that are not where the ledger says. */
interface Gap {
  from: bigint
  to: bigint
}

type Others = ReadonlyMap<bigint, string>

/** Kept to tell a record that is elsewhere from one that is there twice. */
const MAX_GAPS = 100_000
const MAX_OTHERS = 1_000

export class DataCheck {
  readonly strays = new Strays()
  /** Of ours. */
  missing = 0
  /** Of ours: before their partition's begin, or perhaps compacted away. */
  unprovable = { expired: 0, compacted: 0 }
  /** Records of Edgehub that were read. */
  records = 0
  readonly #book: Book
  readonly #differences: Differences
  /** Of the runs that have any. */
  readonly #gaps = new Map<number, Gap[]>()

  constructor(book: Book, differences: Differences) {
    this.#book = book
    this.#differences = differences
  }

  partition(known: KnownPartition): PartitionCheck {
    const book = this.#book
    const of = { ...known, others: new Map<bigint, string>() }
    const runs = book.runsIn(of.topic, of.partition)
    const seenTo = BigInt64Array.from(runs, (run) => book.firstOffset(run))
    /** Runs before it end before the offset at hand. */
    let first = 0

    const visit = ({ offset, report, timestamp }: SeenRecord) => {
      let isExpected = false
      let isMatched = false
      for (let at = first; at < runs.length; at++) {
        const run = runs[at] ?? 0
        if (book.firstOffset(run) > offset) break
        if (book.endOffset(run) <= offset) {
          if (at === first) first++
          continue
        }
        isExpected = true
        if (!report || !book.matches(run, offset, report)) continue
        isMatched = true
        const seen = seenTo[at] ?? offset
        if (offset > seen) this.#judgeGap(run, { from: seen, to: offset }, of)
        seenTo[at] = offset + 1n
      }
      if (report) this.records++
      if (isMatched) return
      const name = report ? `that of ${reportId(report.id, report.index)}` : 'one of others'
      if (isExpected && of.others.size < MAX_OTHERS) of.others.set(offset, name)
      if (report && this.#concerns(report.id, timestamp)) {
        this.strays.add({ ...report, at: `${of.topic}/${of.partition}/${offset}`, time: timestamp })
      }
    }

    const finish = () => {
      for (const [at, run] of runs.entries()) {
        const to = book.endOffset(run)
        const from = seenTo[at] ?? to
        if (from < to) this.#judgeGap(run, { from, to }, of)
      }
    }

    let end = 0n
    for (const run of runs) if (book.endOffset(run) > end) end = book.endOffset(run)
    return {
      first: runs[0] === undefined ? undefined : book.firstOffset(runs[0]),
      end,
      visit,
      finish,
      expired: (start) => (of.start = start),
    }
  }

  /** There is no such topic any more. */
  gone(topic: string): void {
    for (let run = 0; run < this.#book.runs; run++) {
      const { topic: of, envelope, length } = this.#book.run(run)
      if (of === topic && this.#book.envelope(envelope).ours) this.unprovable.expired += length
    }
  }

  /** A record of other people's, or of another time, is no stray. */
  #concerns(id: string, timestamp: number): boolean {
    const { from, to } = this.#book.scope
    const envelope = this.#book.find(id)
    if (envelope !== undefined) return this.#book.envelope(envelope).ours
    return timestamp >= from && timestamp < to
  }

  #judgeGap(
    run: number,
    gap: Gap,
    { topic, partition, start, isCompacted, others }: KnownPartition & { others: Others },
  ): void {
    const { envelope, index, first } = this.#book.run(run)
    const { id, ours } = this.#book.envelope(envelope)
    if (!ours) return
    const { to } = gap
    const from = gap.from >= start ? gap.from : to < start ? to : start
    this.unprovable.expired += Number(from - gap.from)
    if (from >= to) return
    const count = Number(to - from)
    if (isCompacted) {
      this.unprovable.compacted += count
      return
    }
    this.missing += count
    const gaps = this.#gaps.get(run)
    if (gaps) gaps.push({ from, to })
    else if (this.#gaps.size < MAX_GAPS) this.#gaps.set(run, [{ from, to }])
    const begin = index + Number(from - first)
    const place = `the ledger says ${topic}/${partition}/${from}`
    const last = count === 1 ? '' : ` to ${to - 1n}, for reports ${begin} to ${begin + count - 1}`
    this.#differences.add(
      'record missing',
      count === 1 ? reportId(id, begin) : id,
      `${place}${last}; there is ${others.get(from) ?? 'nothing'}`,
    )
  }

  /**
   * Names the strays whose envelope the book knows. The others are returned: they are to be looked for in the whole ledger.
   */
  nameStrays(): Stray[] {
    return this.strays.kept.filter(({ id, index, at }) => {
      const envelope = this.#book.find(id)
      if (envelope === undefined) return true
      const name = reportId(id, index)
      const place = this.#book.placeOf(envelope, index)
      if (!place) {
        this.#differences.add('record without a ledger entry', name, `${at}; its POST had fewer`)
      } else if (place.status === 'failed') {
        this.#differences.add('record of a failed report', name, `${at}; failed as ${place.reason}`)
      } else {
        const said = `${at}; the ledger says ${place.topic}/${place.partition}/${place.offset}`
        const isGap = this.#gaps
          .get(place.run)
          ?.some(({ from, to }) => place.offset >= from && place.offset < to)
        this.#differences.add(isGap ? 'record misplaced' : 'record doubled', name, said)
      }
      return false
    })
  }
}

export interface PartitionCheck {
  /** The first offset that the ledger names here; undefined: it names none. */
  first: bigint | undefined
  /** Behind the last of them. */
  end: bigint
  visit(record: SeenRecord): void
  /** The log begins here now. */
  expired(start: bigint): void
  /** All was visited. */
  finish(): void
}
