// Reports under their datahub's schema, by both ways in.
import { beforeAll, describe, it, vi } from 'vitest'
import {
  ADMIN,
  confirmTarget,
  envelopeOf,
  makeAccess,
  testClient,
  type Access,
  type TestClient,
} from '../support/client.ts'
import { signedCall } from '../tencent/sign.ts'

const FIELDS = [
  { name: 'id', type: 'INT64', allowNull: false },
  { name: 'paid', type: 'BOOLEAN', default: false },
]

let client: TestClient
let access: Access

beforeAll(async () => {
  client = testClient({ SEND_MESSAGE_WAIT_MS: '0' })
  access = { ...(await makeAccess(client)), datahub: await makeDatahub(await makeSchema(FIELDS)) }
})

const uniqueName = (): string => `s${crypto.randomUUID().slice(0, 8)}`

async function makeSchema(fields: unknown): Promise<string> {
  const made = await client.post('/v1/schemas', { name: uniqueName(), fields }, ADMIN)
  return (await made.json<{ schemaId: string }>()).schemaId
}

async function makeDatahub(schemaId: string): Promise<string> {
  const task = { name: uniqueName(), topic: 'orders', schemaId }
  const made = await client.post('/v1/datahubs', task, ADMIN)
  await confirmTarget('orders')
  return (await made.json<{ datahubId: string }>()).datahubId
}

function post(reports: unknown, headers: Record<string, string> = {}): Promise<Response> {
  const path = `/v1/datahubs/${access.datahub}/reports`
  return client.post(path, { reports }, { ...access.headers, ...headers })
}

async function send(message: unknown): Promise<Record<string, unknown>> {
  const { secretId, secretKey, datahub } = access
  const timestamp = Math.floor(Date.now() / 1_000)
  const body = JSON.stringify({ DataHubId: datahub, Message: message })
  const response = await client.fetch(await signedCall(body, { secretId, secretKey, timestamp }))
  return (await response.json<{ Response: Record<string, unknown> }>()).Response
}

function lastRecords(): unknown {
  const envelope = envelopeOf(client.sent.at(-1))
  return 'records' in envelope ? envelope.records : undefined
}

const good = '{ "id": 9007199254740993, "more": 1.0, "paid": null }'
const short = '{"id":9007199254740993}'

describe('reports of a datahub with a schema', () => {
  it('are taken by POST as they were sent, with defaults where fields are missing', async ({
    expect,
  }) => {
    const headers = { source: 'web' }
    const response = await post([
      { key: 'k', value: good, headers },
      { value: short },
      { json: { id: 1, nested: { id: 'x' } } },
      { base64: btoa(short) },
    ])
    expect(response.status).toBe(202)
    expect(lastRecords()).toEqual([
      { key: 'k', value: good, headers },
      { value: '{"id":9007199254740993,"paid":false}' },
      { value: '{"id":1,"nested":{"id":"x"},"paid":false}' },
      { base64: btoa('{"id":9007199254740993,"paid":false}') },
    ])
  })

  it('are taken by SendMessage in the same way', async ({ expect }) => {
    const answer = await send([{ Key: 'k', Body: good }, { Body: short }])
    expect(answer['MessageId']).toHaveLength(2)
    expect(lastRecords()).toEqual([
      { key: 'k', value: good },
      { value: '{"id":9007199254740993,"paid":false}' },
    ])
  })

  it('are all refused by POST for one that does not fit, by its place, field and rule', async ({
    expect,
  }) => {
    const before = client.sent.length
    const response = await post([{ value: good }, { value: '{"id":1,"paid":"true"}' }])
    expect(response.status).toBe(422)
    expect(await response.json()).toMatchObject({
      type: '/problems/schema-mismatch',
      path: 'reports.1',
      field: 'paid',
      detail: 'reports.1 does not fit the schema: the field paid must be true or false.',
    })
    const tombstone = await post([{ key: 'k' }])
    expect(await tombstone.json()).toMatchObject({
      path: 'reports.0',
      detail: 'reports.0 does not fit the schema: it must be a JSON object.',
    })
    expect(client.sent).toHaveLength(before)
  })

  it('are all refused by SendMessage for one that does not fit, by its place, field and rule', async ({
    expect,
  }) => {
    const before = client.sent.length
    const Message =
      'A value specified in `Message.1.Body` is not valid. It does not fit the schema. The field id must be INT64, an integer written without fraction and exponent.'
    expect(await send([{ Body: good }, { Body: '{"id":1.0}' }])).toMatchObject({
      Error: { Code: 'InvalidParameterValue', Message },
    })
    expect(await send([{ Body: '' }])).toMatchObject({
      Error: {
        Message:
          'A value specified in `Message.0.Body` is not valid. It does not fit the schema. It must be a JSON object.',
      },
    })
    expect(client.sent).toHaveLength(before)
  })

  it('show neither the answer nor the log what their fields hold', async ({ expect }) => {
    const info = vi.spyOn(console, 'info')
    const response = await post([{ value: '{"id":"4711-0815"}' }])
    const texts = [await response.text(), ...info.mock.calls.flat().map(String)]
    info.mockRestore()
    expect(texts).toHaveLength(2)
    expect(texts.filter((text) => text.includes('4711'))).toEqual([])
  })

  it('are anything again once it is unbound', async ({ expect }) => {
    const datahub = await makeDatahub(await makeSchema(FIELDS))
    const path = `/v1/datahubs/${datahub}`
    const unbound = await client.fetch(path, {
      method: 'PATCH',
      headers: { ...ADMIN, 'Content-Type': 'application/json' },
      body: '{"schemaId":null}',
    })
    expect(unbound.status).toBe(200)
    // Of a client that has not asked for it before.
    const reports = [{ value: 'no JSON' }, {}]
    const response = await testClient().post(`${path}/reports`, { reports }, access.headers)
    expect(response.status).toBe(202)
  })

  it('fit into a POST with their defaults, or are refused', async ({ expect }) => {
    const fields = Array.from({ length: 20 }, (_, i) => ({
      name: `f${i}`,
      type: 'STRING',
      default: 'x'.repeat(1_024),
    }))
    const datahub = await makeDatahub(await makeSchema(fields))
    const path = `/v1/datahubs/${datahub}/reports`
    const reports = [{ value: '{}' }]
    expect((await client.post(path, { reports }, access.headers)).status).toBe(202)
    // 20,000 bytes of defaults each.
    const many = Array.from({ length: 260 }, () => ({ value: '{}' }))
    const refused = await client.post(path, { reports: many }, access.headers)
    expect(await refused.json()).toMatchObject({
      path: 'reports',
      detail:
        'reports does not fit the schema: it has more than 5242880 bytes with the defaults of the schema.',
    })
  })
})
