import { describe, it, vi } from 'vitest'
import { envelopeIdOf, type EnvelopeId, type Outcome } from '#contract'
import { createStatusStore, type StatusShardStub } from '../../../worker/status/store.ts'
import { UnavailableError } from '../../../worker/unavailable.ts'

const idOfShard = (shard: number): EnvelopeId => envelopeIdOf(new Uint8Array(12).fill(shard))
const outcome: Outcome = {
  datahub: 'datahub-abcdefgh',
  topic: 't',
  received: 1,
  sent: 2,
  runs: [[1, 0, '0']],
}
const row = { id: idOfShard(0), outcome: JSON.stringify(outcome) }

const failure = (more: object): Error => Object.assign(new Error('failed'), more)

function makeStore(stubs: Partial<StatusShardStub>[]) {
  const asked: number[] = []
  const times = [0, 400]
  const store = createStatusStore({
    shard(index) {
      asked.push(index)
      const stub = stubs[asked.length - 1]
      if (!stub) throw new Error('asked too often')
      return stub as StatusShardStub
    },
    now: () => (times.length > 1 ? (times.shift() ?? 0) : (times[0] ?? 0)),
    log: () => {},
  })
  return { store, asked }
}

describe('the status store', () => {
  it.for([
    ['a retryable failure', { retryable: true }, 2],
    ['an overload', { retryable: true, overloaded: true }, 1],
    ['any other failure', {}, 1],
  ] as const)('after %s asks %#', async ([, more, calls], { expect }) => {
    const { store, asked } = makeStore([
      { get: () => Promise.reject(failure(more)) },
      { get: async () => [row] },
    ])
    const found = store.find([row.id])
    if (calls === 2) expect((await found).get(row.id)).toEqual(outcome)
    else await expect(found).rejects.toThrow(UnavailableError)
    expect(asked).toHaveLength(calls)
  })

  it('waits after a retry only for the time that is left', async ({ expect }) => {
    const waits: number[] = []
    const { store } = makeStore([
      { wait: () => Promise.reject(failure({ retryable: true })) },
      {
        wait: async (_, ms) => {
          waits.push(ms)
          return null
        },
      },
    ])
    expect(await store.wait(idOfShard(5), 1_000)).toBeUndefined()
    expect(waits).toEqual([600])
  })

  it('gives both tries of a call one limit together', async ({ expect }) => {
    const late = (): Promise<never> =>
      new Promise((_, reject) => setTimeout(() => reject(failure({ retryable: true })), 9_000))
    vi.useFakeTimers()
    try {
      for (const ask of ['wait', 'find', 'lookUp', 'put'] as const) {
        const asked: number[] = []
        const start = Date.now()
        const store = createStatusStore({
          shard() {
            asked.push(Date.now() - start)
            const answer = asked.length === 1 ? late : (): Promise<never> => new Promise(() => {})
            return { put: answer, get: answer, has: answer, wait: answer }
          },
          now: () => Date.now(),
          log: () => {},
        })
        const settled = { id: row.id, outcome }
        let after = -1
        const calls = {
          wait: () => store.wait(row.id, 0),
          find: () => store.find([row.id]),
          lookUp: () => store.lookUp([row.id]),
          put: () => store.put([settled]),
        }
        const over = calls[ask]()
          .catch(() => {})
          .then(() => {
            after = Date.now() - start
          })
        await vi.advanceTimersByTimeAsync(30_000)
        await over
        expect([ask, asked, after]).toEqual([ask, [0, 9_000], 10_000])
        expect(vi.getTimerCount()).toBe(0)
      }
    } finally {
      vi.useRealTimers()
    }
  })

  it('finds within the limit that it is given, or throws', async ({ expect }) => {
    vi.useFakeTimers()
    try {
      const { store } = makeStore([{ get: () => new Promise(() => {}) }])
      const refused = expect(store.find([row.id], 300)).rejects.toThrow(UnavailableError)
      expect(vi.getTimerCount()).toBe(1)
      await vi.advanceTimersByTimeAsync(300)
      await refused
    } finally {
      vi.useRealTimers()
    }
  })

  it('names an id of a shard that does not answer neither found nor absent', async ({ expect }) => {
    const { store, asked } = makeStore([
      { has: async () => [idOfShard(1), 'an id that was not asked for'] },
      { has: () => Promise.reject(failure({})) },
    ])
    const ids = [1, 9, 2, 1, 2].map((shard) => idOfShard(shard))
    expect(await store.lookUp(ids)).toEqual({ found: [idOfShard(1)], absent: [idOfShard(9)] })
    expect(asked).toEqual([1, 2])
  })

  it('asks each shard once for all of its ids', async ({ expect }) => {
    const asked: string[][] = []
    const stub = {
      get: async (ids: string[]) => {
        asked.push(ids)
        return []
      },
    }
    const { store } = makeStore([stub, stub])
    await store.find([idOfShard(1), idOfShard(2), idOfShard(9)])
    expect(asked).toEqual([[idOfShard(1), idOfShard(9)], [idOfShard(2)]])
  })

  it('takes only ids that the shard named', async ({ expect }) => {
    const { store } = makeStore([{ put: async () => [idOfShard(8)] }])
    const settled = [
      { id: idOfShard(0), outcome },
      { id: idOfShard(8), outcome },
    ]
    expect(await store.put(settled)).toEqual([idOfShard(8)])
  })
})
