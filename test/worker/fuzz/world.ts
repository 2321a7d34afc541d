/**
 * What the fuzz talks to: the app over real objects of names of their own, so that nothing it makes or deletes meets another test. Queues
 * and relay answer at once, nobody waits, and no rate limit keeps calls from what is behind it; all else is the product.
 */
import { createExecutionContext, waitOnExecutionContext } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import type { LinkAnswer, LinkQuery } from '#contract'
import { createApp } from '../../../worker/app.ts'
import { servicesFor } from '../../../worker/services.ts'

export interface Caller {
  secretId: string
  secretKey: string
  sessionToken?: string
}

export interface World {
  /** Also waits for what goes on behind the answer. */
  fetch: (request: Request) => Promise<Response>
  callers: readonly Caller[]
  /** For the placeholders of requests, by name. */
  names: Readonly<Record<string, string>>
}

export const ADMIN_TOKEN = 'admin-token-of-the-tests'
export const RELAY_TOKEN = 'relay-token-of-the-tests'

const app = createApp((bindings, waitUntil) => ({
  ...servicesFor(bindings, waitUntil),
  rateLimit: { take: () => true },
}))

export async function makeWorld(): Promise<World> {
  const name = crypto.randomUUID()
  const queue = { send: async () => undefined }
  const registry = env.REGISTRY.getByName(`fuzz-${name}`)
  const bindings = {
    ...env,
    ...Object.fromEntries(Array.from({ length: 8 }, (_, k) => [`QUEUE_${k}`, queue])),
    REGISTRY: { getByName: () => registry },
    STATUS: {
      getByName: (shard: string) => impatient(env.STATUS.getByName(`fuzz-${name}-${shard}`)),
    },
    RELAY_LINK: { getByName: () => LINK },
  } as unknown as Env
  const fetch = async (request: Request): Promise<Response> => {
    const context = createExecutionContext()
    const response = await app.fetch(request, bindings, context)
    await waitOnExecutionContext(context)
    return response
  }

  const make = async <T>(
    path: string,
    body: unknown,
    authorization = `Bearer ${ADMIN_TOKEN}`,
  ): Promise<T> => {
    const headers = { Authorization: authorization, 'Content-Type': 'application/json' }
    const init = { method: 'POST', headers, body: JSON.stringify(body) }
    const response = await fetch(new Request(`https://edgehub.test${path}`, init))
    if (!response.ok) throw new Error(`POST ${path}: ${response.status} ${await response.text()}`)
    return response.json<T>()
  }
  const fields = [
    { name: 'n', type: 'INT64' },
    { name: 's', type: 'STRING', allowNull: false },
  ]
  const { schemaId } = await make<{ schemaId: string }>('/v1/schemas', { name: 'checked', fields })
  const spare = await make<{ schemaId: string }>('/v1/schemas', { name: 'spare', fields })
  const task = (of: object): Promise<{ datahubId: string; taskId: string }> =>
    make('/v1/datahubs', { topic: 'orders', ...of })
  const open = await task({ name: 'open' })
  const checked = await task({ name: 'checked', schemaId })
  const victim = await task({ name: 'victim' })
  await registry.applyTargets([
    { topic: 'orders', status: 'fit', partitions: 3, maxMessageBytes: 1_048_588 },
  ])

  const all = { scopes: ['send', 'query', 'manage'] }
  const first = await make<Caller>('/v1/credentials', all)
  const callers = [
    first,
    await make<Caller>('/v1/credentials', { datahubs: [open.datahubId] }),
    await make<Caller>('/v1/credentials', {
      ...all,
      sessionToken: true,
      expires: Date.now() + 3_600_000,
    }),
  ]
  const other = await make<Caller>('/v1/credentials', all)
  const { secretId, secretKey } = first
  const { receipt } = await make<{ receipt: string }>(
    `/v1/datahubs/${open.datahubId}/reports`,
    { reports: [{ value: 'a' }] },
    `Basic ${btoa(`${secretId}:${secretKey}`)}`,
  )
  const names = {
    '@datahub': open.datahubId,
    '@checked': checked.datahubId,
    '@victim': victim.datahubId,
    '@task': victim.taskId,
    '@secretId': other.secretId,
    '@schemaId': schemaId,
    '@spare': spare.schemaId,
    '@receipt': receipt,
    '@instance': env.INSTANCE_ID,
  }
  return { fetch, callers, names }
}

/** Nobody waits: a long poll is no hang. */
function impatient(shard: ReturnType<Env['STATUS']['getByName']>) {
  return {
    put: (rows: Parameters<typeof shard.put>[0]) => shard.put(rows),
    get: (ids: string[]) => shard.get(ids),
    has: (ids: string[]) => shard.has(ids),
    wait: (id: string) => shard.wait(id, 0),
  }
}

/** A relay that finds everything, in the forms that there are. */
const LINK = {
  fetch: async () => new Response(null, { status: 204 }),
  ask: async (query: LinkQuery) => ({ status: 'answered', answer: answerOf(query) }),
  watchTargets: async () => undefined,
  wake: async () => undefined,
}

function answerOf(query: LinkQuery): LinkAnswer {
  const record = {
    partition: 0,
    offset: '7',
    timestamp: 1_704_790_596_000,
    bytes: 4,
    key: null,
    value: 'ab',
  }
  switch (query.op) {
    case 'record':
      return Number(query.offset) % 2 === 0
        ? {
            status: 'record',
            record: { ...record, partition: query.partition, offset: query.offset },
          }
        : { status: 'absent', reason: 'expired', start: '0', end: '9' }
    case 'records_by_offset':
      return query.partition > 2
        ? { status: 'failed', reason: 'partition_not_found', problem: '' }
        : { status: 'records', records: [record] }
    case 'records_by_time':
      return { status: 'records', records: [record], next: [{ partition: 0, offset: '8' }] }
    case 'topics':
      return { status: 'topics', topics: [{ name: 'orders', partitions: 3, replicas: 3 }] }
    case 'topic': {
      const partitionStates = [
        { partition: 0, leader: 1, replicas: 3, inSync: 3, start: '0', end: '9' },
      ]
      const topic = { name: query.topic, partitions: 1, replicas: 3, partitionStates }
      return { status: 'topic', topic }
    }
    case 'cluster':
      return { status: 'cluster', clusterId: 'c', brokers: 3 }
  }
}
