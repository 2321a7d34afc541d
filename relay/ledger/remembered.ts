/**
 * What a shard remembers of its ledger: every envelope that a committed transaction put into Kafka, and its outcome. It grows only by
 * ledger records that are known to be committed: the ones read at boot, and the own ones after COMMIT answered. It forgets nothing.
 */
import type { EnvelopeId, LedgerRecord, Outcome } from '#contract'

export class Remembered {
  readonly #outcomes = new Map<EnvelopeId, Outcome>()
  readonly #raw = new Set<string>()
  /** First ledger offset that was not read yet; undefined: none was read. */
  next: bigint | undefined

  get size(): number {
    return this.#outcomes.size
  }

  outcomeOf(id: EnvelopeId): Outcome | undefined {
    return this.#outcomes.get(id)
  }

  hasRaw(messageId: string): boolean {
    return this.#raw.has(messageId)
  }

  /** An own record, committed at this offset: all below is known too, because the partition has one writer. */
  addCommitted(record: LedgerRecord, offset: bigint): void {
    this.add(record)
    this.next = offset + 1n
  }

  add(record: LedgerRecord): void {
    if ('claim' in record) return
    for (const [id, outcome] of record.batch) this.#outcomes.set(id, outcome)
    for (const messageId of record.raw ?? []) this.#raw.add(messageId)
  }
}
