/** What the relay posts to the worker, and what the worker answers. */
import * as z from 'zod/mini'
import { EnvelopeId } from './envelope-id.ts'
import { MAX_LOOKUP_IDS } from './limits.ts'
import { Outcome } from './outcome.ts'

export const SettledEnvelope = z.strictObject({ id: EnvelopeId, outcome: Outcome })
export type SettledEnvelope = z.infer<typeof SettledEnvelope>

/** `POST /internal/outcomes` */
export const OutcomesRequest = z.strictObject({
  outcomes: z.array(SettledEnvelope).check(z.minLength(1)),
})
export type OutcomesRequest = z.infer<typeof OutcomesRequest>

/** The ids whose outcome the status store now holds, this one or an earlier one. Only those may be acked. */
export const OutcomesResponse = z.object({ taken: z.array(EnvelopeId) })
export type OutcomesResponse = z.infer<typeof OutcomesResponse>

/** `POST /internal/lookups`: which of these envelopes have an outcome? */
export const LookupsRequest = z.strictObject({
  ids: z.array(EnvelopeId).check(z.minLength(1), z.maxLength(MAX_LOOKUP_IDS)),
})
export type LookupsRequest = z.infer<typeof LookupsRequest>

/**
 * Each id at most once. An id whose status shard does not answer is in neither list: not being found is no evidence, only `absent` is.
 */
export const LookupsResponse = z.object({
  /** They durably have an outcome. */
  found: z.array(EnvelopeId),
  /** They had none when they were looked up. */
  absent: z.array(EnvelopeId),
})
export type LookupsResponse = z.infer<typeof LookupsResponse>
