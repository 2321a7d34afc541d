/** What the log of the local queues says was accepted, beside what the ledger has. No I/O. */
import type { BodyDigest, EnvelopeId } from '#contract'
import type { Book, Scope } from './book.ts'
import type { Differences } from './differences.ts'
import type { Fate, Given } from './queues.ts'
import type { Amount, Met } from './result.ts'

/** All messages with one envelope, or with several of one idempotency key. */
export interface GivenEnvelope {
  reports: number
  fate: Fate
  received: number
  receipts: { receipt: string; digest: BodyDigest | undefined }[]
  /** Read after the ledger: what it says of being acked is younger than that. */
  late: boolean
}

export class GivenEnvelopes {
  readonly #scope: Scope
  readonly #byId = new Map<EnvelopeId, GivenEnvelope>()
  readonly topics = new Set<string>()

  constructor(scope: Scope) {
    this.#scope = scope
  }

  add({ envelope, reports, fate }: Given, late = false): void {
    const { datahub, from, to } = this.#scope
    const { id, received, topic, receipt, digest } = envelope
    if (envelope.datahub !== datahub || received < from || received >= to) return
    this.topics.add(topic)
    const receipts = receipt === undefined ? [] : [{ receipt, digest }]
    const known = this.#byId.get(id)
    if (!known) this.#byId.set(id, { reports, fate, received, receipts, late })
    else {
      known.receipts.push(...receipts)
      if (fate === 'live' || (fate === 'acked' && known.fate === 'dropped')) known.fate = fate
    }
  }

  has(id: EnvelopeId): boolean {
    return this.#byId.has(id)
  }

  entries(): IterableIterator<[EnvelopeId, GivenEnvelope]> {
    return this.#byId.entries()
  }
}

/** Each accepted envelope is in the ledger or in a queue, and none is in the ledger that was not accepted. */
export function compareGiven(
  book: Book,
  given: GivenEnvelopes | undefined,
  differences: Differences,
  { ledgerBeginsAt = -Infinity }: Pick<Met, 'ledgerBeginsAt'>,
): { queuedIds: EnvelopeId[]; queued: Amount | undefined; lost: Amount } {
  const lost: Amount = { envelopes: 0, reports: 0 }
  const queuedIds: EnvelopeId[] = []
  if (!given) return { queuedIds, queued: undefined, lost }
  const queued: Amount = { envelopes: 0, reports: 0 }
  for (const [id, { reports, fate, received, late }] of given.entries()) {
    if (book.find(id) !== undefined || (fate !== 'live' && received < ledgerBeginsAt)) continue
    if (fate === 'live' || late) {
      queuedIds.push(id)
      queued.envelopes++
      queued.reports += reports
      continue
    }
    lost.envelopes++
    lost.reports += reports
    const what = fate === 'acked' ? 'acked, not in the ledger' : 'dropped by its queue'
    differences.add(what, id, `${reports} ${reports === 1 ? 'report' : 'reports'}`)
  }
  for (const id of book.ourIds()) {
    if (given.has(id)) continue
    const envelope = book.envelope(book.find(id) ?? 0)
    differences.add(
      'in the ledger, never accepted',
      id,
      `in the ledger at ${envelope.partition}/${envelope.offset}; no queue was given it`,
    )
  }
  return { queuedIds, queued, lost }
}
