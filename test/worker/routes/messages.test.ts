import { beforeAll, beforeEach, describe, it, vi } from 'vitest'
import { RECEIPT_QUEUED_MS, type LinkAnswer } from '#contract'
import { absent, answered, FAILURES, fakeRelay, REASONS, recordOf } from '../query/relay.ts'
import {
  ADMIN,
  confirmTarget,
  envelopeOf,
  makeAccess,
  RELAY,
  testClient,
  type Access,
  type TestClient,
} from '../support/client.ts'

const relay = fakeRelay()
let client: TestClient
let mine: Access
/** Of somebody else, and its topic. */
let other: Access
const OTHER_TOPIC = `others-${crypto.randomUUID()}`

async function accessTo(datahub: string, scopes: string[]): Promise<Record<string, string>> {
  const answer = await client.post('/v1/credentials', { scopes, datahubs: [datahub] }, ADMIN)
  const { secretId, secretKey } = await answer.json<{ secretId: string; secretKey: string }>()
  return { Authorization: `Basic ${btoa(`${secretId}:${secretKey}`)}` }
}

beforeAll(async () => {
  client = testClient({ RELAY_LINK: relay.binding })
  mine = await makeAccess(client)
  mine.headers = (await accessTo(mine.datahub, ['query'])) as Access['headers']
  const name = `other-${crypto.randomUUID().slice(0, 8)}`
  const task = await client.post('/v1/datahubs', { name, topic: OTHER_TOPIC }, ADMIN)
  const { datahubId } = await task.json<{ datahubId: string }>()
  await confirmTarget(OTHER_TOPIC)
  other = { ...mine, datahub: datahubId }
})

beforeEach(() => {
  relay.asked.length = 0
  relay.answer = () => answered({ status: 'record', record: recordOf() })
})

interface Body {
  message?: unknown
  messages?: unknown[]
  cursor?: string
  [member: string]: unknown
}

async function get(query: string, headers: Record<string, string> = mine.headers) {
  const response = await client.fetch(`/v1/messages?${query}`, { headers })
  return { response, status: response.status, body: await response.json<Body>() }
}

const HERE = 'topic=orders&partition=1&offset=12'

describe('who may read', () => {
  it('is a credential with scope query, and the admin', async ({ expect }) => {
    expect((await get(HERE)).status).toBe(200)
    expect((await get(HERE, ADMIN)).status).toBe(200)
    const sender = await accessTo(mine.datahub, ['send', 'manage'])
    expect(await get(HERE, sender)).toMatchObject({
      status: 403,
      body: { type: '/problems/forbidden', detail: 'The credential has no scope query.' },
    })
    for (const stranger of [{}, RELAY, { Authorization: 'Basic eDp5' }]) {
      expect((await get(HERE, stranger as Record<string, string>)).status).toBe(401)
    }
    expect(relay.asked).toHaveLength(2)
  })

  it('gets the same words for a topic of others as for none, and no relay is asked', async ({
    expect,
  }) => {
    const topics = [OTHER_TOPIC, 'nothing', 'edgehub-x', '__consumer_offsets', 'no topic!', '']
    for (const query of ['partition=1&offset=12', 'partition=1&offset=12&limit=5', 'from=0']) {
      for (const topic of topics) {
        const { status, body } = await get(`topic=${encodeURIComponent(topic)}&${query}`)
        expect(status).toBe(404)
        expect(body['detail']).toBe(`There is no topic ${topic} that you may read.`)
      }
    }
    expect(relay.asked).toEqual([])
  })

  it('asks the relay as the admin, but not for internal topics', async ({ expect }) => {
    for (const topic of ['edgehub-ckafka-devlocal-ledger', '__consumer_offsets', 'no topic!']) {
      const { status } = await get(`topic=${topic}&from=0`, ADMIN)
      expect(status).toBe(404)
    }
    expect(relay.asked).toEqual([])
    relay.answer = () =>
      answered({ status: 'failed', reason: 'topic_not_found', problem: 'not there' })
    expect(await get('topic=nothing&from=0', ADMIN)).toMatchObject({
      status: 404,
      body: { detail: 'There is no topic nothing that you may read.' },
    })
    expect(relay.asked).toHaveLength(1)
  })
})

describe('one message', () => {
  it('is answered with its content, and not to be cached', async ({ expect }) => {
    const { response, body } = await get(HERE)
    expect(body).toEqual({
      message: {
        topic: 'orders',
        partition: 1,
        offset: '12',
        timestamp: 1_790_000_000_000,
        key: 'k',
        value: 'v',
        headers: [{ name: 'source', value: 'web' }],
      },
    })
    expect(response.headers.get('Cache-Control')).toBe('no-store')
    expect(relay.asked).toEqual([
      { op: 'record', topic: 'orders', partition: 1, offset: '12', maxBytes: 4_194_304 },
    ])
  })

  it('that is no text comes as base64; without a time, as null', async ({ expect }) => {
    const { key: _, value: __, ...rest } = recordOf({ timestamp: -1 })
    const record = { ...rest, keyBase64: '/w==', base64: 'AP8=' }
    relay.answer = () => answered({ status: 'record', record })
    expect((await get(HERE)).body.message).toMatchObject({
      keyBase64: '/w==',
      base64: 'AP8=',
      timestamp: null,
    })
  })

  it.for(REASONS)('that is absent: %s', async ([reason, words], { expect }) => {
    relay.answer = () => absent(reason)
    const { status, body } = await get(HERE)
    expect(status).toBe(404)
    expect(body).toMatchObject({
      type: '/problems/message-not-found',
      reason,
      start: '5',
      end: '99',
    })
    expect(body['detail']).toContain(words)
    expect(body['detail']).toContain('from offset 5 to before 99')
  })

  it.for(FAILURES)('when %s', async ([, asked, status, type], { expect }) => {
    relay.answer = () => asked
    const { response, body } = await get(HERE)
    expect(body).toMatchObject({ status, type: `/problems/${type}` })
    expect(response.headers.has('Retry-After')).toBe(
      status === 503 && type !== 'topic-not-readable',
    )
    expect(JSON.stringify(body)).not.toContain('broker-1')
  })
})

describe('a list', () => {
  const list = (answer: Partial<Extract<LinkAnswer, { status: 'records' }>> = {}) => {
    relay.answer = () => answered({ status: 'records', records: [recordOf()], ...answer })
  }

  it('from an offset', async ({ expect }) => {
    list()
    expect((await get(`${HERE}&limit=3`)).body).toEqual({
      messages: [expect.objectContaining({ topic: 'orders', offset: '12', value: 'v' })],
    })
    expect(relay.asked).toEqual([
      {
        op: 'records_by_offset',
        topic: 'orders',
        partition: 1,
        offset: '12',
        limit: 3,
        values: true,
      },
    ])
  })

  it('from a time, with a cursor that goes on', async ({ expect }) => {
    const next = [
      { partition: 0, offset: '7' },
      { partition: 1, offset: '13' },
    ]
    list({ next })
    const { body } = await get('topic=orders&from=1790000000000&limit=1')
    const query = {
      op: 'records_by_time',
      topic: 'orders',
      from: 1_790_000_000_000,
      limit: 1,
      limitOf: 'all',
      values: true,
    }
    expect(relay.asked).toEqual([query])
    list({ records: [] })
    const end = await get(`topic=orders&from=1790000000000&limit=1&cursor=${body.cursor}`)
    expect(end.body).toEqual({ messages: [] })
    expect(relay.asked[1]).toEqual({ ...query, next })
  })

  it('with a bad cursor is refused by name', async ({ expect }) => {
    expect(await get('topic=orders&from=0&cursor=x')).toMatchObject({
      status: 400,
      body: { type: '/problems/invalid-cursor', path: 'cursor' },
    })
  })

  it('with a bad parameter is refused by name', async ({ expect }) => {
    expect(await get('topic=orders&from=0&limit=500')).toMatchObject({
      status: 422,
      body: { path: 'limit', detail: 'limit: A whole number from 1 to 100 is expected.' },
    })
  })
})

describe('a MessageId', () => {
  const idOf = (datahub: string, topic: string) =>
    `messageId=${datahub}:${topic}:1:12:1790000000000:1790000000123`

  it('is looked up where it says', async ({ expect }) => {
    expect((await get(idOf(mine.datahub, 'orders'))).body.message).toMatchObject({ offset: '12' })
    expect(relay.asked).toMatchObject([{ topic: 'orders', partition: 1, offset: '12' }])
    expect((await get(idOf(other.datahub, OTHER_TOPIC), ADMIN)).status).toBe(200)
  })

  it('of another datahub or topic is as good as none', async ({ expect }) => {
    for (const [datahub, topic] of [
      [other.datahub, OTHER_TOPIC],
      [other.datahub, 'orders'],
      [mine.datahub, OTHER_TOPIC],
      ['datahub-nothing0', 'orders'],
    ] as const) {
      const { status, body } = await get(idOf(datahub, topic))
      expect([status, body['type']]).toEqual([404, '/problems/topic-not-found'])
    }
    expect(relay.asked).toEqual([])
  })

  it.for(['x', 'datahub-x:orders:1:12:1:1', '', 'orders:1:12'])(
    '%s is none',
    async (text, { expect }) => {
      expect(await get(`messageId=${text}`)).toMatchObject({
        status: 422,
        body: { path: 'messageId' },
      })
    },
  )

  const sender = async (): Promise<{ receipt: string; id: string; topic: string }> => {
    const headers = await accessTo(mine.datahub, ['send'])
    const reports = { reports: [{ value: 'a' }] }
    const path = `/v1/datahubs/${mine.datahub}/reports`
    const { receipt } = await (
      await client.post(path, reports, headers)
    ).json<{ receipt: string }>()
    const { id } = envelopeOf(client.sent.at(-1))
    return { receipt, id, topic: 'orders' }
  }
  const settle = async (id: string, topic: string, run: unknown[]) => {
    const times = { received: 1_790_000_000_000, sent: 1_790_000_000_123 }
    const outcome = { datahub: mine.datahub, topic, ...times, runs: [run] }
    await client.post('/internal/outcomes', { outcomes: [{ id, outcome }] }, RELAY)
  }
  const pending = (receipt: string, datahub = mine.datahub) =>
    `messageId=${datahub}:orders:-1:-1:1790000000000:0:${receipt}`

  it('that is pending is found once it is delivered', async ({ expect }) => {
    const { receipt, id } = await sender()
    expect(await get(pending(receipt))).toMatchObject({
      status: 404,
      body: { type: '/problems/message-not-found', reason: 'queued' },
    })
    expect(relay.asked).toEqual([])
    await settle(id, 'orders', [1, 2, '41'])
    expect((await get(pending(receipt))).status).toBe(200)
    expect(relay.asked).toMatchObject([
      { op: 'record', topic: 'orders', partition: 2, offset: '41' },
    ])
  })

  it('that is pending and failed says why', async ({ expect }) => {
    const { receipt, id } = await sender()
    await settle(id, 'orders', [1, 'record_too_large'])
    expect(await get(pending(receipt))).toMatchObject({
      status: 404,
      body: { reason: 'failed', detail: 'The message was not stored: record_too_large.' },
    })
  })

  it('around a receipt of another datahub shows nothing that is not seen', async ({ expect }) => {
    const { receipt, id } = await sender()
    await settle(id, OTHER_TOPIC, [1, 2, '41'])
    for (const query of [pending(receipt), pending(receipt, other.datahub)]) {
      expect(await get(query)).toMatchObject({ body: { type: '/problems/topic-not-found' } })
    }
    expect(relay.asked).toEqual([])
  })

  it('that is pending for too long is not remembered', async ({ expect }) => {
    vi.useFakeTimers({ toFake: ['Date'] })
    try {
      const { receipt } = await sender()
      vi.setSystemTime(Date.now() + RECEIPT_QUEUED_MS + 1)
      expect((await get(pending(receipt))).body['reason']).toBe('receipt_expired')
    } finally {
      vi.useRealTimers()
    }
  })

  it('that ends with no receipt of ours says so', async ({ expect }) => {
    expect(await get(pending('A'.repeat(43)))).toMatchObject({
      status: 404,
      body: { type: '/problems/receipt-not-valid' },
    })
  })
})
