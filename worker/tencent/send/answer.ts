/**
 * What SendMessage answers for an accepted envelope (docs/http-api.md). Pure. The answer has no slot for one message's
 * error, so a batch that failed in part fails as a whole, naming which. No outcome in time is a success with pending ids: the reports
 * are durably queued, and an error would make clients send them again.
 */
import {
  formatMessageId,
  formatPendingMessageId,
  unpackRuns,
  type Outcome,
  type Receipt,
  type ReportOutcome,
} from '#contract'
import type { Acceptance } from '../../accept.ts'
import type { Task } from '../../registry/directory.ts'
import type { TencentError } from '../error.ts'

export type SendAnswer =
  | { status: 'sent'; messageIds: string[] }
  | { status: 'failed'; error: TencentError }

/** For an outcome that is there. */
export function answerOfOutcome(acceptance: Acceptance, outcome: Outcome): SendAnswer {
  const { datahub, topic, received, sent } = outcome
  const reports = unpackRuns(outcome.runs)
  const messageIds: string[] = []
  for (const report of reports) {
    if (report.status === 'failed') {
      return { status: 'failed', error: failureOf(acceptance, reports) }
    }
    const { partition, offset } = report
    messageIds.push(formatMessageId({ datahub, topic, partition, offset, received, sent }))
  }
  return { status: 'sent', messageIds }
}

/** For an outcome that did not come within the hold: one receipt for each report, in order. */
export function answerOfPending(
  acceptance: Acceptance,
  { datahub, topic }: Pick<Task, 'datahub' | 'topic'>,
  receipts: readonly Receipt[],
): SendAnswer {
  const { received } = acceptance
  const messageIds = receipts.map((receipt) =>
    formatPendingMessageId({ datahub, topic, received }, receipt),
  )
  return { status: 'sent', messageIds }
}

function failureOf(
  { count, receipt }: Acceptance,
  reports: readonly ReportOutcome[],
): TencentError {
  const byReason = new Map<string, number[]>()
  let delivered = 0
  for (const [i, report] of reports.entries()) {
    if (report.status === 'delivered') {
      delivered++
      continue
    }
    const indexes = byReason.get(report.reason)
    if (indexes) indexes.push(i)
    else byReason.set(report.reason, [i])
  }
  const reasons = [...byReason].map(([reason, indexes]) => `${reason} (Message ${ranges(indexes)})`)
  return {
    code: 'FailedOperation',
    message: `${count - delivered} of ${count} messages failed, ${delivered} were delivered: ${reasons.join(', ')}. Receipt: ${receipt}`,
  }
}

/** Ascending indexes as `0, 3-5`. */
function ranges(indexes: readonly number[]): string {
  const runs: [first: number, last: number][] = []
  for (const index of indexes) {
    const run = runs.at(-1)
    if (run && run[1] === index - 1) run[1] = index
    else runs.push([index, index])
  }
  return runs.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(', ')
}
