import { runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { beforeAll, beforeEach, describe, it, vi } from 'vitest'
import {
  importReceiptKey,
  keyedEnvelopeId,
  openReceipt,
  recordCount,
  type Envelope,
  type ReceiptFields,
  type Run,
} from '#contract'
import { REGISTRY_NAME } from '../../../worker/registry/registry.ts'
import {
  envelopeOf,
  latch,
  makeAccess,
  RELAY,
  testClient,
  type Access,
  type TestClient,
} from '../support/client.ts'

let client: TestClient
let access: Access
let receiptKey: CryptoKey
/** Another one for each test. */
let key: string

beforeAll(async () => {
  client = testClient()
  access = await makeAccess(client)
  receiptKey = await importReceiptKey('receipt key of the tests, 32 or more')
})

beforeEach(() => {
  key = crypto.randomUUID()
})

interface Sending {
  via?: TestClient
  to?: string
  as?: Access
  key?: string
  headers?: Record<string, string>
}

function send(body: unknown, more: Sending = {}): Promise<Response> {
  const { via = client, to = access.datahub, as = access } = more
  const headers = { ...as.headers, 'Idempotency-Key': more.key ?? key, ...more.headers }
  return via.post(`/v1/datahubs/${to}/reports`, body, headers)
}

const body = { reports: [{ key: 'k', value: 'hello' }, { value: 'world' }] }
const other = { reports: [{ value: 'something else' }] }

const lastEnvelope = (): Envelope => envelopeOf(client.sent.at(-1))

interface View {
  receipt: string
  status: string
}

async function viewIn(response: Response): Promise<View & ReceiptFields> {
  const view = await response.json<View>()
  const fields = await openReceipt(view.receipt, [receiptKey])
  if (!fields) throw new Error('not a receipt of ours')
  return { ...view, ...fields }
}

/** As the relay does it for the envelope that it delivered. */
async function settle(envelope: Envelope, runs?: Run[]): Promise<void> {
  const { id, datahub, topic, received, digest } = envelope
  const outcome = {
    datahub,
    topic,
    received,
    sent: received + 7,
    ...(digest && { digest }),
    runs: runs ?? [[recordCount(envelope), 3, '41']],
  }
  const response = await client.post('/internal/outcomes', { outcomes: [{ id, outcome }] }, RELAY)
  if (response.status !== 200) throw new Error(await response.text())
}

describe('an idempotency key', () => {
  it('makes the id of the envelope, and the digest of the raw body goes with it', async ({
    expect,
  }) => {
    const response = await send(body)
    expect(response.status).toBe(202)
    const { receipt, id, digest, status, count } = await viewIn(response)
    expect({ status, count }).toEqual({ status: 'queued', count: 2 })
    expect(id).toBe(await keyedEnvelopeId({ datahub: access.datahub, scope: 'api' }, key))
    const raw = new TextEncoder().encode(JSON.stringify(body))
    const sha256 = new Uint8Array(await crypto.subtle.digest('SHA-256', raw))
    expect(digest).toBe(sha256.subarray(0, 4).toHex())
    expect(lastEnvelope()).toMatchObject({ id, digest, receipt })
  })

  it('gives a repeat of what is still queued a receipt of the same envelope', async ({
    expect,
  }) => {
    const first = await viewIn(await send(body, { key: `"${key}"` }))
    const response = await send(body, { key })
    expect(response.status).toBe(202)
    expect(response.headers.has('Idempotent-Replayed')).toBe(false)
    const again = await viewIn(response)
    expect([again.id, again.digest, again.count]).toEqual([first.id, first.digest, first.count])
    expect(lastEnvelope().id).toBe(first.id)
    await settle(lastEnvelope())
    for (const { receipt } of [first, again]) {
      const view = await client.fetch(`/v1/receipts/${receipt}`)
      expect(await view.json()).toMatchObject({ receipt, status: 'delivered' })
    }
  })

  it.for([
    ['a delivery', [[2, 3, '41']], 'delivered'],
    [
      'a partial failure',
      [
        [1, 3, '41'],
        [1, 'record_too_large'],
      ],
      'partial',
    ],
    ['a failure, which is final for its key', [[2, 'topic_not_found']], 'failed'],
  ] as [string, Run[], string][])(
    'replays %s with the receipt of the first caller, and queues nothing',
    async ([, runs, status], { expect }) => {
      const first = await viewIn(await send(body))
      await settle(lastEnvelope(), runs)
      const before = client.sent.length
      for (const headers of [{}, { Prefer: 'wait=10' }]) {
        const response = await send(body, { headers })
        expect(response.status).toBe(200)
        expect(response.headers.get('Idempotent-Replayed')).toBe('true')
        expect(response.headers.get('Location')).toBe(`/v1/receipts/${first.receipt}`)
        expect(response.headers.get('Cache-Control')).toBe('no-store')
        const got = await client.fetch(`/v1/receipts/${first.receipt}`)
        const text = await response.text()
        expect(text).toBe(await got.text())
        expect(JSON.parse(text)).toMatchObject({ receipt: first.receipt, count: 2, status })
      }
      expect(client.sent.length).toBe(before)
    },
  )

  it('with another body is refused once it has its outcome, and nothing is queued', async ({
    expect,
  }) => {
    await send(body)
    await settle(lastEnvelope())
    const before = client.sent.length
    // The same JSON written in another way is another body too.
    const spaced = await client.fetch(`/v1/datahubs/${access.datahub}/reports`, {
      method: 'POST',
      headers: { ...access.headers, 'Content-Type': 'application/json', 'Idempotency-Key': key },
      body: JSON.stringify(body, null, 1),
    })
    for (const response of [spaced, await send(other), await send(other, { key: `"${key}"` })]) {
      expect(response.status).toBe(422)
      expect(response.headers.get('Content-Type')).toBe('application/problem+json')
      expect(response.headers.has('Idempotent-Replayed')).toBe(false)
      expect(await response.json()).toMatchObject({
        type: '/problems/idempotency-key-reused',
        detail: expect.stringContaining('another body'),
      })
    }
    expect(client.sent.length).toBe(before)
  })

  it('with another body before that is queued, and its receipt then says conflict', async ({
    expect,
  }) => {
    const first = await viewIn(await send(body))
    const envelope = lastEnvelope()
    const response = await send(other)
    expect(response.status).toBe(202)
    const second = await viewIn(response)
    expect(second.id).toBe(first.id)
    expect(second.digest).not.toBe(first.digest)

    await settle(envelope)
    const winner = await client.fetch(`/v1/receipts/${first.receipt}`)
    expect(await winner.json()).toMatchObject({ status: 'delivered' })
    const loser = await client.fetch(`/v1/receipts/${second.receipt}`)
    expect(await loser.json()).toEqual({
      receipt: second.receipt,
      count: 1,
      status: 'failed',
      messages: [{ status: 'failed', reason: 'idempotency_conflict' }],
    })
    expect(loser.headers.get('Cache-Control')).toBe('no-store')
  })

  it('sent twice at once is one envelope, twice in the queue', async ({ expect }) => {
    const before = client.sent.length
    const views = await Promise.all(
      [send(body), send(body)].map(async (response) => viewIn(await response)),
    )
    expect(new Set(views.map(({ id }) => id)).size).toBe(1)
    expect(new Set(client.sent.slice(before).map((sent) => envelopeOf(sent).id)).size).toBe(1)
    expect(client.sent.length - before).toBe(2)
  })

  it('is shared by the credentials of a datahub, and not by its neighbours', async ({ expect }) => {
    const neighbour = await makeAccess(client)
    const mine = await viewIn(await send(body))
    const second = await viewIn(await send(body, { as: neighbour }))
    expect(second.id).toBe(mine.id)
    const elsewhere = await viewIn(await send(body, { to: neighbour.datahub }))
    expect(elsewhere.id).not.toBe(mine.id)
  })

  it('makes the same object of the same large POST', async ({ expect }) => {
    const large = { reports: [{ value: 'x'.repeat(100_000) }] }
    const objects = []
    for (const _ of [1, 2]) {
      expect((await send(large)).status).toBe(202)
      const envelope = lastEnvelope()
      objects.push('claim' in envelope ? envelope.claim.object : 'no claim')
    }
    expect(objects[0]).toMatch(/^[\w-]{16}-[0-9a-f]{64}$/)
    expect(objects[1]).toBe(objects[0])
  })

  it('of a paused task still replays, and takes nothing new', async ({ expect }) => {
    const mine = await makeAccess(client)
    await send(body, { as: mine, to: mine.datahub })
    const envelope = lastEnvelope()
    await settle(envelope)
    await runInDurableObject(env.REGISTRY.getByName(REGISTRY_NAME), (_, state) => {
      state.storage.sql.exec('UPDATE tasks SET status = 6 WHERE datahub = ?', mine.datahub)
    })
    // Another isolate, which has not cached the task.
    const via = testClient()
    const replayed = await send(body, { via, as: mine, to: mine.datahub })
    expect(replayed.status).toBe(200)
    expect(await replayed.json()).toMatchObject({ receipt: envelope.receipt })
    const reused = await send(other, { via, as: mine, to: mine.datahub })
    expect(reused.status).toBe(422)
    const fresh = await send(body, { via, as: mine, to: mine.datahub, key: 'fresh' })
    expect(fresh.status).toBe(409)
    expect(via.sent).toEqual([])
  })

  it('is not used up by a POST that is refused', async ({ expect }) => {
    const before = client.sent.length
    expect((await send({ reports: [] })).status).toBe(422)
    expect(client.sent.length).toBe(before)
    expect((await send(body)).status).toBe(202)
    await settle(lastEnvelope())
    // What is wrong in itself is said first.
    const response = await send({ reports: [] })
    expect(await response.json()).toMatchObject({ type: '/problems/invalid-value' })
  })

  it('makes the repeat safe that an unconfirmed accept asks for', async ({ expect }) => {
    const broken = { send: () => Promise.reject(new Error('Queue is overloaded (10250)')) }
    const via = testClient({ QUEUE_0: broken, QUEUE_1: broken })
    const response = await send(body, { via })
    expect(response.status).toBe(503)
    expect(response.headers.get('Retry-After')).toBe('1')
    expect(await response.json()).toMatchObject({
      type: '/problems/not-confirmed',
      detail: expect.stringContaining('same Idempotency-Key is safe'),
    })
  })

  it.for([
    ['an empty key', '""'],
    ['a key too long', 'x'.repeat(256)],
    ['an open quote', '"abc'],
    ['two values', 'a, b'],
    ['a parameter', '"abc";x=1'],
    ['letters beyond ASCII', 'ü'],
    ['nothing', ''],
  ] as const)('is refused with %s, and nothing is queued', async ([, given], { expect }) => {
    const before = client.sent.length
    const response = await send(body, { key: given })
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({
      type: '/problems/invalid-header',
      detail: expect.stringMatching(/^Idempotency-Key: .+\.$/),
    })
    expect(client.sent.length).toBe(before)
  })
})

describe('an idempotency key, while the status store is away,', () => {
  const statusOf = (get: () => Promise<unknown>): Record<string, unknown> => ({
    STATUS: { getByName: () => ({ get }) },
  })

  it.for([
    ['fails', new Error('no shard'), 1],
    ['fails and may be asked again', Object.assign(new Error('reset'), { retryable: true }), 2],
  ] as const)('is queued when the store %s', async ([, error, calls], { expect }) => {
    let asked = 0
    const via = testClient(
      statusOf(() => {
        asked++
        return Promise.reject(error)
      }),
    )
    const response = await send(body, { via })
    expect(response.status).toBe(202)
    expect(envelopeOf(via.sent[0]).id).toBe((await viewIn(response)).id)
    expect(asked).toBe(calls)
  })

  it('is queued after 300 ms when the store does not answer', async ({ expect }) => {
    const asked = latch()
    const via = testClient(
      statusOf(() => {
        asked.open()
        return new Promise(() => {})
      }),
    )
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    try {
      const responding = send(body, { via })
      await asked.promise
      await vi.advanceTimersByTimeAsync(299)
      expect(via.sent).toEqual([])
      await vi.advanceTimersByTimeAsync(1)
      expect((await responding).status).toBe(202)
      expect(via.sent).toHaveLength(1)
    } finally {
      vi.useRealTimers()
    }
  })

  it('is queued when the row can not be read', async ({ expect }) => {
    const via = testClient(statusOf(async () => [{ id: 'x', outcome: '{"future":true}' }]))
    expect((await send(body, { via })).status).toBe(202)
  })

  it('costs a POST without a key nothing: the store is not asked', async ({ expect }) => {
    const via = testClient(statusOf(() => Promise.reject(new Error('storage was touched'))))
    const path = `/v1/datahubs/${access.datahub}/reports`
    expect((await via.post(path, body, access.headers)).status).toBe(202)
    expect(envelopeOf(via.sent[0]).digest).toBeUndefined()
  })
})

describe('an idempotency key with Prefer: wait', () => {
  /** A client whose status shards let `then` happen once they are asked to wait. */
  function waitingClient(then: () => Promise<void>): TestClient {
    const real = client.bindings.STATUS
    return testClient({
      STATUS: {
        getByName: (name: string) => ({
          get: (ids: string[]) => real.getByName(name).get(ids),
          wait: async (id: string, ms: number) => {
            const answer = real.getByName(name).wait(id, ms)
            const [outcome] = await Promise.all([answer, then()])
            return outcome
          },
        }),
      },
    })
  }

  it('answers 200 with the outcome of this body, and that is no replay', async ({ expect }) => {
    const via: TestClient = waitingClient(() => settle(envelopeOf(via.sent[0])))
    const response = await send(body, { via, headers: { Prefer: 'wait=20' } })
    expect(response.status).toBe(200)
    expect(response.headers.get('Preference-Applied')).toBe('wait=20')
    expect(response.headers.has('Idempotent-Replayed')).toBe(false)
    const text = await response.text()
    const { receipt } = JSON.parse(text) as View
    expect(response.headers.get('Location')).toBe(`/v1/receipts/${receipt}`)
    expect(JSON.parse(text)).toMatchObject({ status: 'delivered', count: 2 })
    expect(await (await client.fetch(`/v1/receipts/${receipt}`)).text()).toBe(text)
  })

  it('answers 422 when another body on its way wins', async ({ expect }) => {
    await send(other)
    const winner = lastEnvelope()
    const via = waitingClient(() => settle(winner))
    const response = await send(body, { via, headers: { Prefer: 'wait=20' } })
    expect(response.status).toBe(422)
    expect(await response.json()).toMatchObject({ type: '/problems/idempotency-key-reused' })
  })

  it('answers 202 when the wait runs out', async ({ expect }) => {
    const via = testClient({
      STATUS: { getByName: () => ({ get: async () => [], wait: async () => null }) },
    })
    const response = await send(body, { via, headers: { Prefer: 'wait=1' } })
    expect(response.status).toBe(202)
    expect(response.headers.has('Preference-Applied')).toBe(false)
    expect(await response.json()).toMatchObject({ status: 'queued', count: 2 })
  })
})
