/**
 * The one way into Edgehub: every accepting route ends here. Mints the receipt, builds the envelope, sends it to its shard's queue, and
 * answers only after the queue took it. Large envelopes put their records into the object store first, so a POST is never half
 * accepted.
 */
import type { EnvelopeRecords, EnvelopeId, Receipt, ShardCount } from '#contract'
import type { Task } from './registry/directory.ts'
import type { Rejection } from './rejection.ts'

export interface Acceptance {
  status: 'accepted'
  id: EnvelopeId
  /** Unix ms. */
  received: number
  count: number
  receipt: Receipt
}

export type AcceptResult = Acceptance | { status: 'rejected'; rejection: Rejection }

export interface AcceptInput {
  task: Task
  records: EnvelopeRecords
  traceparent?: string
}

export type { ShardCount }
