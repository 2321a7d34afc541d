import { beforeAll, describe, it } from 'vitest'
import { MAX_REPORT_HEADERS, statusShardOf, type EnvelopeId } from '#contract'
import {
  envelopeOf,
  makeAccess,
  RELAY,
  testClient,
  type Access,
  type TestClient,
} from '../support/client.ts'

let client: TestClient
let access: Access

beforeAll(async () => {
  client = testClient()
  access = await makeAccess(client)
})

function post(body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  const path = `/v1/datahubs/${access.datahub}/reports`
  return client.post(path, body, { ...access.headers, ...headers })
}

function postRaw(body: BodyInit, headers: Record<string, string> = {}): Promise<Response> {
  return client.fetch(`/v1/datahubs/${access.datahub}/reports`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...access.headers, ...headers },
    body,
  })
}

const one = { reports: [{ value: 'hello' }] }
const nested = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels)

describe('POST /v1/datahubs/{id}/reports', () => {
  it('answers 202 with a receipt, and queues one envelope as text', async ({ expect }) => {
    const before = client.sent.length
    const response = await post({
      reports: [
        { key: 'k', value: 'text', headers: { source: 'web' } },
        { json: { a: [1, 'ü', null] } },
        { base64: 'AAEC/w==' },
        { key: '' },
      ],
    })
    expect(response.status).toBe(202)
    const body = await response.json<{ receipt: string }>()
    expect(body).toEqual({
      receipt: expect.stringMatching(/^[\w-]{43}$/),
      count: 4,
      status: 'queued',
    })
    expect(response.headers.get('Location')).toBe(`/v1/receipts/${body.receipt}`)
    expect(client.sent.length - before).toBe(1)
    expect(client.sent.at(-1)?.options).toEqual({ contentType: 'text' })
    expect(envelopeOf(client.sent.at(-1))).toMatchObject({
      v: 1,
      datahub: access.datahub,
      topic: 'orders',
      records: [
        { key: 'k', value: 'text', headers: { source: 'web' } },
        { value: '{"a":[1,"ü",null]}' },
        { base64: 'AAEC/w==' },
        { key: '' },
      ],
    })
  })

  it('carries a valid traceparent and ignores an invalid one', async ({ expect }) => {
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
    await post(one, { traceparent })
    expect(envelopeOf(client.sent.at(-1)).traceparent).toBe(traceparent)
    await post(one, { traceparent: 'ff-nonsense' })
    expect(envelopeOf(client.sent.at(-1)).traceparent).toBeUndefined()
  })

  it('keeps a header that the reports carry under a numeric name', async ({ expect }) => {
    await post({ reports: [{ headers: { 7: 'seven' } }] })
    expect(envelopeOf(client.sent.at(-1))).toMatchObject({ records: [{ headers: { 7: 'seven' } }] })
  })

  it.for([
    ['no body member', {}, 422, 'missing', 'reports'],
    ['a body that is an array', [], 422, 'invalid-type', 'The body must be an object'],
    ['a body that is null', null, 422, 'invalid-type', 'The body must be an object'],
    ['reports that are no array', { reports: {} }, 422, 'invalid-type', 'reports'],
    ['no reports', { reports: [] }, 422, 'invalid-value', 'reports'],
    ['501 reports', { reports: Array(501).fill({}) }, 422, 'invalid-value', 'not 501'],
    ['an unknown member', { ...one, extra: 1 }, 422, 'unknown-field', 'extra'],
    ['an unknown field', { reports: [{}, { foo: 1 }] }, 422, 'unknown-field', 'reports.1.foo'],
    ['a report that is text', { reports: ['x'] }, 422, 'invalid-type', 'reports.0'],
    ['a report that is null', { reports: [null] }, 422, 'invalid-type', 'reports.0'],
    ['a numeric key', { reports: [{ key: 1 }] }, 422, 'invalid-type', 'reports.0.key'],
    ['a null key', { reports: [{ key: null }] }, 422, 'invalid-type', 'reports.0.key'],
    [
      'a value that is an object',
      { reports: [{ value: {} }] },
      422,
      'invalid-type',
      'reports.0.value',
    ],
    [
      'value and json',
      { reports: [{ value: 'a', json: 1 }] },
      422,
      'invalid-value',
      'value and json',
    ],
    [
      'a lone surrogate',
      { reports: [{ value: '\ud800' }] },
      422,
      'invalid-value',
      'reports.0.value',
    ],
    ['unpadded base64', { reports: [{ base64: 'QQ' }] }, 422, 'invalid-value', 'reports.0.base64'],
    ['base64url', { reports: [{ base64: '__--' }] }, 422, 'invalid-value', 'reports.0.base64'],
    ['base64 with surplus bits', { reports: [{ base64: 'QR==' }] }, 422, 'invalid-value', 'base64'],
    ['an unsafe number in json', { reports: [{ json: [2 ** 60] }] }, 422, 'invalid-value', 'json'],
    ['headers that are an array', { reports: [{ headers: [] }] }, 422, 'invalid-type', 'headers'],
    ['a numeric header', { reports: [{ headers: { a: 1 } }] }, 422, 'invalid-type', 'headers.a'],
    [
      'an empty header name',
      { reports: [{ headers: { '': 'x' } }] },
      422,
      'invalid-value',
      'headers',
    ],
    [
      'a reserved header',
      { reports: [{ headers: { 'edgehub-id': 'x' } }] },
      422,
      'invalid-value',
      'edgehub-id',
    ],
    [
      'too many headers',
      {
        reports: [
          {
            headers: Object.fromEntries(
              Array.from({ length: MAX_REPORT_HEADERS + 1 }, (_, i) => [`h${i}`, '']),
            ),
          },
        ],
      },
      422,
      'invalid-value',
      'not 33',
    ],
    [
      'a report over its limit',
      { reports: [{}, { value: 'ü'.repeat(500_001) }] },
      413,
      'body-too-large',
      'reports.1',
    ],
    [
      'reports over 5 MB',
      { reports: Array(6).fill({ value: 'x'.repeat(999_999) }) },
      413,
      'body-too-large',
      'reports',
    ],
  ] as const)(
    'refuses %s and queues nothing',
    async ([, body, status, type, place], { expect }) => {
      const before = client.sent.length
      const response = await post(body)
      const problem = await response.json<{ type: string; detail: string; requestId: string }>()
      expect(response.headers.get('Content-Type')).toBe('application/problem+json')
      expect(problem).toMatchObject({ type: `/problems/${type}`, status })
      expect(response.status).toBe(status)
      expect(problem.detail).toContain(place)
      expect(response.headers.get('X-Request-Id')).toBe(problem.requestId)
      expect(client.sent.length).toBe(before)
    },
  )

  it.for([
    ['broken JSON', '{"reports":[', 400, 'invalid-json'],
    ['an empty body', '', 400, 'invalid-json'],
    ['a byte order mark', '\ufeff{}', 400, 'invalid-json'],
    ['bytes that are no UTF-8', new Uint8Array([0x22, 0xff, 0x22]), 400, 'not-utf8'],
    ['a body nested 20,000 deep', nested(20_000), 422, 'invalid-type'],
    ['reports nested 20,000 deep', `{"reports":${nested(20_000)}}`, 422, 'invalid-type'],
    ['json nested 20,000 deep', `{"reports":[{"json":${nested(20_000)}}]}`, 422, 'invalid-value'],
    [
      'a header named __proto__',
      '{"reports":[{"headers":{"__proto__":"x"}}]}',
      422,
      'invalid-value',
    ],
    ['an unknown field named __proto__', '{"reports":[{"__proto__":"x"}]}', 422, 'unknown-field'],
    [
      'json of three million numbers',
      `{"reports":[{"json":[0${',0'.repeat(3_000_000)}]}]}`,
      413,
      'body-too-large',
    ],
    ['a body over 10 MB', ' '.repeat(10_485_761), 413, 'body-too-large'],
  ] as const)('refuses %s', async ([, body, status, type], { expect }) => {
    const before = client.sent.length
    const response = await postRaw(body)
    expect(await response.json()).toMatchObject({ type: `/problems/${type}`, status })
    expect(client.sent.length).toBe(before)
  })

  it('takes json nested to the limit', async ({ expect }) => {
    const response = await postRaw(`{"reports":[{"json":${nested(1_000)}}]}`)
    expect(response.status).toBe(202)
  })

  it.for([
    ['text/plain', 415],
    ['application/json; charset=latin1', 415],
    ['application/json; charset=UTF-8', 202],
    ['Application/JSON;charset="utf-8"', 202],
  ] as const)('answers Content-Type %s with %i', async ([type, status], { expect }) => {
    expect((await post(one, { 'Content-Type': type })).status).toBe(status)
  })

  it('says which header a 415 is for, and what it may be', async ({ expect }) => {
    const charset = await post(one, { 'Content-Type': 'application/json; charset=UTF-16' })
    expect(await charset.json()).toMatchObject({
      detail: 'Content-Type has another charset than utf-8; JSON is sent as utf-8, and needs none.',
    })
    expect(charset.headers.has('Accept-Encoding')).toBe(false)
    const encoded = await post(one, { 'Content-Encoding': 'gzip' })
    expect(encoded.status).toBe(415)
    expect(encoded.headers.get('Accept-Encoding')).toBe('identity')
    expect(await encoded.json()).toMatchObject({
      type: '/problems/unsupported-media-type',
      detail: 'Content-Encoding gzip is not supported; send the body as it is.',
    })
    expect((await post(one, { 'Content-Encoding': 'identity' })).status).toBe(202)
  })

  it('says that a body begins with a byte order mark', async ({ expect }) => {
    expect(await (await postRaw('\ufeff{}')).json()).toMatchObject({
      detail: 'The body is not valid JSON: it begins with a byte order mark.',
    })
  })

  it('answers wrong and missing credentials alike with 401', async ({ expect }) => {
    const path = `/v1/datahubs/${access.datahub}/reports`
    const wrong = [
      {},
      { Authorization: 'Basic !!!' },
      { Authorization: `Basic ${btoa(access.secretId)}` },
      { Authorization: `Basic ${btoa(`${access.secretId}:wrong`)}` },
      { Authorization: `Basic ${btoa(`AKID${'x'.repeat(32)}:${access.secretKey}`)}` },
      { Authorization: 'Bearer admin-token-of-the-tests' },
    ]
    for (const headers of wrong) {
      const response = await client.post(path, one, headers)
      expect(response.status).toBe(401)
      expect(response.headers.get('WWW-Authenticate')).toContain('Basic realm=')
      expect(await response.json()).toMatchObject({ type: '/problems/unauthenticated' })
    }
  })

  it('answers an unlisted datahub exactly like an unknown one', async ({ expect }) => {
    const listed = await makeAccess(client, { datahubs: ['datahub-aaaaaaaa'] })
    const shapes = []
    for (const datahub of [access.datahub, 'datahub-zzzzzzzz', 'nonsense']) {
      const response = await client.post(`/v1/datahubs/${datahub}/reports`, one, listed.headers)
      const { requestId: _, ...problem } = await response.json<Record<string, string>>()
      shapes.push(JSON.stringify(problem).replace(datahub, 'X'))
      expect(response.status).toBe(404)
    }
    expect(new Set(shapes).size).toBe(1)
  })

  it('refuses a credential without the scope send', async ({ expect }) => {
    const query = await makeAccess(client, { scopes: ['query'] })
    const response = await client.post(`/v1/datahubs/${query.datahub}/reports`, one, query.headers)
    expect(response.status).toBe(403)
  })

  it('says that the accept is not confirmed when the queue fails', async ({ expect }) => {
    const broken = { send: () => Promise.reject(new Error('Queue is overloaded (10250)')) }
    const failing = testClient({ QUEUE_0: broken, QUEUE_1: broken })
    const mine = await makeAccess(failing)
    const response = await failing.post(`/v1/datahubs/${mine.datahub}/reports`, one, mine.headers)
    expect(response.status).toBe(503)
    expect(await response.json()).toMatchObject({ type: '/problems/not-confirmed' })
  })
})

describe('Prefer: wait', () => {
  it('answers 200 with the receipt body when the outcome comes while it waits', async ({
    expect,
  }) => {
    let settled: Promise<Response> | undefined
    const settling = testClient({
      ...Object.fromEntries(
        [0, 1].map((k) => [
          `QUEUE_${k}`,
          {
            async send(text: string): Promise<void> {
              const { id, datahub, topic, received } = envelopeOf({ shard: k, text, options: {} })
              const outcome = { datahub, topic, received, sent: received + 1, runs: [[1, 3, '41']] }
              settled = client.post('/internal/outcomes', { outcomes: [{ id, outcome }] }, RELAY)
            },
          },
        ]),
      ),
    })
    const mine = await makeAccess(settling)
    const path = `/v1/datahubs/${mine.datahub}/reports`
    const response = await settling.post(path, one, { ...mine.headers, Prefer: 'wait=20' })
    expect((await settled)?.status).toBe(200)
    expect(response.status).toBe(200)
    expect(response.headers.get('Preference-Applied')).toBe('wait=20')
    const body = await response.json<{ receipt: string }>()
    expect(body).toEqual({
      receipt: expect.stringMatching(/^[\w-]{43}$/),
      count: 1,
      status: 'delivered',
      messages: [
        {
          status: 'delivered',
          messageId: expect.stringMatching(/^datahub-\w{8}:orders:3:41:\d{13}:\d{13}$/),
          partition: 3,
          offset: '41',
        },
      ],
    })
    const later = await settling.fetch(`/v1/receipts/${body.receipt}`)
    expect(await later.json()).toEqual(body)
    expect(later.headers.get('Cache-Control')).toBe('private, max-age=60')
  })

  it('answers 202 when the wait runs out, and when the status shard fails', async ({ expect }) => {
    const waits: number[] = []
    const shard = (wait: () => Promise<null>): unknown => ({
      getByName: () => ({
        wait: (_: EnvelopeId, ms: number) => {
          waits.push(ms)
          return wait()
        },
      }),
    })
    for (const wait of [async () => null, () => Promise.reject(new Error('no shard'))]) {
      const waiting = testClient({ STATUS: shard(wait) })
      const mine = await makeAccess(waiting)
      const headers = { ...mine.headers, Prefer: 'respond-async, wait=100' }
      const response = await waiting.post(`/v1/datahubs/${mine.datahub}/reports`, one, headers)
      expect(response.status).toBe(202)
      expect(response.headers.has('Preference-Applied')).toBe(false)
      expect(await response.json()).toMatchObject({ status: 'queued', count: 1 })
    }
    expect(waits).toHaveLength(2)
    for (const ms of waits) expect(ms).toBeGreaterThan(24_000)
    for (const ms of waits) expect(ms).toBeLessThanOrEqual(25_000)
  })
})

describe('large POSTs', () => {
  it('go to the object store first, and the queue gets the claim', async ({ expect }) => {
    const value = 'x'.repeat(90_000)
    const response = await post({ reports: [{ value }, { value }] })
    expect(response.status).toBe(202)
    const envelope = envelopeOf(client.sent.at(-1))
    if (!('claim' in envelope)) throw new Error('no claim')
    expect(envelope.claim.count).toBe(2)
    const path = `/internal/envelopes/${envelope.claim.object}`
    const object = await client.fetch(path, { headers: RELAY })
    expect(object.headers.get('Content-Type')).toBe('application/json')
    const text = await object.text()
    expect(text.length).toBe(envelope.claim.bytes)
    expect(JSON.parse(text)).toEqual([{ value }, { value }])
    expect(statusShardOf(envelope.id)).toBeLessThan(8)

    expect((await client.fetch(path, { method: 'DELETE', headers: RELAY })).status).toBe(204)
    const gone = await client.fetch(path, { headers: RELAY })
    expect(gone.status).toBe(404)
    expect(await gone.json()).toMatchObject({ type: '/problems/envelope-not-found' })
    expect((await client.fetch(path, { method: 'DELETE', headers: RELAY })).status).toBe(204)
  })
})
