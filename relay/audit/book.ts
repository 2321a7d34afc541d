/**
 * What the ledger says, as the audit keeps it: of each envelope where its reports are, in columns of numbers, so that millions fit. Those of
 * the datahub and time in question are `ours`; of others only those that could be met in the same topics. No I/O.
 */
import {
  FAILURE_REASONS,
  type DatahubId,
  type EnvelopeId,
  type FailureReason,
  type Outcome,
} from '#contract'
import { Trouble } from '../operator/trouble.ts'
import { floats, int64s, uint16s, uint32s, uint8s } from './columns.ts'

/** Whose reports, accepted when; Unix ms, `to` not included. */
export interface Scope {
  datahub: DatahubId
  from: number
  to: number
}

/** One envelope in the ledger. */
export interface LedgerEntry {
  partition: number
  /** Of the ledger record that it stands in. */
  offset: bigint
  id: EnvelopeId
  outcome: Outcome
}

export type ReportPlace =
  | { status: 'delivered'; run: number; topic: string; partition: number; offset: bigint }
  | { status: 'failed'; run: number; reason: FailureReason }

/** Clocks of worker, relay and brokers are never this far apart; nor is an accept from the record that it leads to, unless it waits. */
export const MARGIN_MS = 600_000
/** About 500 MB. */
const MAX_ENTRIES = 3_000_000

/** Is it accepted in the scope's time and for its datahub? */
export function isOurs({ datahub, from, to }: Scope, outcome: Outcome): boolean {
  return outcome.datahub === datahub && outcome.received >= from && outcome.received < to
}

export class Book {
  readonly scope: Scope
  readonly #max: number
  readonly #index = new Map<EnvelopeId, number>()
  readonly #topics: string[] = []

  readonly #ids: EnvelopeId[] = []
  readonly #ours = uint8s()
  readonly #counts = uint16s()
  readonly #sent = floats()
  readonly #ledgerPartition = uint16s()
  readonly #ledgerOffset = int64s()
  readonly #firstRun = uint32s()
  readonly #runCount = uint16s()

  /** Of each run its envelope, its first report, how many. */
  readonly #runEnvelope = uint32s()
  readonly #runIndex = uint16s()
  readonly #runLength = uint16s()
  /** Index of the topic plus one, or 0 for a run of failures. */
  readonly #runTopic = uint16s()
  readonly #runPartition = uint32s()
  readonly #runOffset = int64s()
  /** Of a run of failures: which reason; and its first report's bit in `#letters`. */
  readonly #runReason = uint8s()
  readonly #runLetter = uint32s()
  /** One for each failed report: 1 when its dead letter was seen. */
  readonly #letters = uint8s()

  readonly ours = { envelopes: 0, reports: 0, delivered: 0, failed: 0 }

  constructor(scope: Scope, topics: Iterable<string>, max = MAX_ENTRIES) {
    this.scope = scope
    this.#max = max
    this.#topics.push(...topics)
  }

  get topics(): readonly string[] {
    return this.#topics
  }

  get envelopes(): number {
    return this.#ids.length
  }

  get runs(): number {
    return this.#runEnvelope.length
  }

  /**
   * Keeps what may be met; returns the place of an earlier entry of the same id.
   * @throws Trouble when there is more than fits
   */
  add(entry: LedgerEntry): { partition: number; offset: bigint } | undefined {
    const { id, outcome } = entry
    const { from, to } = this.scope
    const ours = isOurs(this.scope, outcome)
    const isNear = outcome.received >= from - MARGIN_MS && outcome.received < to + MARGIN_MS
    if (!ours && !(isNear && this.#topics.includes(outcome.topic))) return undefined
    const known = this.#index.get(id)
    if (known !== undefined) {
      return { partition: this.#ledgerPartition.get(known), offset: this.#ledgerOffset.get(known) }
    }
    this.#keep(entry, ours)
    if (this.#ids.length + this.runs > this.#max) {
      throw new Trouble(
        `More stands in the ledger for this time than fits into memory (${this.#max} entries). Audit a shorter time.`,
      )
    }
    return undefined
  }

  #keep({ partition, offset, id, outcome }: LedgerEntry, ours: boolean): void {
    const envelope = this.#ids.push(id) - 1
    this.#index.set(id, envelope)
    this.#ours.push(Number(ours))
    this.#sent.push(outcome.sent)
    this.#ledgerPartition.push(partition)
    this.#ledgerOffset.push(offset)
    this.#firstRun.push(this.runs)
    this.#runCount.push(outcome.runs.length)
    const topic = this.#topicNumber(outcome.topic)
    let index = 0
    let failed = 0
    for (const run of outcome.runs) {
      const [length] = run
      const isFailure = run.length === 2
      this.#runEnvelope.push(envelope)
      this.#runIndex.push(index)
      this.#runLength.push(length)
      this.#runTopic.push(isFailure ? 0 : topic + 1)
      this.#runPartition.push(isFailure ? 0 : run[1])
      this.#runOffset.push(isFailure ? 0n : BigInt(run[2]))
      this.#runReason.push(isFailure ? FAILURE_REASONS.indexOf(run[1]) : 0)
      this.#runLetter.push(this.#letters.length)
      if (isFailure) {
        failed += length
        for (let i = 0; i < length; i++) this.#letters.push(0)
      }
      index += length
    }
    this.#counts.push(index)
    if (!ours) return
    this.ours.envelopes++
    this.ours.reports += index
    this.ours.failed += failed
    this.ours.delivered += index - failed
  }

  #topicNumber(name: string): number {
    const at = this.#topics.indexOf(name)
    return at < 0 ? this.#topics.push(name) - 1 : at
  }

  find(id: string): number | undefined {
    return this.#index.get(id as EnvelopeId)
  }

  /** What is known of an envelope, by its number. */
  envelope(envelope: number) {
    return {
      id: this.#ids[envelope] as EnvelopeId,
      ours: this.#ours.get(envelope) === 1,
      count: this.#counts.get(envelope),
      sent: this.#sent.get(envelope),
      partition: this.#ledgerPartition.get(envelope),
      offset: this.#ledgerOffset.get(envelope),
      runs: this.#runNumbers(envelope),
    }
  }

  #runNumbers(envelope: number): number[] {
    const first = this.#firstRun.get(envelope)
    return Array.from({ length: this.#runCount.get(envelope) }, (_, i) => first + i)
  }

  *ourIds(): Generator<EnvelopeId> {
    for (const [envelope, id] of this.#ids.entries()) if (this.#ours.get(envelope) === 1) yield id
  }

  run(run: number) {
    const topic = this.#runTopic.get(run)
    return {
      envelope: this.#runEnvelope.get(run),
      index: this.#runIndex.get(run),
      length: this.#runLength.get(run),
      partition: this.#runPartition.get(run),
      first: this.#runOffset.get(run),
      /** Undefined for a run of failures. */
      topic: topic === 0 ? undefined : this.#topics[topic - 1],
      reason: FAILURE_REASONS[this.#runReason.get(run)] as FailureReason,
    }
  }

  /** Where the ledger says that a report is; undefined when the envelope has no such report. */
  placeOf(envelope: number, index: number): ReportPlace | undefined {
    for (const number of this.#runNumbers(envelope)) {
      const run = this.run(number)
      if (index < run.index || index >= run.index + run.length) continue
      const { topic, partition, reason } = run
      if (topic === undefined) return { status: 'failed', run: number, reason }
      const offset = run.first + BigInt(index - run.index)
      return { status: 'delivered', run: number, topic, partition, offset }
    }
    return undefined
  }

  /** Delivered runs in a partition, by offset. */
  runsIn(topic: string, partition: number): Uint32Array {
    const wanted = this.#topics.indexOf(topic) + 1
    const found = uint32s()
    for (let run = 0; run < this.runs; run++) {
      if (this.#runTopic.get(run) === wanted && this.#runPartition.get(run) === partition) {
        found.push(run)
      }
    }
    const runs = Uint32Array.from({ length: found.length }, (_, i) => found.get(i))
    return runs.sort((a, b) => Number(this.#runOffset.get(a) - this.#runOffset.get(b)))
  }

  firstOffset(run: number): bigint {
    return this.#runOffset.get(run)
  }

  /** Behind the last offset of a run. */
  endOffset(run: number): bigint {
    return this.#runOffset.get(run) + BigInt(this.#runLength.get(run))
  }

  /** Is this the report that the run has at the offset? */
  matches(run: number, offset: bigint, { id, index }: { id: string; index: number }): boolean {
    return (
      this.#ids[this.#runEnvelope.get(run)] === id &&
      BigInt(index - this.#runIndex.get(run)) === offset - this.#runOffset.get(run)
    )
  }

  /** Notes the dead letter of a failed report; false when it was noted before. */
  seeLetter(run: number, index: number): boolean {
    const at = this.#runLetter.get(run) + index - this.#runIndex.get(run)
    if (this.#letters.get(at) === 1) return false
    this.#letters.set(at, 1)
    return true
  }

  /** Of a run of failures: the reports whose dead letter was not seen. */
  withoutLetter(run: number): number[] {
    const first = this.#runLetter.get(run)
    const index = this.#runIndex.get(run)
    return Array.from({ length: this.#runLength.get(run) }, (_, i) => i)
      .filter((i) => this.#letters.get(first + i) === 0)
      .map((i) => index + i)
  }
}
