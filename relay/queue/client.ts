/**
 * One queue over Cloudflare's HTTP pull API. It pulls, acks and gives back; it knows no envelopes. Every call has a time limit, and an
 * answer that is not the documented one is an error, never an empty pull.
 */
import type { Pool } from 'undici'
import type * as z from 'zod'
import { MAX_PULL_MESSAGES, MAX_RETRY_DELAY_SECONDS } from '#contract'
import { AckResponse, ErrorResponse, PullResponse } from './wire.ts'

export interface Lease {
  leaseId: string
  /** The queue's own id of the message. */
  messageId: string
  /** Text stays text: it is what the envelope is parsed from. */
  body: string | Buffer
  attempts: number
  /** When the queue took the message, Unix ms. */
  queued: number
}

export interface QueueClient {
  /** At most `limit` messages, 1 to 100. @throws QueueError */
  pull(limit: number): Promise<Lease[]>
  /** Acks, and gives back with a delay. @throws QueueError */
  settle(
    acks: readonly string[],
    retries: readonly { leaseId: string; delaySeconds: number }[],
  ): Promise<void>
}

export interface QueueClientOptions {
  pool: Pool
  accountId: string
  queueId: string
  token: string
  /** How long a pulled message is kept from others, ms. */
  leaseMs: number
  /** Longest wait for an answer. */
  timeoutMs?: number
}

export class QueueError extends Error {
  override readonly name = 'QueueError'
  readonly status: number | undefined
  /** The server's Retry-After, ms. */
  readonly retryAfterMs: number | undefined
  constructor(
    message: string,
    options: { status?: number; retryAfterMs?: number | undefined; cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause })
    this.status = options.status
    this.retryAfterMs = options.retryAfterMs
  }
}

const CALL_TIMEOUT_MS = 15_000
/** An answer that comes drop by drop is given up after so many times the limit for silence. */
const WHOLE_CALL = 4

export function createQueueClient({
  pool,
  accountId,
  queueId,
  token,
  leaseMs,
  timeoutMs = CALL_TIMEOUT_MS,
}: QueueClientOptions): QueueClient {
  const path = `/client/v4/accounts/${accountId}/queues/${queueId}/messages`

  async function call<T>(name: 'pull' | 'ack', body: unknown, schema: z.ZodType<T>): Promise<T> {
    let status: number
    let text: string
    let retryAfter: string | undefined
    try {
      const response = await pool.request({
        method: 'POST',
        path: `${path}/${name}`,
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(timeoutMs * WHOLE_CALL),
        headersTimeout: timeoutMs,
        bodyTimeout: timeoutMs,
      })
      status = response.statusCode
      retryAfter = response.headers['retry-after']?.toString()
      text = await response.body.text()
    } catch (cause) {
      throw new QueueError(`${name}: the queue API can't be reached`, { cause })
    }
    const json = parseJson(text)
    if (status !== 200) {
      const said = ErrorResponse.safeParse(json)
        .data?.errors.map((e) => `${e.message} (${e.code ?? '-'})`)
        .join(', ')
      const retryAfterMs =
        retryAfter !== undefined && /^\d+$/.test(retryAfter) ? Number(retryAfter) * 1000 : undefined
      throw new QueueError(`${name}: the queue API answers ${status}${said ? `, ${said}` : ''}`, {
        status,
        retryAfterMs,
      })
    }
    const parsed = schema.safeParse(json)
    if (!parsed.success) {
      throw new QueueError(`${name}: the queue API answers something else than documented`, {
        status,
        cause: parsed.error,
      })
    }
    return parsed.data
  }

  return {
    async pull(limit) {
      const { result } = await call(
        'pull',
        { batch_size: Math.min(limit, MAX_PULL_MESSAGES), visibility_timeout_ms: leaseMs },
        PullResponse,
      )
      return result.messages.map((message): Lease => ({
        leaseId: message.lease_id,
        messageId: message.id,
        body: isPlain(message.metadata) ? message.body : Buffer.from(message.body, 'base64'),
        attempts: message.attempts,
        queued: message.timestamp_ms,
      }))
    },
    async settle(acks, retries) {
      // One call takes 100 leases, acks and retries together.
      const all = [
        ...acks.map((leaseId) => ({ lease_id: leaseId })),
        ...retries.map(({ leaseId, delaySeconds }) => ({
          lease_id: leaseId,
          delay_seconds: Math.min(Math.ceil(delaySeconds), MAX_RETRY_DELAY_SECONDS),
        })),
      ]
      for (let from = 0; from < all.length; from += MAX_PULL_MESSAGES) {
        const part = all.slice(from, from + MAX_PULL_MESSAGES)
        const body = {
          acks: part.filter((entry) => !('delay_seconds' in entry)),
          retries: part.filter((entry) => 'delay_seconds' in entry),
        }
        await call('ack', body, AckResponse)
      }
    },
  }
}

function isPlain(metadata: Record<string, unknown> | undefined): boolean {
  return metadata?.['CF-Content-Type'] === 'text'
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
