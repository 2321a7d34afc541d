import { beforeAll, describe, it } from 'vitest'
import {
  envelopeIdOf,
  importReceiptKey,
  mintReceipt,
  RECEIPT_QUEUED_MS,
  type EnvelopeId,
  type Outcome,
  type Receipt,
} from '#contract'
import { RELAY, testClient, type TestClient } from '../support/client.ts'

let client: TestClient
let key: CryptoKey

beforeAll(async () => {
  client = testClient()
  key = await importReceiptKey('receipt key of the tests, 32 or more')
})

const newId = (): EnvelopeId => envelopeIdOf(crypto.getRandomValues(new Uint8Array(12)))

const mint = (id: EnvelopeId, more: object = {}): Promise<Receipt> =>
  mintReceipt({ accepted: Date.now(), id, index: 0, count: 3, ...more }, key)

async function settle(id: EnvelopeId, more: Partial<Outcome> = {}): Promise<void> {
  const outcome = {
    datahub: 'datahub-abcdefgh',
    topic: 'orders',
    received: 1_790_000_000_000,
    sent: 1_790_000_000_007,
    runs: [
      [2, 4, '9'],
      [1, 'record_too_large'],
    ],
    ...more,
  }
  const response = await client.post('/internal/outcomes', { outcomes: [{ id, outcome }] }, RELAY)
  if (response.status !== 200) throw new Error(await response.text())
}

/** A status namespace that no test may reach. */
const untouchable = {
  getByName(): never {
    throw new Error('storage was touched')
  },
}

describe('GET /v1/receipts/{receipt}', () => {
  it('says queued, not to be stored, until there is an outcome', async ({ expect }) => {
    const receipt = await mint(newId())
    const response = await client.fetch(`/v1/receipts/${receipt}`)
    expect(response.status).toBe(200)
    expect(await response.json()).toEqual({ receipt, count: 3, status: 'queued' })
    expect(response.headers.get('Cache-Control')).toBe('no-store')
  })

  it('shows each report with its MessageId or its reason', async ({ expect }) => {
    const id = newId()
    await settle(id)
    const receipt = await mint(id)
    const response = await client.fetch(`/v1/receipts/${receipt}`)
    const tail = '1790000000000:1790000000007'
    expect(await response.json()).toEqual({
      receipt,
      count: 3,
      status: 'partial',
      messages: [
        {
          status: 'delivered',
          messageId: `datahub-abcdefgh:orders:4:9:${tail}`,
          partition: 4,
          offset: '9',
        },
        {
          status: 'delivered',
          messageId: `datahub-abcdefgh:orders:4:10:${tail}`,
          partition: 4,
          offset: '10',
        },
        { status: 'failed', reason: 'record_too_large' },
      ],
    })
  })

  it('shows only the reports that the receipt covers', async ({ expect }) => {
    const id = newId()
    await settle(id)
    const second = await client.fetch(`/v1/receipts/${await mint(id, { index: 1, count: 1 })}`)
    expect(await second.json()).toMatchObject({
      count: 1,
      status: 'delivered',
      messages: [{ offset: '10' }],
    })
    const third = await client.fetch(`/v1/receipts/${await mint(id, { index: 2, count: 1 })}`)
    expect(await third.json()).toMatchObject({ count: 1, status: 'failed' })
  })

  it('says expired when no outcome can come any more', async ({ expect }) => {
    const accepted = Date.now() - RECEIPT_QUEUED_MS
    const response = await client.fetch(`/v1/receipts/${await mint(newId(), { accepted })}`)
    expect(await response.json()).toMatchObject({ status: 'expired', count: 3 })
    expect(response.headers.get('Cache-Control')).toBe('no-store')
  })

  it('shows a late outcome even after it has said expired', async ({ expect }) => {
    const id = newId()
    const receipt = await mint(id, { accepted: Date.now() - 2 * RECEIPT_QUEUED_MS })
    const early = await client.fetch(`/v1/receipts/${receipt}`)
    expect(await early.json()).toEqual({ receipt, count: 3, status: 'expired' })
    await settle(id)
    const late = await client.fetch(`/v1/receipts/${receipt}`)
    expect(await late.json()).toMatchObject({ receipt, status: 'partial' })
  })

  it('says failed when another body was delivered under the same key', async ({ expect }) => {
    const id = newId()
    await settle(id, { digest: '00000001' })
    const response = await client.fetch(
      `/v1/receipts/${await mint(id, { digest: '00000002', count: 1 })}`,
    )
    expect(await response.json()).toMatchObject({
      status: 'failed',
      messages: [{ status: 'failed', reason: 'idempotency_conflict' }],
    })
    expect(response.headers.get('Cache-Control')).toBe('no-store')
  })

  it('refuses a forged receipt before any storage is touched', async ({ expect }) => {
    const sealed = testClient({ STATUS: untouchable })
    const receipt = await mint(newId())
    const forged = receipt.replace(/^./, receipt.startsWith('A') ? 'B' : 'A')
    const response = await sealed.fetch(`/v1/receipts/${forged}?wait=5`)
    expect(response.status).toBe(404)
    expect(await response.json()).toMatchObject({ type: '/problems/receipt-not-valid' })
  })

  it.for(['-1', '26', '1.5', 'x', '', '1e1'])(
    'refuses wait=%s by name',
    async (wait, { expect }) => {
      const response = await client.fetch(`/v1/receipts/${await mint(newId())}?wait=${wait}`)
      expect(response.status).toBe(422)
      expect(await response.json()).toMatchObject({ path: 'wait', type: '/problems/invalid-value' })
    },
  )

  it('waits by one call to the status shard, and is woken by the outcome', async ({ expect }) => {
    const id = newId()
    let calls = 0
    const STATUS = {
      getByName: (name: string) => ({
        wait: (waited: string, ms: number) => {
          calls++
          const answer = client.bindings.STATUS.getByName(name).wait(waited, ms)
          // Only now does the outcome come: the call above is on its way.
          return Promise.all([answer, settle(id)]).then(([outcome]) => outcome)
        },
      }),
    }
    const waiting = testClient({ STATUS })
    const response = await waiting.fetch(`/v1/receipts/${await mint(id)}?wait=25`)
    expect(await response.json()).toMatchObject({ status: 'partial' })
    expect(calls).toBe(1)
  })

  it('answers 503 with Retry-After when the status shard fails, after one retry', async ({
    expect,
  }) => {
    let stubs = 0
    const STATUS = {
      getByName: () => ({
        wait: () => {
          stubs++
          return Promise.reject(Object.assign(new Error('reset'), { retryable: true }))
        },
      }),
    }
    const response = await testClient({ STATUS }).fetch(`/v1/receipts/${await mint(newId())}`)
    expect(response.status).toBe(503)
    expect(response.headers.get('Retry-After')).toBe('1')
    expect(await response.json()).toMatchObject({ type: '/problems/unavailable' })
    expect(stubs).toBe(2)
  })
})

describe('POST /v1/receipts/query', () => {
  it('answers many receipts in order', async ({ expect }) => {
    const ids = Array.from({ length: 20 }, newId)
    for (const id of ids.slice(0, 10)) await settle(id)
    const receipts = await Promise.all(ids.map((id) => mint(id)))
    const response = await client.post('/v1/receipts/query', {
      receipts: [...receipts, receipts[0]],
    })
    expect(response.status).toBe(200)
    const body = await response.json<{ receipts: { receipt: string; status: string }[] }>()
    expect(body.receipts.map((r) => r.receipt)).toEqual([...receipts, receipts[0]])
    expect(body.receipts.map((r) => r.status)).toEqual([
      ...Array(10).fill('partial'),
      ...Array(10).fill('queued'),
      'partial',
    ])
  })

  it('names a forged receipt by its place and touches no storage', async ({ expect }) => {
    const sealed = testClient({ STATUS: untouchable })
    const receipts = [await mint(newId()), 'forged']
    const response = await sealed.post('/v1/receipts/query', { receipts })
    expect(response.status).toBe(422)
    expect(await response.json()).toMatchObject({ path: 'receipts.1' })
  })

  it.for([
    ['none', { receipts: [] }, 'receipts'],
    ['101', { receipts: Array(101).fill('x') }, 'receipts'],
    ['a number', { receipts: [1] }, 'receipts.0'],
    ['no member', {}, 'receipts'],
    ['an unknown member', { receipts: ['x'], wait: 5 }, 'wait'],
  ] as const)('refuses %s', async ([, body, path], { expect }) => {
    const response = await client.post('/v1/receipts/query', body)
    expect(response.status).toBe(422)
    expect(await response.json()).toMatchObject({ path })
  })
})
