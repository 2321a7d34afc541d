import { describe, it } from 'vitest'
import {
  envelopeIdOf,
  MAX_LOOKUP_IDS,
  statusShardOf,
  STATUS_SHARDS,
  type EnvelopeId,
} from '#contract'
import { statusShardName } from '../../../worker/status/store.ts'
import { ADMIN, RELAY, testClient, type TestClient } from '../support/client.ts'

const outcome = {
  datahub: 'datahub-abcdefgh',
  topic: 'orders',
  received: 1_790_000_000_000,
  sent: 1_790_000_000_007,
  runs: [[1, 0, '0']],
}

/** Byte 1 of an id chooses its status shard. */
const idOfShard = (shard: number): EnvelopeId => envelopeIdOf(new Uint8Array(12).fill(shard))
const eight = Array.from({ length: STATUS_SHARDS }, (_, shard) => idOfShard(shard))

describe('POST /internal/outcomes', () => {
  it('answers every id as taken, again when it is repeated', async ({ expect }) => {
    const client = testClient()
    const outcomes = eight.map((id) => ({ id, outcome }))
    for (const _ of [1, 2]) {
      const response = await client.post('/internal/outcomes', { outcomes }, RELAY)
      expect(response.status).toBe(200)
      expect(await response.json()).toEqual({ taken: eight })
    }
  })

  it.for([false, true])(
    'with one of 8 status shards failing (retryable %s) answers 200 with the ids of the other seven',
    async (retryable, { expect }) => {
      const real = testClient().bindings.STATUS
      let failures = 0
      const STATUS = {
        getByName(name: string): unknown {
          if (name !== statusShardName(3)) return real.getByName(name)
          return {
            put: () => {
              failures++
              return Promise.reject(Object.assign(new Error('shard is down'), { retryable }))
            },
          }
        },
      }
      const outcomes = eight.map((id) => ({ id, outcome }))
      const response = await testClient({ STATUS }).post('/internal/outcomes', { outcomes }, RELAY)
      expect(response.status).toBe(200)
      expect(await response.json()).toEqual({
        taken: eight.filter((id) => statusShardOf(id) !== 3),
      })
      expect(failures).toBe(retryable ? 2 : 1)
    },
  )

  it.for([
    ['nothing', { outcomes: [] }, 'outcomes'],
    ['an id that is none', { outcomes: [{ id: 'x', outcome }] }, 'outcomes.0.id'],
    [
      'an outcome without runs',
      { outcomes: [{ id: eight[0], outcome: { ...outcome, runs: [] } }] },
      'outcomes.0.outcome.runs',
    ],
  ] as const)('refuses %s by its place', async ([, body, path], { expect }) => {
    const response = await testClient().post('/internal/outcomes', body, RELAY)
    expect(response.status).toBe(422)
    expect(await response.json()).toMatchObject({ path })
  })
})

describe('POST /internal/lookups', () => {
  const ask = (client: TestClient, ids: unknown): Promise<Response> =>
    client.post('/internal/lookups', { ids }, RELAY)
  /** In no order: each shard's ids come together. */
  async function sorted(response: Response): Promise<{ found: string[]; absent: string[] }> {
    const { found, absent } = await response.json<{ found: string[]; absent: string[] }>()
    return { found: found.toSorted(), absent: absent.toSorted() }
  }
  const newIds = (): EnvelopeId[] =>
    eight.map((_, shard) => {
      const bytes = crypto.getRandomValues(new Uint8Array(12))
      bytes[1] = shard
      return envelopeIdOf(bytes)
    })

  it('tells the ids that have an outcome from those that have none, each once', async ({
    expect,
  }) => {
    const client = testClient()
    const [settled, open] = [newIds(), newIds()]
    const nothing = await ask(client, [...settled, ...open])
    expect(nothing.status).toBe(200)
    expect(await sorted(nothing)).toEqual({ found: [], absent: [...settled, ...open].toSorted() })

    const outcomes = settled.map((id) => ({ id, outcome }))
    await client.post('/internal/outcomes', { outcomes }, RELAY)
    const answer = await ask(client, [...open, ...settled, ...open, ...settled])
    expect(await sorted(answer)).toEqual({ found: settled.toSorted(), absent: open.toSorted() })
  })

  it.for([
    ['a shard that fails', () => Promise.reject(new Error('shard is down')), 1],
    [
      'a shard that fails twice',
      () => Promise.reject(Object.assign(new Error('reset'), { retryable: true })),
      2,
    ],
    ['a shard whose code is older', undefined, 0],
  ] as const)('says nothing of the ids of %s', async ([, has, calls], { expect }) => {
    const [settled, open] = [newIds(), newIds()]
    const real = testClient().bindings.STATUS
    let asked = 0
    const counted = has && (() => (asked++, has()))
    const STATUS = {
      getByName: (name: string): unknown =>
        name === statusShardName(3) ? { has: counted } : real.getByName(name),
    }
    const outcomes = settled.map((id) => ({ id, outcome }))
    await testClient().post('/internal/outcomes', { outcomes }, RELAY)
    const response = await ask(testClient({ STATUS }), [...settled, ...open])
    expect(response.status).toBe(200)
    const others = (ids: EnvelopeId[]): EnvelopeId[] =>
      ids.filter((id) => statusShardOf(id) !== 3).toSorted()
    expect(await sorted(response)).toEqual({ found: others(settled), absent: others(open) })
    expect(asked).toBe(calls)
  })

  it('takes as many ids as the contract allows', async ({ expect }) => {
    const bytes = Array.from({ length: MAX_LOOKUP_IDS }, () =>
      crypto.getRandomValues(new Uint8Array(12)),
    )
    const ids = bytes.map((b) => envelopeIdOf(b))
    const response = await ask(testClient(), ids)
    expect(await sorted(response)).toEqual({ found: [], absent: ids.toSorted() })
  })

  it.for([
    ['nothing', [], 422, 'ids'],
    ['more than the contract allows', Array(MAX_LOOKUP_IDS + 1).fill(eight[0]), 422, 'ids'],
    ['an id that is none', [eight[0], 'x'], 422, 'ids.1'],
    ['a number', 7, 422, 'ids'],
    ['a body too large', 'x'.repeat(65_536), 413, undefined],
  ] as const)('refuses %s', async ([, ids, status, path], { expect }) => {
    const response = await ask(testClient(), ids)
    expect(response.status).toBe(status)
    const problem = await response.json<{ path?: string }>()
    expect(problem.path).toBe(path)
  })
})

describe('/internal', () => {
  const routes = [
    ['POST', '/internal/outcomes'],
    ['POST', '/internal/lookups'],
    ['GET', `/internal/envelopes/${eight[0]}-${'0'.repeat(64)}`],
    ['DELETE', `/internal/envelopes/${eight[0]}-${'0'.repeat(64)}`],
  ] as const
  const strangers = [
    {},
    ADMIN,
    { Authorization: 'Bearer x' },
    { Authorization: 'Basic cmVsYXk6eA==' },
  ]

  it.for(routes)('%s %s is for the relay alone', async ([method, path], { expect }) => {
    for (const headers of strangers as Record<string, string>[]) {
      const response = await testClient().fetch(path, { method, headers })
      expect(response.status).toBe(401)
    }
  })

  it('refuses an object name that is none', async ({ expect }) => {
    for (const method of ['GET', 'DELETE']) {
      const path = '/internal/envelopes/..%2Fsecrets'
      const response = await testClient().fetch(path, { method, headers: RELAY })
      expect(response.status).toBe(422)
      expect(await response.json()).toMatchObject({ path: 'object' })
    }
  })
})
