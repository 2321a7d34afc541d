/**
 * The app over real objects and storage, with queues that record; any binding can be replaced by a failing one. Every answer is held
 * against its description in OpenAPI.
 */
import { createExecutionContext } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { decodeEnvelope, type Envelope } from '#contract'
import { createApp } from '../../../worker/app.ts'
import { REGISTRY_NAME } from '../../../worker/registry/registry.ts'
import { servicesFor } from '../../../worker/services.ts'
import { expectDescribed } from './described.ts'

export const ADMIN = { Authorization: 'Bearer admin-token-of-the-tests' }
export const RELAY = { Authorization: 'Bearer relay-token-of-the-tests' }

export interface Sent {
  shard: number
  text: string
  options: unknown
}

export interface TestClient {
  sent: Sent[]
  bindings: Env
  fetch: (path: string | Request, init?: RequestInit) => Promise<Response>
  post: (path: string, body: unknown, headers?: Record<string, string>) => Promise<Response>
}

export function testClient(overrides: Record<string, unknown> = {}): TestClient {
  const sent: Sent[] = []
  const queue = (shard: number): unknown => ({
    async send(text: string, options: unknown): Promise<void> {
      sent.push({ shard, text, options })
    },
  })
  const queues = Object.fromEntries(
    Array.from({ length: 8 }, (_, shard) => [`QUEUE_${shard}`, queue(shard)]),
  )
  const bindings = { ...env, ...queues, ...overrides } as Env
  const app = createApp(servicesFor)
  const fetch = async (path: string | Request, init: RequestInit = {}): Promise<Response> => {
    const [method, url] =
      typeof path === 'string' ? [init.method ?? 'GET', path] : [path.method, path.url]
    const response = await app.request(path, init, bindings, createExecutionContext())
    await expectDescribed(method, url, response)
    return response
  }
  return {
    sent,
    bindings,
    fetch,
    post: (path, body, headers = {}) =>
      fetch(path, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', ...headers },
        body: JSON.stringify(body),
      }),
  }
}

export interface Access {
  datahub: string
  headers: { Authorization: string }
  secretId: string
  secretKey: string
}

/** As a relay does that has found the topic. */
export async function confirmTarget(topic: string): Promise<void> {
  const registry = env.REGISTRY.getByName(REGISTRY_NAME)
  await registry.applyTargets([{ topic, status: 'fit', partitions: 3, maxMessageBytes: 1_048_588 }])
}

let made = 0

/** A task and a credential, made over the API. */
export async function makeAccess(
  client: TestClient,
  credential: { scopes?: string[]; datahubs?: unknown } = {},
): Promise<Access> {
  const name = `task-${made++}-${crypto.randomUUID().slice(0, 8)}`
  const task = await client.post('/v1/datahubs', { name, topic: 'orders' }, ADMIN)
  const { datahubId } = await task.json<{ datahubId: string }>()
  await confirmTarget('orders')
  const answer = await client.post('/v1/credentials', credential, ADMIN)
  const { secretId, secretKey } = await answer.json<{ secretId: string; secretKey: string }>()
  const headers = { Authorization: `Basic ${btoa(`${secretId}:${secretKey}`)}` }
  return { datahub: datahubId, headers, secretId, secretKey }
}

export function envelopeOf(sent: Sent | undefined): Envelope {
  const decoded = decodeEnvelope(sent?.text ?? '')
  if (decoded.status !== 'ok') throw new Error(`not an envelope: ${sent?.text}`)
  return decoded.envelope
}

/** A promise that its test settles. */
export function latch<T = void>(): { promise: Promise<T>; open: (value: T) => void } {
  const { promise, resolve } = Promise.withResolvers<T>()
  return { promise, open: resolve }
}
