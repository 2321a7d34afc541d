/** What the relay posts to the worker, and what the worker answers. */
import * as z from 'zod'
import { EnvelopeId } from './envelope-id.ts'
import { Outcome } from './outcome.ts'

export const SettledEnvelope = z.strictObject({ id: EnvelopeId, outcome: Outcome })
export type SettledEnvelope = z.infer<typeof SettledEnvelope>

/** `POST /internal/outcomes` */
export const OutcomesRequest = z.strictObject({ outcomes: z.array(SettledEnvelope).min(1) })
export type OutcomesRequest = z.infer<typeof OutcomesRequest>

/** The ids whose outcome the status store now holds, this one or an earlier one. Only those may be acked. */
export const OutcomesResponse = z.object({ taken: z.array(EnvelopeId) })
export type OutcomesResponse = z.infer<typeof OutcomesResponse>
