/** What an audit can't prove: said in sentences, those that hold always and those that this one met. Pure. */
import { LEDGER_RETENTION_MS, STATUS_ROW_MS } from '#contract'
import { isoTime } from '../operator/text.ts'
import type { AuditOptions, Met, Result } from './result.ts'

const DAY_MS = 86_400_000

export function limitsOf(
  { queued, store, ledger, failed }: Result,
  { from, readOn }: AuditOptions,
  met: Met,
  unprovable: { expired: number; compacted: number },
): string[] {
  const limits: string[] = []
  const days = (ms: number) => ms / DAY_MS
  limits.push(
    queued.status === 'known'
      ? 'What the worker has accepted and the local queue lost before it was logged leaves no trace here; a receipt that stays queued tells.'
      : 'A message that a queue lost before a relay pulled it, or dropped after its 4 days, leaves no trace here; a receipt that stays queued, or reads expired, tells.',
    'Keys and values are not compared: nothing keeps what was posted.',
  )
  if (queued.status === 'messages' && queued.messages > 0) {
    limits.push(
      `${queued.messages} messages are in the queues, of all datahubs and times; how many of them are of this one, and not in the ledger, only the relay will see. The number is the queue API's, which calls it approximate.`,
    )
  }
  if (queued.status === 'messages' && queued.messages === 0) {
    limits.push("That the queues are empty is the queue API's word, which calls it approximate.")
  }
  if (queued.status === 'not checked') {
    limits.push(
      'The queues were not asked: set ACCOUNT_ID, QUEUE_API_TOKEN, QUEUE_IDS and DEAD_LETTER_QUEUE_IDS.',
    )
  }
  if (store.status === 'not checked') {
    limits.push('The status store was not asked: set WORKER_URL and RELAY_TOKEN.')
  } else {
    limits.push(...storeLimits(store, ledger.envelopes))
  }
  if (met.ledgerBeginsAt !== undefined && met.ledgerBeginsAt > from) {
    limits.push(
      `The ledger begins at ${isoTime(met.ledgerBeginsAt)}: it keeps ${days(LEDGER_RETENTION_MS)} days. What was committed before is not counted.`,
    )
  }
  if (unprovable.expired > 0) {
    limits.push(
      `${unprovable.expired} delivered reports can't be looked at: their topic begins behind them now, by its own retention or because records were deleted, or it is gone${met.gone.length > 0 ? ` (${met.gone.join(', ')})` : ''}.`,
    )
  }
  if (unprovable.compacted > 0) {
    limits.push(
      `${unprovable.compacted} delivered reports are not there, in topics that are compacted (${met.compacted.join(', ')}): a later record of their key may have replaced them.`,
    )
  }
  if (met.unknownPolicy.length > 0) {
    limits.push(
      `Whether these topics are compacted may not be asked: ${met.unknownPolicy.join(', ')}. If one is, a missing record may have been replaced.`,
    )
  }
  if (failed.unprovable > 0) {
    limits.push(`${failed.unprovable} failed reports may have had dead letters that have expired.`)
  }
  for (const place of met.blocked) {
    limits.push(
      `A transaction is open, so that nothing behind it can be read, by consumers either: ${place}.`,
    )
  }
  if (readOn !== undefined) {
    limits.push('Doubled records were looked for only as far as --read-on says.')
  }
  if (met.strays.left > 0) {
    limits.push(`${met.strays.left} records more could not be looked for in the ledger.`)
  }
  if (met.strays.older > 0) {
    limits.push(`${met.strays.older} records are older than what the ledger still has.`)
  }
  return limits
}

function storeLimits(
  store: Extract<Result['store'], { status: 'checked' }>,
  envelopes: number,
): string[] {
  const limits: string[] = []
  if (store.compared < envelopes) {
    limits.push(
      'A look-up says that there is an outcome, not which: that it is that of the ledger is known only where the receipt is.',
    )
  }
  if (store.expired > 0) {
    limits.push(
      `${store.expired} outcomes are not in the status store, which keeps them ${STATUS_ROW_MS / DAY_MS} days.`,
    )
  }
  if (store.silent > 0) {
    limits.push(`For ${store.silent} envelopes the status store did not answer.`)
  }
  return limits
}
