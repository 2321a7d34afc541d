/**
 * The ledger record: one in each transaction of the relay, in the ledger partition of its shard. A `batch` says which envelopes the
 * transaction put into Kafka and where; it holds enough to settle again without the data. A `claim` marks where a relay took over.
 */
import * as z from 'zod'
import { EnvelopeId } from './envelope-id.ts'
import { Outcome } from './outcome.ts'

export const LedgerRecord = z.union([
  z.strictObject({ v: z.literal(1), claim: z.strictObject({ relay: z.string(), at: z.int() }) }),
  z.strictObject({
    v: z.literal(1),
    batch: z.array(z.tuple([EnvelopeId, Outcome])),
    /** Queue messages that are no envelopes and went to the dead letters raw, by the queue's message id. */
    raw: z.array(z.string().max(64)).optional(),
  }),
])
export type LedgerRecord = z.infer<typeof LedgerRecord>

export function encodeLedgerRecord(record: LedgerRecord): string {
  return JSON.stringify(record)
}

/** @throws when it is no ledger record: a shard whose ledger can't be read must not send */
export function decodeLedgerRecord(text: string): LedgerRecord {
  return LedgerRecord.parse(JSON.parse(text))
}
