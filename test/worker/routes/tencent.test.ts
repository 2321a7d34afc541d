import { beforeAll, describe, it } from 'vitest'
import {
  envelopeOf,
  makeAccess,
  RELAY,
  testClient,
  type Access,
  type TestClient,
} from '../support/client.ts'
import { signedCall, signedQuery, signedV1Call } from '../tencent/sign.ts'

interface Answer {
  Response: { MessageId: string[]; RequestId: string; Error?: unknown }
}

let client: TestClient
let access: Access

beforeAll(async () => {
  client = testClient({ SEND_MESSAGE_WAIT_MS: '0' })
  access = await makeAccess(client)
})

async function send(through: TestClient): Promise<Answer> {
  const { secretId, secretKey, datahub } = access
  const body = JSON.stringify({
    DataHubId: datahub,
    Message: [{ Body: 'a' }, { Key: 'k', Body: 'b' }],
  })
  const timestamp = Math.floor(Date.now() / 1_000)
  const response = await through.fetch(await signedCall(body, { secretId, secretKey, timestamp }))
  return response.json<Answer>()
}

describe('POST /', () => {
  it('accepts a signed SendMessage and hands out a receipt for each report', async ({ expect }) => {
    const { Response } = await send(client)
    expect(Response.Error).toBeUndefined()
    const { id, datahub, received, records } = { records: [], ...envelopeOf(client.sent.at(-1)) }
    expect(records).toEqual([{ value: 'a' }, { key: 'k', value: 'b' }])
    const receipts = Response.MessageId.map((messageId) => messageId.split(':').at(-1) ?? '')
    expect(Response.MessageId).toEqual(
      receipts.map((receipt) => `${datahub}:orders:-1:-1:${received}:0:${receipt}`),
    )

    const runs = [
      [1, 0, '7'],
      [1, 'record_too_large'],
    ]
    const outcome = { datahub, topic: 'orders', received, sent: received + 5, runs }
    await client.post('/internal/outcomes', { outcomes: [{ id, outcome }] }, RELAY)
    const query = await client.post('/v1/receipts/query', { receipts })
    expect(await query.json()).toMatchObject({
      receipts: [
        { status: 'delivered', count: 1, messages: [{ offset: '7' }] },
        { status: 'failed', count: 1, messages: [{ reason: 'record_too_large' }] },
      ],
    })
  })

  it('is held for the outcome', async ({ expect }) => {
    const QUEUE = {
      async send(text: string): Promise<void> {
        const { id, datahub, topic, received } = envelopeOf({ shard: 0, text, options: {} })
        const outcome = { datahub, topic, received, sent: received + 5, runs: [[2, 1, '41']] }
        await client.post('/internal/outcomes', { outcomes: [{ id, outcome }] }, RELAY)
      },
    }
    const { Response } = await send(testClient({ QUEUE_0: QUEUE, QUEUE_1: QUEUE }))
    expect(Response.MessageId.map((id) => id.split(':').slice(1, 4))).toEqual([
      ['orders', '1', '41'],
      ['orders', '1', '42'],
    ])
  })
})

describe('every other way to sign', () => {
  const keys = () => {
    const { secretId, secretKey } = access
    return { secretId, secretKey, timestamp: Math.floor(Date.now() / 1_000) }
  }
  const query = () => `DataHubId=${access.datahub}&Message.0.Key=k%20%2B&Message.0.Body=%E4%B8%AD+`
  const parameters = () => ({
    DataHubId: access.datahub,
    'Message.0.Key': 'k +',
    'Message.0.Body': '\u4e2d ',
  })
  const sign = {
    'TC3 GET': () => signedQuery(query(), keys()),
    'v1 GET': () => signedV1Call(parameters(), { method: 'GET', ...keys() }),
    'v1 POST': () => signedV1Call(parameters(), { method: 'POST', ...keys() }),
  }

  it.for(Object.entries(sign))('%s: is accepted', async ([, signed], { expect }) => {
    const { Response } = await (await client.fetch(await signed())).json<Answer>()
    expect(Response.Error).toBeUndefined()
    expect(Response.MessageId).toHaveLength(1)
    const { records } = { records: [], ...envelopeOf(client.sent.at(-1)) }
    expect(records).toEqual([{ key: 'k +', value: '\u4e2d ' }])
  })

  it.for(['TC3 GET', 'v1 GET'] as const)('%s: sends nothing as HEAD', async (way, { expect }) => {
    const sent = client.sent.length
    const { url, headers } = await sign[way]()
    const response = await client.fetch(new Request(url, { method: 'HEAD', headers }))
    expect(await response.text()).toBe('')
    expect(client.sent).toHaveLength(sent)
  })
})
