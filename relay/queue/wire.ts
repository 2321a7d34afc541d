/**
 * Cloudflare's JSON of the HTTP pull API, as far as the relay reads it:
 * https://developers.cloudflare.com/queues/configuration/pull-consumers/
 */
import * as z from 'zod'

export const PulledMessage = z.object({
  id: z.string(),
  /** Plain for content type `text`; base64 for `json` and `bytes`. */
  body: z.string(),
  timestamp_ms: z.number(),
  attempts: z.number(),
  lease_id: z.string(),
  metadata: z.record(z.string(), z.unknown()).optional(),
})
export type PulledMessage = z.infer<typeof PulledMessage>

const ApiProblem = z.object({ code: z.number().optional(), message: z.string() })

export const PullResponse = z.object({
  success: z.literal(true),
  result: z.object({
    message_backlog_count: z.number().optional(),
    messages: z.array(PulledMessage),
  }),
})

export const AckResponse = z.object({
  success: z.literal(true),
  result: z.object({ ackCount: z.number(), retryCount: z.number() }),
})

export const ErrorResponse = z.object({ errors: z.array(ApiProblem) })
