/** The pull API as a test calls it: one queue of one simulator, answers unparsed enough to look at. */
import * as z from 'zod'
import { LOCAL_ACCOUNT_ID, LOCAL_QUEUES, type QueueName } from '../../../dev/queue-pull/queues.ts'

export const TOKEN = 'test-queue-token'

const Answer = z.object({
  success: z.boolean(),
  errors: z.array(z.object({ code: z.number(), message: z.string() })),
  messages: z.array(z.unknown()),
  result: z.unknown(),
})

const Pulled = z.strictObject({
  message_backlog_count: z.int(),
  metadata: z.strictObject({
    metrics: z.strictObject({
      backlog_count: z.int(),
      backlog_bytes: z.int(),
      oldest_message_timestamp_ms: z.int(),
    }),
  }),
  messages: z.array(
    z.strictObject({
      id: z.string().regex(/^[0-9a-f]{32}$/),
      body: z.string(),
      timestamp_ms: z.int(),
      attempts: z.int().min(1),
      lease_id: z.string(),
      metadata: z.strictObject({ 'CF-Content-Type': z.enum(['text', 'json', 'bytes']) }),
    }),
  ),
})

const Acked = z.strictObject({
  ackCount: z.int(),
  retryCount: z.int(),
  warnings: z.record(z.string(), z.string()),
})

const Counts = z.strictObject({
  ready: z.int(),
  leased: z.int(),
  delayed: z.int(),
  acked: z.int(),
  dropped: z.int(),
})
const State = z.object({ queue: Counts, deadLetter: Counts })

const Log = z.object({
  messages: z.array(
    z.object({
      seq: z.int(),
      id: z.string(),
      envelopeId: z.string().nullable(),
      bytes: z.int(),
      queue: z.string(),
      fate: z.enum(['live', 'acked', 'dropped']),
      body: z.string().optional(),
    }),
  ),
  next: z.int().nullable(),
})

export interface CallOptions {
  method?: string
  body?: unknown
  token?: string
}

async function call(url: string, { method = 'POST', body, token = TOKEN }: CallOptions = {}) {
  const response = await fetch(url, {
    method,
    headers: { authorization: `Bearer ${token}` },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  const text = await response.text()
  return { status: response.status, headers: response.headers, text }
}

export function queueClient(origin: string, queue: QueueName) {
  const api = `${origin}/client/v4/accounts/${LOCAL_ACCOUNT_ID}/queues`

  async function result(url: string, options?: CallOptions): Promise<unknown> {
    const { status, text } = await call(url, options)
    const answer = Answer.parse(JSON.parse(text))
    if (status !== 200 || !answer.success) throw new Error(`${status} ${text}`)
    return answer.result
  }

  const control = (name: string, options?: CallOptions) =>
    result(`${origin}/__queue-pull/${queue.name}/${name}`, options)

  return {
    api,
    call,
    result,
    control,
    at: (operation: string) => `${api}/${queue.id}/${operation}`,
    /** Status and first error code. */
    async refusal(url: string, options?: CallOptions) {
      const { status, text } = await call(url, options)
      const { success, errors, result } = Answer.parse(JSON.parse(text))
      return { status, success, code: errors[0]?.code, result }
    },
    pull: async (body: unknown = { batch_size: 100 }) =>
      Pulled.parse(await result(`${api}/${queue.id}/messages/pull`, { body })),
    ack: async (acks: string[], retries: { lease_id: string; delay_seconds?: number }[] = []) =>
      Acked.parse(
        await result(`${api}/${queue.id}/messages/ack`, {
          body: { acks: acks.map((lease_id) => ({ lease_id })), retries },
        }),
      ),
    pause: (delivery_paused: boolean) =>
      result(`${api}/${queue.id}`, { method: 'PATCH', body: { settings: { delivery_paused } } }),
    push: async (...messages: { body: string; contentType?: string; delaySeconds?: number }[]) =>
      z.object({ ids: z.array(z.string()) }).parse(await control('push', { body: { messages } }))
        .ids,
    state: async () => State.parse(await control('state', { method: 'GET' })),
    log: async (query = '') => Log.parse(await control(`log${query}`, { method: 'GET' })),
  }
}
export type QueueClient = ReturnType<typeof queueClient>

/** The queue and the dead-letter queue of local shard `k`. */
export function shardClients(origin: string, k: number) {
  const shard = LOCAL_QUEUES[k]
  if (!shard) throw new Error(`no local shard ${k}`)
  return { queue: queueClient(origin, shard), deadLetter: queueClient(origin, shard.deadLetter) }
}
