import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, beforeEach, describe, it, vi } from 'vitest'
import { createTestHarness } from 'wrangler'
import { createQueuePullServer } from '../../../dev/queue-pull/node/memory-server.ts'
import { LOCAL_ACCOUNT_ID, LOCAL_QUEUES } from '../../../dev/queue-pull/queues.ts'
import { queueClient, shardClients, TOKEN, type QueueClient } from './client.ts'

/** Two workers are built; on a loaded machine that is not quick. */
const START_TIMEOUT_MS = 60_000
/** For what happens soon, but not when. */
const SOON = { timeout: 10_000, interval: 20 }

const configPath = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

function createHarness() {
  return createTestHarness({
    workers: [
      {
        configPath: configPath('../../../dev/queue-pull/wrangler.toml'),
        secrets: { QUEUE_TOKEN: TOKEN },
      },
      { configPath: configPath('./edgehub-stub/wrangler.toml') },
    ],
  })
}

const hosts = {
  'the server in memory': async () => {
    const server = await createQueuePullServer({ token: TOKEN })
    return { url: server.url, close: () => server.close() }
  },
  workerd: async () => {
    const harness = createHarness()
    const { url } = await harness.listen()
    return { url: url.origin, close: () => harness.close() }
  },
}

describe.each(Object.entries(hosts))('the pull API on %s', (_, start) => {
  let close: () => Promise<void>
  let origin: string
  let queue: QueueClient
  let deadLetter: QueueClient

  beforeAll(async () => {
    const host = await start()
    close = host.close
    origin = host.url
    ;({ queue, deadLetter } = shardClients(origin, 3))
  }, START_TIMEOUT_MS)

  afterAll(() => close())

  beforeEach(async () => {
    await queue.control('settings', { body: { maxRetries: 100 } })
    for (const each of [queue, deadLetter]) {
      await each.pause(false)
      await each.control('faults', { method: 'DELETE' })
      await empty(each)
    }
  })

  it('a pull shows a message as documented', async ({ expect }) => {
    const before = Date.now()
    const [id] = await queue.push({ body: 'hällo' })
    const { message_backlog_count, metadata, messages } = await queue.pull()
    expect(message_backlog_count).toBe(1)
    expect(metadata.metrics).toMatchObject({ backlog_count: 1, backlog_bytes: 6 })
    expect(messages).toHaveLength(1)
    expect(messages[0]).toMatchObject({
      id,
      body: 'hällo',
      attempts: 1,
      metadata: { 'CF-Content-Type': 'text' },
    })
    expect(messages[0]?.timestamp_ms).toBeGreaterThanOrEqual(before)
    expect(metadata.metrics.oldest_message_timestamp_ms).toBe(messages[0]?.timestamp_ms)
  })

  it('json and bytes arrive in base64, text as it is', async ({ expect }) => {
    await queue.push(
      { body: '{"a":"ü"}', contentType: 'json' },
      { body: '/wA=', contentType: 'bytes' },
      { body: 'no json {', contentType: 'text' },
    )
    const bodies = (await queue.pull()).messages.map((m) => [m.metadata['CF-Content-Type'], m.body])
    expect(bodies).toEqual([
      ['json', Buffer.from('{"a":"ü"}').toString('base64')],
      ['bytes', '/wA='],
      ['text', 'no json {'],
    ])
  })

  it('an empty queue answers with no messages', async ({ expect }) => {
    expect(await queue.pull()).toMatchObject({ message_backlog_count: 0, messages: [] })
  })

  it('a pull takes at most its batch size, and five without one', async ({ expect }) => {
    await queue.push(...Array.from({ length: 12 }, (_, i) => ({ body: `${i}` })))
    expect((await queue.pull({ batch_size: 2 })).messages.map((m) => m.body)).toEqual(['0', '1'])
    expect((await queue.pull('')).messages).toHaveLength(5)
    expect((await queue.pull({})).messages).toHaveLength(5)
    expect((await queue.pull({})).messages).toHaveLength(0)
  })

  it('a leased message is invisible until its lease ends, then counts one more attempt', async ({
    expect,
  }) => {
    const [id] = await queue.push({ body: 'x' })
    await queue.pull()
    expect((await queue.pull()).messages).toEqual([])
    expect((await queue.state()).queue).toMatchObject({ leased: 1, ready: 0 })
    expect(await queue.control('expire')).toEqual({ expired: 1 })
    expect((await queue.state()).queue).toMatchObject({ leased: 0, ready: 1 })
    expect((await queue.pull()).messages).toMatchObject([{ id, attempts: 2 }])
  })

  it('a visibility timeout of zero ends the lease at once', async ({ expect }) => {
    await queue.push({ body: 'x' })
    await queue.pull({ batch_size: 1, visibility_timeout_ms: 0 })
    expect((await queue.pull()).messages).toMatchObject([{ attempts: 2 }])
  })

  it('an acked message never comes back', async ({ expect }) => {
    await queue.push({ body: 'x' }, { body: 'y' })
    const [x] = await leases(queue)
    expect(await queue.ack([x ?? ''])).toEqual({ ackCount: 1, retryCount: 0, warnings: {} })
    await queue.control('expire')
    expect((await queue.pull()).messages).toMatchObject([{ body: 'y' }])
  })

  it('late acks are accepted, from both of two holders', async ({ expect }) => {
    await queue.push({ body: 'x' })
    const [first = ''] = await leases(queue)
    await queue.control('expire')
    const [second = ''] = await leases(queue)
    expect(first).not.toBe(second)
    expect(await queue.ack([first])).toMatchObject({ ackCount: 1, warnings: {} })
    expect(await queue.ack([second])).toMatchObject({ ackCount: 1, warnings: {} })
    expect((await queue.pull()).message_backlog_count).toBe(0)
  })

  it('an unknown lease is a warning beside the leases that count', async ({ expect }) => {
    await queue.push({ body: 'x' })
    const [lease = ''] = await leases(queue)
    const { ackCount, retryCount, warnings } = await queue.ack(
      [lease, 'junk'],
      [{ lease_id: 'jank' }],
    )
    expect({ ackCount, retryCount }).toEqual({ ackCount: 1, retryCount: 0 })
    expect(Object.keys(warnings)).toEqual(['junk', 'jank'])
  })

  it('a retry comes back at once, or after its delay', async ({ expect }) => {
    await queue.push({ body: 'now' }, { body: 'later' })
    const [now = '', later = ''] = await leases(queue)
    const retries = [{ lease_id: now }, { lease_id: later, delay_seconds: 86_400 }]
    expect(await queue.ack([], retries)).toEqual({ ackCount: 0, retryCount: 2, warnings: {} })
    expect((await queue.pull()).messages).toMatchObject([{ body: 'now', attempts: 2 }])
    expect((await queue.state()).queue).toMatchObject({ leased: 1, delayed: 1, ready: 0 })
    // So that the next test finds the queue empty.
    await queue.ack([later])
  })

  it('after its last attempt a message is in the dead-letter queue, and a redrive begins anew', async ({
    expect,
  }) => {
    await queue.control('settings', { body: { maxRetries: 2 } })
    const [byRetry, byExpiry] = await queue.push({ body: 'retried' }, { body: 'expired' })
    await queue.pull()
    await queue.control('expire')
    const [retried = ''] = await leases(queue)
    await queue.ack([], [{ lease_id: retried, delay_seconds: 60 }])
    await queue.control('expire')
    const dead = (await deadLetter.pull()).messages
    expect(new Set(dead.map((m) => m.id))).toEqual(new Set([byRetry, byExpiry]))
    expect(dead.map((m) => m.attempts)).toEqual([1, 1])
    expect((await queue.pull()).message_backlog_count).toBe(0)
    expect(await deadLetter.control('redrive')).toEqual({ moved: 2 })
    const again = (await queue.pull()).messages
    expect(again.map((m) => m.attempts)).toEqual([1, 1])
    expect((await deadLetter.pull()).messages).toEqual([])
  })

  it('a dead letter can be acked and retried by its own leases', async ({ expect }) => {
    await deadLetter.push({ body: 'x' })
    const [first = ''] = await leases(deadLetter)
    await deadLetter.ack([], [{ lease_id: first }])
    const [second = ''] = await leases(deadLetter)
    expect(await queue.ack([second])).toMatchObject({ ackCount: 0 })
    expect(await deadLetter.ack([second])).toMatchObject({ ackCount: 1, warnings: {} })
  })

  it('a paused queue answers 409 to pulls and still takes messages and acks', async ({
    expect,
  }) => {
    await queue.push({ body: 'x' })
    const [lease = ''] = await leases(queue)
    await queue.pause(true)
    const { status, text } = await queue.call(queue.at('messages/pull'), { body: {} })
    expect(status).toBe(409)
    expect(text).toContain('queue_delivery_paused')
    expect(await queue.ack([lease])).toMatchObject({ ackCount: 1 })
    await queue.push({ body: 'y' })
    expect((await deadLetter.pull()).messages).toEqual([])
    await queue.pause(false)
    expect((await queue.pull()).messages).toMatchObject([{ body: 'y' }])
  })

  it('who has no right token, account or queue id is told so', async ({ expect }) => {
    const pull = queue.at('messages/pull')
    const refused = { success: false, result: null }
    expect(await queue.refusal(pull, { token: 'wrong' })).toEqual({
      ...refused,
      status: 403,
      code: 10106,
    })
    expect(await queue.refusal(pull.replace(LOCAL_ACCOUNT_ID, 'other'))).toMatchObject({
      status: 403,
    })
    const unknown = queueClient(origin, { id: 'f'.repeat(32), name: 'unknown' })
    expect(await queue.refusal(unknown.at('messages/pull'))).toMatchObject({
      status: 404,
      code: 10104,
    })
    const named = queueClient(origin, { id: 'edgehub-local-3', name: '' })
    expect(await queue.refusal(named.at('messages/pull'))).toMatchObject({
      status: 400,
      code: 10107,
    })
    expect(await queue.refusal(queue.at('messages/peek'))).toMatchObject({
      status: 404,
      code: 7003,
    })
    const control = `${origin}/__queue-pull/edgehub-local-3/state`
    expect(await queue.refusal(control, { method: 'GET', token: '' })).toMatchObject({
      status: 403,
    })
  })

  it.for([
    ['pull', 'not json', 10207],
    ['pull', [], 10207],
    ['pull', { batch_size: 0 }, 10206],
    ['pull', { batch_size: 101 }, 10206],
    ['pull', { batch_size: 1.5 }, 10206],
    ['pull', { visibility_timeout_ms: 43_200_001 }, 10207],
    ['ack', { acks: ['bare'] }, 10207],
    ['ack', { acks: Array.from({ length: 101 }, () => ({ lease_id: 'x' })) }, 10206],
    ['ack', { retries: [{ lease_id: 'x', delay_seconds: 86_401 }] }, 10202],
    ['ack', { retries: [{ lease_id: 'x', delay_seconds: -1 }] }, 10202],
  ] as const)(
    'a bad %s body %j is refused with code %i',
    async ([operation, body, code], { expect }) => {
      expect(await queue.refusal(queue.at(`messages/${operation}`), { body })).toMatchObject({
        status: 400,
        success: false,
        code,
      })
    },
  )

  it('faults are met in their order, by the named call only, and then no more', async ({
    expect,
  }) => {
    await queue.push({ body: 'x' })
    const order = (fault: object, times = 1, on = 'pull') =>
      queue.control('faults', { body: { on, times, fault } })
    await order({ kind: 'overloaded', retryAfterSeconds: 7 }, 2)
    await order({ kind: 'error' })
    await order({ kind: 'garbage' })
    await order({ kind: 'hang', ms: 1 })
    await order({ kind: 'error' }, 1, 'ack')
    const pull = () => queue.call(queue.at('messages/pull'), { body: {} })
    const first = await pull()
    expect([first.status, first.headers.get('retry-after')]).toEqual([429, '7'])
    expect((await pull()).status).toBe(429)
    expect((await pull()).status).toBe(500)
    const { text } = await pull()
    expect(() => JSON.parse(text) as unknown).toThrow()
    const [lease = ''] = await leases(queue)
    expect(await queue.refusal(queue.at('messages/ack'))).toMatchObject({
      status: 500,
      code: 15000,
    })
    expect(await queue.ack([lease])).toMatchObject({ ackCount: 1 })
  })

  it('an ack whose answer is lost is done all the same', async ({ expect }) => {
    await queue.push({ body: 'x' })
    const [lease_id] = await leases(queue)
    await queue.control('faults', { body: { on: 'ack', fault: { kind: 'lost_answer' } } })
    const body = { acks: [{ lease_id }] }
    expect(await queue.refusal(queue.at('messages/ack'), { body })).toMatchObject({ status: 500 })
    await queue.control('expire')
    expect((await queue.pull()).message_backlog_count).toBe(0)
  })

  it('a hanging pull hangs alone', async ({ expect }) => {
    await queue.control('faults', { body: { on: 'pull', fault: { kind: 'hang', ms: 300_000 } } })
    const gone = new AbortController()
    const hanging = fetch(queue.at('messages/pull'), {
      method: 'POST',
      headers: { authorization: `Bearer ${TOKEN}` },
      signal: gone.signal,
    })
    await vi.waitFor(async () => {
      const state = await queue.control('state', { method: 'GET' })
      expect(state).toMatchObject({ faults: [] })
    }, SOON)
    expect((await queue.pull()).messages).toEqual([])
    gone.abort()
    await expect(hanging).rejects.toThrow()
  })

  it('the log holds everything given, by pages, with the ids of envelopes', async ({ expect }) => {
    const seen = (await queue.log('?limit=10000')).messages.at(-1)?.seq ?? 0
    await queue.push(
      { body: '{"v":1,"id":"AAAAAAAAAAAAAAAA"}' },
      { body: '{"id":"BBBBBBBBBBBBBBBB"}', contentType: 'json' },
      { body: 'garbage' },
    )
    await queue.ack((await leases(queue)).slice(0, 1))
    const { messages: page, next } = await queue.log(`?after=${seen}&limit=2`)
    expect(page.map((m) => [m.envelopeId, m.fate])).toEqual([
      ['AAAAAAAAAAAAAAAA', 'acked'],
      ['BBBBBBBBBBBBBBBB', 'live'],
    ])
    const rest = await queue.log(`?after=${next}&limit=2&bodies=1`)
    expect(rest).toMatchObject({
      messages: [{ envelopeId: null, body: 'garbage', bytes: 7, queue: 'edgehub-local-3' }],
      next: null,
    })
  })

  it('queues are found by name, and described with their settings', async ({ expect }) => {
    const [named, all] = [
      await queue.result(`${queue.api}?name=edgehub-local-3-dlq`, { method: 'GET' }),
      await queue.result(queue.api, { method: 'GET' }),
    ]
    expect(named).toEqual([
      { queue_id: LOCAL_QUEUES[3]?.deadLetter.id, queue_name: 'edgehub-local-3-dlq' },
    ])
    expect(all).toHaveLength(16)
    expect(await queue.result(`${queue.api}/${LOCAL_QUEUES[3]?.id}`, { method: 'GET' })).toEqual({
      queue_id: LOCAL_QUEUES[3]?.id,
      queue_name: 'edgehub-local-3',
      settings: { delivery_paused: false },
    })
  })

  it('metrics count what is not acked', async ({ expect }) => {
    await queue.push({ body: 'four' }, { body: 'x', delaySeconds: 60 })
    const metrics = await queue.result(queue.at('metrics'), { method: 'GET' })
    expect(metrics).toMatchObject({ backlog_count: 2, backlog_bytes: 5 })
    await queue.control('settings', { body: { retentionMs: 1 } })
    await vi.waitFor(async () => {
      expect(await queue.result(queue.at('metrics'), { method: 'GET' })).toMatchObject({
        backlog_count: 0,
        oldest_message_timestamp_ms: 0,
      })
    }, SOON)
    await queue.control('settings', { body: { retentionMs: 345_600_000 } })
  })
})

describe('the simulator in front of the real worker', () => {
  const harness = createHarness()
  let origin: string
  beforeAll(async () => {
    origin = (await harness.listen()).url.origin
  }, START_TIMEOUT_MS)
  afterAll(() => harness.close())

  it.for([
    ['text', '{"id":"AAAAAAAAAAAAAAAA"}', '{"id":"AAAAAAAAAAAAAAAA"}', 0],
    ['json', '{"a":1}', btoa('{"a":1}'), 7],
    ['bytes', 'raw', btoa('raw'), 7],
  ] as const)(
    'a %s message of a producer binding arrives',
    async ([type, sent, got, k], { expect }) => {
      const { queue } = shardClients(origin, k)
      await fetch(`${origin}/send/${k}?contentType=${type}`, { method: 'POST', body: sent })
      const [message] = await vi.waitFor(async () => {
        const { messages } = await queue.pull()
        expect(messages).toHaveLength(1)
        return messages
      }, SOON)
      expect(message).toMatchObject({
        body: got,
        attempts: 1,
        metadata: { 'CF-Content-Type': type },
      })
      await queue.ack([message?.lease_id ?? ''])
    },
  )

  it('every other request reaches the worker unchanged', async ({ expect }) => {
    const url = `${origin}/client/v5?x=%20`
    const response = await fetch(url, { method: 'PUT', body: 'b', headers: { 'x-own': 'h' } })
    expect(await response.json()).toEqual({ method: 'PUT', url, body: 'b', own: 'h' })
  })

  it('messages, leases and pause outlive the object', async ({ expect }) => {
    const { queue, deadLetter } = shardClients(origin, 1)
    await queue.push({ body: 'x' }, { body: 'y' })
    const [lease = ''] = (await queue.pull({ batch_size: 1 })).messages.map((m) => m.lease_id)
    await deadLetter.pause(true)
    await harness.getWorker('edgehub-queue-pull').evictDurableObject('PullQueue', { name: '1' })
    expect(await deadLetter.refusal(deadLetter.at('messages/pull'))).toMatchObject({ status: 409 })
    expect((await queue.pull()).messages).toMatchObject([{ body: 'y', attempts: 1 }])
    expect(await queue.ack([lease])).toMatchObject({ ackCount: 1, warnings: {} })
    expect(await queue.result(queue.at('metrics'), { method: 'GET' })).toMatchObject({
      backlog_count: 1,
    })
  })
})

async function leases(queue: QueueClient): Promise<string[]> {
  return (await queue.pull()).messages.map((message) => message.lease_id)
}

async function empty(queue: QueueClient): Promise<void> {
  await queue.control('expire')
  for (;;) {
    const held = await leases(queue)
    if (held.length === 0) return
    await queue.ack(held)
  }
}
