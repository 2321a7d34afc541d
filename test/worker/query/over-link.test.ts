/** Both skins over the real link object, with this test as the relay at the other end of a WebSocket. */
import { env } from 'cloudflare:workers'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { relayOf, type TestRelay } from '../link/relay.ts'
import { ADMIN, makeAccess, RELAY, testClient, type Access } from '../support/client.ts'
import { signedCall } from '../tencent/sign.ts'
import { recordOf } from './relay.ts'

const link = env.RELAY_LINK.getByName(crypto.randomUUID())
const client = testClient({ RELAY_LINK: { getByName: () => link } })
let access: Access
let relay: TestRelay

beforeAll(async () => {
  const { datahub } = await makeAccess(client)
  access = await makeAccess(client, { scopes: ['query'], datahubs: [datahub] })
  const headers = { ...RELAY, Upgrade: 'websocket' }
  relay = relayOf(await client.fetch('/internal/link', { headers }))
  relay.hello()
  await relay.next()
  await relay.next()
})

afterAll(() => relay.close())

describe('a message is read over the link', () => {
  it('by REST', async ({ expect }) => {
    const path = '/v1/messages?topic=orders&partition=1&offset=12'
    const answering = client.fetch(path, { headers: access.headers })
    const { id, query, withinMs } = await relay.query()
    expect(query).toMatchObject({ op: 'record', topic: 'orders', partition: 1, offset: '12' })
    expect(withinMs).toBeLessThanOrEqual(10_000)
    relay.answer(id, { status: 'record', record: recordOf() })
    const { message } = await (await answering).json<{ message: unknown }>()
    expect(message).toMatchObject({ topic: 'orders', offset: '12', value: 'v' })
  })

  it('by a signed call, at most once a second', async ({ expect }) => {
    const { secretId, secretKey } = access
    const place = { InstanceId: 'ckafka-devlocal', Topic: 'orders', Partition: 1, Offset: 12 }
    const timestamp = Math.floor(Date.now() / 1_000)
    const call = async () => {
      const headers = { 'X-TC-Action': 'FetchMessageByOffset' }
      const options = { secretId, secretKey, timestamp, headers }
      return client.fetch(await signedCall(JSON.stringify(place), options))
    }
    const answering = call()
    relay.answer((await relay.query()).id, { status: 'record', record: recordOf() })
    const { Response } = await (await answering).json<{ Response: { Result: unknown } }>()
    expect(Response.Result).toMatchObject({ Topic: 'orders', Offset: 12, Value: 'v' })
    const again = await (await call()).json()
    expect(again).toMatchObject({ Response: { Error: { Code: 'RequestLimitExceeded' } } })
  })

  it('not when there is no relay', async ({ expect }) => {
    const nobody = env.RELAY_LINK.getByName(crypto.randomUUID())
    const alone = testClient({ RELAY_LINK: { getByName: () => nobody } })
    const response = await alone.fetch('/v1/topics', { headers: ADMIN })
    expect(await response.json()).toMatchObject({ type: '/problems/relay-not-connected' })
    expect(response.headers.get('Retry-After')).toBe('5')
  })
})
