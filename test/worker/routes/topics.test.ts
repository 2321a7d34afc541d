import { beforeAll, describe, it } from 'vitest'
import { answered, FAILURES, fakeRelay } from '../query/relay.ts'
import { ADMIN, makeAccess, testClient, type TestClient } from '../support/client.ts'
import { walk } from '../support/managing.ts'

const relay = fakeRelay()
let client: TestClient
let headers: Record<string, string>
let strangers: Record<string, string>

beforeAll(async () => {
  client = testClient({ RELAY_LINK: relay.binding })
  const { datahub } = await makeAccess(client)
  ;({ headers } = await makeAccess(client, { scopes: ['query'], datahubs: [datahub] }))
  const nobodys = { scopes: ['query'], datahubs: ['datahub-nothing0'] }
  ;({ headers: strangers } = await makeAccess(client, nobodys))
})

async function get(path: string, as = headers) {
  relay.asked.length = 0
  const response = await client.fetch(path, { headers: as })
  return { response, status: response.status, body: await response.json<object>() }
}

const summary = (name: string) => ({ name, partitions: 3, replicas: 2 })

describe('GET /v1/topics', () => {
  it('asks for the topics of the credential, and shows no others', async ({ expect }) => {
    relay.answer = () =>
      answered({ status: 'topics', topics: [summary('orders'), summary('not-asked-for')] })
    const { response, body } = await get('/v1/topics')
    expect(body).toEqual({ topics: [{ topic: 'orders', partitions: 3, replicas: 2 }] })
    expect(relay.asked).toEqual([{ op: 'topics', names: ['orders'] }])
    expect(response.headers.get('Cache-Control')).toBe('no-store')
  })

  it('asks for all as the admin, and shows them by name without internal ones', async ({
    expect,
  }) => {
    const topics = ['b', '__consumer_offsets', 'a', 'edgehub-x-ledger'].map((t) => summary(t))
    relay.answer = () => answered({ status: 'topics', topics })
    const { body } = await get('/v1/topics', ADMIN)
    expect(body).toMatchObject({ topics: [{ topic: 'a' }, { topic: 'b' }] })
    expect(relay.asked).toEqual([{ op: 'topics' }])
  })

  it('shows them by pages', async ({ expect }) => {
    const topics = ['b', 'd', 'a', 'c', 'e'].map((t) => summary(t))
    relay.answer = () => answered({ status: 'topics', topics })
    const shown = await walk<{ topic: string }>(client, '/v1/topics', 'topics')
    expect(shown.map(({ topic }) => topic)).toEqual(['a', 'b', 'c', 'd', 'e'])
    expect((await get('/v1/topics?limit=2', ADMIN)).body).toMatchObject({
      topics: [{ topic: 'a' }, { topic: 'b' }],
    })
    expect((await get('/v1/topics?cursor=e30', ADMIN)).body).toMatchObject({ status: 400 })
  })

  it('asks nobody where there is nothing to see', async ({ expect }) => {
    expect((await get('/v1/topics', strangers)).body).toEqual({ topics: [] })
    expect(relay.asked).toEqual([])
  })

  it.for(FAILURES)('when %s', async ([, asked, status, type], { expect }) => {
    relay.answer = () => asked
    expect((await get('/v1/topics')).body).toMatchObject({ status, type: `/problems/${type}` })
  })
})

describe('GET /v1/topics/{topic}', () => {
  const detail = {
    ...summary('orders'),
    id: 'abc',
    partitionStates: [
      { partition: 0, leader: 1, replicas: 2, inSync: 2, start: '5', end: '9007199254740993' },
      { partition: 1, replicas: 2, inSync: 0 },
    ],
    config: { 'retention.ms': '604800000' },
  }

  it('shows all that the relay knows', async ({ expect }) => {
    relay.answer = () => answered({ status: 'topic', topic: detail })
    const { name: topic, ...rest } = detail
    expect((await get('/v1/topics/orders')).body).toEqual({ topic, ...rest })
    expect(relay.asked).toEqual([{ op: 'topic', topic: 'orders' }])
  })

  it('of others is as good as none, and internal ones are none for the admin', async ({
    expect,
  }) => {
    expect((await get('/v1/topics/orders', strangers)).status).toBe(404)
    expect((await get('/v1/topics/nothing')).status).toBe(404)
    expect((await get('/v1/topics/__consumer_offsets', ADMIN)).status).toBe(404)
    expect(relay.asked).toEqual([])
  })
})
