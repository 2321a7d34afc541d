// How often one may send, by both ways in. Time stands still, so that each bucket holds what it is left.
import { afterEach, beforeEach, describe, it, vi } from 'vitest'
import { REST_CALLS_PER_SECOND, SENDS_PER_SECOND, takeSend } from '../../../worker/rate-limit.ts'
import { servicesFor } from '../../../worker/services.ts'
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
import { signedCall } from '../tencent/sign.ts'

let client: TestClient
let access: Access

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['Date'] })
  client = testClient({ SEND_MESSAGE_WAIT_MS: '0' })
  access = await makeAccess(client)
})

afterEach(() => {
  vi.useRealTimers()
})

async function makeDatahub(qpsLimit: number): Promise<string> {
  const task = { name: `t${crypto.randomUUID().slice(0, 8)}`, topic: 'orders', qpsLimit }
  const made = await client.post('/v1/datahubs', task, ADMIN)
  await confirmTarget('orders')
  return (await made.json<{ datahubId: string }>()).datahubId
}

function post(datahub = access.datahub, { headers } = access, reports = 1): Promise<Response> {
  const body = { reports: Array.from({ length: reports }, () => ({ value: 'x' })) }
  return client.post(`/v1/datahubs/${datahub}/reports`, body, headers)
}

async function send(
  datahub = access.datahub,
  { secretId, secretKey } = access,
): Promise<{ MessageId?: string[]; Error?: { Code: string; Message: string } }> {
  const timestamp = Math.floor(Date.now() / 1_000)
  const body = JSON.stringify({ DataHubId: datahub, Message: [{ Body: 'x' }] })
  const response = await client.fetch(await signedCall(body, { secretId, secretKey, timestamp }))
  return (await response.json<{ Response: object }>()).Response
}

describe('the limit of a datahub', () => {
  it('counts calls by both ways together, however many reports they carry, and says whose it is', async ({
    expect,
  }) => {
    const datahub = await makeDatahub(3)
    expect((await post(datahub, access, 500)).status).toBe(202)
    expect((await send(datahub)).MessageId).toHaveLength(1)
    expect((await post(datahub)).status).toBe(202)
    const before = client.sent.length

    const refused = await post(datahub)
    expect(refused.status).toBe(429)
    expect(refused.headers.get('Retry-After')).toBe('1')
    expect(await refused.json()).toMatchObject({
      type: '/problems/datahub-rate-limited',
      detail: `The limit of POSTs to the datahub ${datahub} is 3 a second.`,
    })
    expect((await send(datahub)).Error).toEqual({
      Code: 'RequestLimitExceeded',
      Message: `limit exceeded dataHubId [${datahub}]`,
    })
    expect(client.sent).toHaveLength(before)
  })

  it('holds for all credentials together, and for no other datahub', async ({ expect }) => {
    const datahub = await makeDatahub(1)
    const other = await makeAccess(client)
    expect((await post(datahub)).status).toBe(202)
    expect((await post(datahub, other)).status).toBe(429)
    expect((await post(other.datahub)).status).toBe(202)
  })

  it('gives back one call at a time as the second goes by', async ({ expect }) => {
    const datahub = await makeDatahub(2)
    const statuses = async () => [(await post(datahub)).status, (await post(datahub)).status]
    expect(await statuses()).toEqual([202, 202])
    vi.setSystemTime(Date.now() + 500)
    expect(await statuses()).toEqual([202, 429])
  })

  it('is 2,000 a second where none was set', async ({ expect }) => {
    const { rateLimit } = servicesFor(client.bindings, () => {})
    expect((await post()).status).toBe(202)
    let left = 0
    while (rateLimit.take(access.datahub, 2_000)) left++
    expect(left).toBe(1_999)
    expect((await post()).status).toBe(429)
  })

  it('does not stop a POST that is answered with the outcome of its key', async ({ expect }) => {
    const datahub = await makeDatahub(1)
    const path = `/v1/datahubs/${datahub}/reports`
    const keyed = { ...access.headers, 'Idempotency-Key': '"a"' }
    const body = { reports: [{ value: 'x' }] }
    expect((await client.post(path, body, keyed)).status).toBe(202)
    const { id, received, digest } = envelopeOf(client.sent.at(-1))
    const runs = [[1, 0, '7']]
    const outcome = { datahub, topic: 'orders', received, sent: received + 5, digest, runs }
    await client.post('/internal/outcomes', { outcomes: [{ id, outcome }] }, RELAY)
    expect((await post(datahub)).status).toBe(429)
    expect((await client.post(path, body, keyed)).status).toBe(200)
  })

  it('does not count what is refused before it', async ({ expect }) => {
    const datahub = await makeDatahub(1)
    const bad = await client.post(`/v1/datahubs/${datahub}/reports`, {}, access.headers)
    expect(bad.status).toBe(422)
    expect((await post(datahub)).status).toBe(202)
  })
})

describe('the limit of a credential', () => {
  it('is 5,000 calls a second that send, by both ways together, whatever the datahub', async ({
    expect,
  }) => {
    const { rateLimit } = servicesFor(client.bindings, () => {})
    expect((await post()).status).toBe(202)
    expect((await send()).MessageId).toHaveLength(1)
    let left = 0
    while (takeSend(rateLimit, access)) left++
    expect(left).toBe(SENDS_PER_SECOND - 2)

    const refused = await post('datahub-nowhere0')
    expect(refused.status).toBe(429)
    expect(await refused.json()).toMatchObject({
      type: '/problems/rate-limited',
      detail: 'The limit of these calls is 5000 a second.',
    })
    expect((await send()).Error).toEqual({
      Code: 'RequestLimitExceeded',
      Message:
        'Your current request times equals to `5001` in a second, which exceeds the frequency limit `5000` for a second. Please reduce the frequency of calls.',
    })
    const other = await makeAccess(client)
    expect((await post(access.datahub, other)).status).toBe(202)
  })

  it('is less for who reads or manages over REST, all routes together, and none for the admin', async ({
    expect,
  }) => {
    const { headers } = await makeAccess(client, { scopes: ['query', 'manage'] })
    const paths = ['/v1/topics', '/v1/datahubs']
    for (let i = 0; i < REST_CALLS_PER_SECOND; i++) {
      const answer = await client.fetch(paths[i % 2] ?? '', { headers })
      expect(answer.status).not.toBe(429)
    }
    for (const path of paths) {
      expect(await (await client.fetch(path, { headers })).json()).toMatchObject({
        type: '/problems/rate-limited',
        detail: `The limit of these calls is ${REST_CALLS_PER_SECOND} a second.`,
      })
      expect((await client.fetch(path, { headers: ADMIN })).status).not.toBe(429)
    }
  })

  it('belongs to the deployment’s isolate, not to the process', async ({ expect }) => {
    const { rateLimit } = servicesFor(client.bindings, () => {})
    while (takeSend(rateLimit, access));
    expect((await post()).status).toBe(429)
    const elsewhere = testClient({ SEND_MESSAGE_WAIT_MS: '0' })
    const path = `/v1/datahubs/${access.datahub}/reports`
    const answer = await elsewhere.post(path, { reports: [{ value: 'x' }] }, access.headers)
    expect(answer.status).toBe(202)
  })
})
