/**
 * What a receipt says: pure, from its fields, the outcome if there is one, and the time. The only place that turns an outcome into what
 * a client sees.
 */
import {
  formatMessageId,
  MAX_SEND_AGE_MS,
  RECEIPT_QUEUED_MS,
  summarize,
  unpackRuns,
  type BodyDigest,
  type EnvelopeId,
  type FailureReason,
  type Outcome,
  type ReceiptFields,
  type ReportOutcome,
} from '#contract'

export type MessageView =
  | { status: 'delivered'; messageId: string; partition: number; offset: string }
  | { status: 'failed'; reason: FailureReason }

interface ViewHead {
  receipt: string
  count: number
}

export type ReceiptView = ViewHead &
  (
    | { status: 'queued' | 'expired' }
    | { status: 'delivered' | 'partial' | 'failed'; messages: MessageView[] }
  )

/** @throws when the outcome has fewer reports than the receipt: one of them is not true */
export function viewReceipt(
  receipt: string,
  fields: ReceiptFields,
  outcome: Outcome | undefined,
  now: number,
): ReceiptView {
  const { index, count } = fields
  const age = now - fields.accepted
  if (outcome && sameDigest(outcome, fields)) {
    const reports = unpackRuns(outcome.runs).slice(index, index + count)
    if (reports.length < count) throw new Error('an outcome has fewer reports than its receipt')
    const messages = reports.map((report) => viewReport(report, outcome))
    return { receipt, count, status: summarize(reports), messages }
  }
  if (outcome && age < MAX_SEND_AGE_MS) {
    const conflict = { status: 'failed', reason: 'idempotency_conflict' } as const
    return {
      receipt,
      count,
      status: 'failed',
      messages: Array.from({ length: count }, () => conflict),
    }
  }
  // An old receipt beside another body's row: its own row may have lived and gone. It is as if there were none.
  return { receipt, count, status: age < RECEIPT_QUEUED_MS ? 'queued' : 'expired' }
}

/** The fields of the receipt that was given for the POST whose outcome this is. */
export function receiptFieldsOf(id: EnvelopeId, outcome: Outcome): ReceiptFields {
  const { received, digest, runs } = outcome
  const count = runs.reduce((sum, [length]) => sum + length, 0)
  return { accepted: received, id, index: 0, count, ...(digest && { digest }) }
}

/** Only what can never change may be kept: `expired` may still be answered by a late row, a conflict turns into `queued` by age. */
export function cacheControl(view: ReceiptView): string {
  const conflict =
    'messages' in view &&
    view.messages.some((m) => m.status === 'failed' && m.reason === 'idempotency_conflict')
  return 'messages' in view && !conflict ? 'private, max-age=60' : 'no-store'
}

interface Digested {
  digest?: BodyDigest | undefined
}

/** Of the same body? A receipt has no word for "no digest" but zero, and one body in 2^32 hashes to it. */
export function sameDigest(a: Digested, b: Digested): boolean {
  return (a.digest ?? '00000000') === (b.digest ?? '00000000')
}

function viewReport(report: ReportOutcome, outcome: Outcome): MessageView {
  if (report.status === 'failed') return report
  const { partition, offset } = report
  const { datahub, topic, received, sent } = outcome
  const messageId = formatMessageId({ datahub, topic, partition, offset, received, sent })
  return { status: 'delivered', messageId, partition, offset }
}
