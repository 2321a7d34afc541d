/** What an audit is of, what it met, and what it comes to. */
import type { Scope } from './book.ts'
import type { Difference } from './differences.ts'

export interface AuditOptions extends Scope {
  /** How far behind `to` the topics are read, ms; undefined: to their ends. */
  readOn?: number | undefined
}

/** What the audit met on its way that limits what it can say. */
export interface Met {
  ledgerBeginsAt: number | undefined
  /** Topics that are gone, that are compacted, that nobody could be asked about. */
  gone: string[]
  compacted: string[]
  unknownPolicy: string[]
  /** Places where a transaction is open. */
  blocked: string[]
  strays: { left: number; older: number }
}

export interface Amount {
  envelopes: number
  reports: number
}

export type Queued =
  /** In the local queues, and not in the ledger. */
  | ({ status: 'known' } & Amount)
  /** Messages in the queues, of any datahub and time; some of them may be in the ledger already. */
  | { status: 'messages'; messages: number }
  | { status: 'not checked' }

export interface Result {
  scope: Scope
  /** Unix ms: up to here the ledger was read. */
  at: number
  ledger: Amount
  delivered: { inTopic: number; missing: number; unprovable: number }
  failed: { withLetter: number; missing: number; unprovable: number }
  queued: Queued
  /** The local queues were given them, and they are neither there nor in the ledger. */
  lost: Amount
  /** Of the envelopes in the ledger. */
  store:
    | {
        status: 'checked'
        found: number
        absent: number
        expired: number
        silent: number
        compared: number
      }
    | { status: 'not checked' }
  differences: readonly Difference[]
  /** Those too that are not kept. */
  differenceCount: number
  envelopesConcerned: number
  limits: string[]
}

/** The equation of the audit, in reports; without the queues' messages when nobody can say whose they are. */
export function sumOf({ delivered, failed, queued, ledger, lost }: Result) {
  const waiting = queued.status === 'known' ? queued.reports : 0
  return {
    accepted: ledger.reports + waiting + lost.reports,
    delivered: delivered.inTopic + delivered.unprovable,
    failed: failed.withLetter + failed.unprovable,
    queued: waiting,
  }
}
