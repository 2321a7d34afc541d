/**
 * The ledger record: one in each transaction of the relay, in the ledger partition of its shard. A `batch` says which envelopes the
 * transaction put into Kafka and where; it holds enough to settle again without the data. A `claim` marks where a relay took over.
 */
import * as z from 'zod/mini'
import { EnvelopeId } from './envelope-id.ts'
import { Outcome } from './outcome.ts'
import { reader } from './reader.ts'

export const LedgerRecord = z.union([
  z.strictObject({ v: z.literal(1), claim: z.strictObject({ relay: z.string(), at: z.int() }) }),
  z.strictObject({
    v: z.literal(1),
    batch: z.array(z.tuple([EnvelopeId, Outcome])),
    /** Queue messages that are no envelopes and went to the dead letters raw, by the queue's message id. */
    raw: z.optional(z.array(z.string().check(z.maxLength(64)))),
  }),
])
export type LedgerRecord = z.infer<typeof LedgerRecord>

export function encodeLedgerRecord(record: LedgerRecord): string {
  return JSON.stringify(record)
}

/** @throws when it is no ledger record: a shard whose ledger can't be read must not send */
export function decodeLedgerRecord(text: string): LedgerRecord {
  return readable().parse(JSON.parse(text))
}

const readable = /* @__PURE__ */ reader(LedgerRecord)
