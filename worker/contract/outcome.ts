/**
 * The outcome: the final word on an envelope, one entry for each report, packed as runs. Written into the ledger in the transaction
 * that makes it true, posted to the status store, and shown to whoever holds the receipt.
 */
import * as z from 'zod/mini'
import { BodyDigest } from './envelope.ts'
import { DatahubId } from './names.ts'

/** Why a report is not, and never will be, in its topic. A closed list. */
export const FAILURE_REASONS = [
  /** The broker refuses the record as larger than the topic's `max.message.bytes`. */
  'record_too_large',
  /** The topic does not exist and did not come to exist in time. */
  'topic_not_found',
  /** The relay may not write to the topic. */
  'not_authorized',
  /** The broker refuses the record's content, for example no key on a compacted topic. */
  'invalid_record',
  /** The queue message could not be read as an envelope. */
  'undecodable',
  /** The object with the envelope's records is gone or damaged. */
  'envelope_lost',
  /** It could not be delivered within the time that exactly once can be kept for. */
  'attempts_exhausted',
  /** Another body was delivered under the same idempotency key. */
  'idempotency_conflict',
  /** An operator removed it. */
  'purged',
] as const
export const FailureReason = z.enum(FAILURE_REASONS)
export type FailureReason = z.infer<typeof FailureReason>

export type ReportOutcome =
  | { status: 'delivered'; partition: number; /** Kafka offset, decimal. */ offset: string }
  | { status: 'failed'; reason: FailureReason }

const Offset = z.string().check(z.regex(/^\d{1,19}$/))
const Count = z.int().check(z.minimum(1))

/** `[count, partition, first offset]`: consecutive reports at consecutive offsets; `[count, reason]`: consecutive failures. */
export const Run = z.union([
  z.tuple([Count, z.int().check(z.minimum(0)), Offset]),
  z.tuple([Count, FailureReason]),
])
export type Run = z.infer<typeof Run>

export const Outcome = z.strictObject({
  datahub: DatahubId,
  topic: z.string().check(z.maxLength(249)),
  /** Accept time, Unix ms. */
  received: z.int().check(z.minimum(0)),
  /** When the relay sent it to Kafka, Unix ms. */
  sent: z.int().check(z.minimum(0)),
  digest: z.optional(BodyDigest),
  runs: z.array(Run).check(z.minLength(1)),
})
export type Outcome = z.infer<typeof Outcome>

/** Reports in order → runs. */
export function packRuns(reports: readonly ReportOutcome[]): Run[] {
  const runs: Run[] = []
  let nextOffset = -1n
  for (const report of reports) {
    const last = runs.at(-1)
    if (report.status === 'failed') {
      if (last?.length === 2 && last[1] === report.reason) last[0]++
      else runs.push([1, report.reason])
      continue
    }
    const offset = BigInt(report.offset)
    if (last?.length === 3 && last[1] === report.partition && offset === nextOffset) last[0]++
    else runs.push([1, report.partition, report.offset])
    nextOffset = offset + 1n
  }
  return runs
}

/** Runs → reports in order. */
export function unpackRuns(runs: readonly Run[]): ReportOutcome[] {
  return runs.flatMap((run) =>
    Array.from({ length: run[0] }, (_, i): ReportOutcome =>
      run.length === 2
        ? { status: 'failed', reason: run[1] }
        : {
            status: 'delivered',
            partition: run[1],
            offset: (BigInt(run[2]) + BigInt(i)).toString(),
          },
    ),
  )
}

/** What the reports of an outcome come to, taken together. */
export function summarize(reports: readonly ReportOutcome[]): 'delivered' | 'partial' | 'failed' {
  const delivered = reports.filter((r) => r.status === 'delivered').length
  if (delivered === reports.length) return 'delivered'
  return delivered === 0 ? 'failed' : 'partial'
}
