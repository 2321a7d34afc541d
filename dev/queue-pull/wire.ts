/**
 * The HTTP pull API's shapes: requests by zod, answers as Cloudflare writes them. Pure; used alike in workerd and in Node.
 * https://developers.cloudflare.com/api/resources/queues/subresources/messages/
 */
import * as z from 'zod'
import type { AckPlan } from './lease-core.ts'
import { MAX_VISIBILITY_TIMEOUT_MS, type Delivery } from './lease-queue.ts'
import type { Backlog } from './message-store.ts'
import type { QueueName } from './queues.ts'
import { CONTENT_TYPES } from './wire-body.ts'

/** https://developers.cloudflare.com/queues/platform/limits/ */
const MAX_BATCH_MESSAGES = 100
const DEFAULT_BATCH_MESSAGES = 5
const MAX_DELAY_SECONDS = 86_400

export const PullRequest = z.object({
  batch_size: z.int().min(1).max(MAX_BATCH_MESSAGES).default(DEFAULT_BATCH_MESSAGES),
  visibility_timeout_ms: z.int().min(0).max(MAX_VISIBILITY_TIMEOUT_MS).optional(),
})
export type PullRequest = z.infer<typeof PullRequest>

const DelaySeconds = z.int().min(0).max(MAX_DELAY_SECONDS)

export const AckRequest = z
  .object({
    acks: z.array(z.object({ lease_id: z.string() })).default([]),
    retries: z
      .array(z.object({ lease_id: z.string(), delay_seconds: DelaySeconds.default(0) }))
      .default([]),
  })
  // Stricter than what is documented, which bounds the messages of a pull: whoever keeps to it is safe either way.
  .refine(({ acks, retries }) => acks.length + retries.length <= MAX_BATCH_MESSAGES, {
    error: `more than ${MAX_BATCH_MESSAGES} leases`,
    path: ['acks'],
  })
export type AckRequest = z.infer<typeof AckRequest>

export const QueuePatch = z.object({
  settings: z.strictObject({ delivery_paused: z.boolean() }),
})
export type QueuePatch = z.infer<typeof QueuePatch>

/** Of the test switches; `body` is the raw body, base64 for `bytes`. */
export const PushRequest = z.strictObject({
  messages: z
    .array(
      z.strictObject({
        body: z.string(),
        contentType: z.enum(CONTENT_TYPES).default('text'),
        delaySeconds: DelaySeconds.default(0),
      }),
    )
    .min(1),
})
export type PushRequest = z.infer<typeof PushRequest>

export function pullResult(deliveries: readonly Delivery[], backlog: Backlog) {
  return {
    message_backlog_count: backlog.count,
    metadata: { metrics: metrics(backlog) },
    messages: deliveries.map(({ message, attempts, leaseId }) => ({
      id: message.id,
      body: message.body,
      timestamp_ms: message.timestamp,
      attempts,
      lease_id: leaseId,
      metadata: { 'CF-Content-Type': message.contentType },
    })),
  }
}

export function ackResult({ ackCount, retryCount, warnings }: AckPlan) {
  return { ackCount, retryCount, warnings }
}

export function metrics({ count, bytes, oldestTimestamp }: Backlog) {
  return {
    backlog_count: count,
    backlog_bytes: bytes,
    oldest_message_timestamp_ms: oldestTimestamp,
  }
}

export function queueResult({ id, name }: QueueName, settings?: { delivery_paused: boolean }) {
  return { queue_id: id, queue_name: name, ...(settings && { settings }) }
}
