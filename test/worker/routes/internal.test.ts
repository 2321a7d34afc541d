import { describe, it } from 'vitest'
import { envelopeIdOf, statusShardOf, STATUS_SHARDS, type EnvelopeId } from '#contract'
import { statusShardName } from '../../../worker/status/store.ts'
import { ADMIN, RELAY, testClient } from '../support/client.ts'

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

describe('/internal', () => {
  const routes = [
    ['POST', '/internal/outcomes'],
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
