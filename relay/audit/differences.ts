/** What the audit found wrong: counted, and kept up to a bound. */

export type DifferenceName =
  | 'record missing'
  | 'record misplaced'
  | 'record doubled'
  | 'record without a ledger entry'
  | 'record of a failed report'
  | 'ledger entry doubled'
  | 'dead letter missing'
  | 'dead letter doubled'
  | 'dead letter without a ledger entry'
  | 'dead letter of a delivered report'
  | 'dead letter for another reason'
  | 'acked, not in the ledger'
  | 'dropped by its queue'
  | 'in the ledger, never accepted'
  | 'no outcome in the status store'
  | 'outcome without a ledger entry'
  | 'outcome differs from the ledger'

export interface Difference {
  /** Of the envelope, or of one report of it: `<envelope id>.<index>`. */
  id: string
  what: DifferenceName
  where: string
}

const KEPT = 10_000

export class Differences {
  readonly kept: Difference[] = []
  readonly #envelopes = new Set<string>()
  count = 0

  add(what: DifferenceName, id: string, where: string): void {
    this.count++
    if (this.kept.length >= KEPT) return
    this.kept.push({ id, what, where })
    this.#envelopes.add(id.slice(0, 16))
  }

  /** Envelopes concerned; of those that are kept. */
  get envelopes(): number {
    return this.#envelopes.size
  }
}
