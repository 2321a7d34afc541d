/** An audit's result for people, and for programs. Pure. */
import { formatRows, isoTime, onOneLine } from '../operator/text.ts'
import { sumOf, type Amount, type Result } from './result.ts'

export function showResult(result: Result, limit: number): string[] {
  const { scope, at } = result
  return [
    `${scope.datahub}, accepted from ${isoTime(scope.from)} until ${isoTime(scope.to)}; as of ${isoTime(at)}`,
    '',
    ...table(result),
    '',
    ...showDifferences(result, limit),
    equation(result),
    '',
    "Can't prove:",
    ...result.limits.map((limit) => `- ${onOneLine(limit)}`),
  ]
}

const NONE = ''

function table({ ledger, delivered, failed, queued, lost, store }: Result): string[] {
  const row = (what: string, envelopes: number | string, reports: number | string) => [
    what,
    String(envelopes),
    String(reports),
  ]
  const amount = (what: string, { envelopes, reports }: Amount) => row(what, envelopes, reports)
  const rows = [
    row('', 'envelopes', 'reports'),
    amount('in the ledger', ledger),
    row('  delivered: in the topic, where the ledger says', NONE, delivered.inTopic),
    row('  delivered: not there', NONE, delivered.missing),
    row("  delivered: can't be looked at any more", NONE, delivered.unprovable),
    row('  failed: with a dead letter', NONE, failed.withLetter),
    row('  failed: without', NONE, failed.missing),
    row("  failed: can't be looked at any more", NONE, failed.unprovable),
    ...queueRows(queued, lost).map(([what, envelopes, reports]) => row(what, envelopes, reports)),
  ]
  const isChecked = store.status === 'checked'
  const found = isChecked ? store.found : 'not checked'
  rows.push(row('with an outcome in the status store', found, NONE))
  if (isChecked) {
    rows.push(row('  without', store.absent, NONE))
    if (store.expired > 0) rows.push(row('  expired there', store.expired, NONE))
    if (store.silent > 0) rows.push(row('  that it did not answer for', store.silent, NONE))
    if (store.compared > 0) rows.push(row('  compared with their receipts', store.compared, NONE))
  }
  return formatRows(rows, [1, 2])
}

function queueRows(
  queued: Result['queued'],
  lost: Amount,
): [what: string, envelopes: number | string, reports: number | string][] {
  switch (queued.status) {
    case 'known':
      return [
        ['in a queue, and not in the ledger', queued.envelopes, queued.reports],
        ['in neither', lost.envelopes, lost.reports],
      ]
    case 'messages':
      return [['messages in the queues, of all datahubs', queued.messages, NONE]]
    case 'not checked':
      return [['in a queue', 'not checked', NONE]]
  }
}

function showDifferences(result: Result, limit: number): string[] {
  const { differences, differenceCount, envelopesConcerned } = result
  if (differenceCount === 0) return []
  const rows = differences
    .slice(0, limit)
    .map(({ id, what, where }) => [id, what, where].map(onOneLine))
  const more = differenceCount - rows.length
  const many = differenceCount > differences.length ? 'or more ' : ''
  return [
    `${count(differenceCount, 'difference')}, ${envelopesConcerned} ${many}${envelopesConcerned === 1 ? 'envelope' : 'envelopes'}:`,
    ...formatRows(rows),
    ...(more > 0 ? [`and ${more} more; --limit or --json shows them`] : []),
    '',
  ]
}

const count = (n: number, of: string): string => `${n} ${of}${n === 1 ? '' : 's'}`

/** The one line. What waits can't be told apart from what is of others where only the number of messages is known. */
export function equation(result: Result): string {
  const { accepted, delivered, failed, queued } = sumOf(result)
  const { queued: waiting } = result
  const left = accepted - delivered - failed - queued
  const terms = `delivered ${delivered} + failed ${failed}`
  if (left !== 0) {
    return `accepted ${accepted} = ${terms} + queued ${queued} + not accounted for ${left}`
  }
  if (waiting.status === 'known' || (waiting.status === 'messages' && waiting.messages === 0)) {
    return `accepted ${accepted} = ${terms} + queued ${queued}`
  }
  const of = waiting.status === 'messages' ? `${waiting.messages} messages` : 'the queues'
  return `accepted ${accepted} + x = ${terms} + queued x, where x is what ${of} hold of this datahub and time`
}

/** Everything, for programs. */
export function toJson(result: Result): Record<string, unknown> {
  const { scope, at, limits, ...rest } = result
  return {
    datahub: scope.datahub,
    from: isoTime(scope.from),
    to: isoTime(scope.to),
    at: isoTime(at),
    ...sumOf(result),
    differs: result.differenceCount > 0,
    details: rest,
    cannotProve: limits,
  }
}
