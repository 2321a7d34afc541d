import { describe, it } from 'vitest'
import type { WorkerClient } from '../../../relay/status/worker-client.ts'
import { watchWorker } from '../../../relay/status/worker-watch.ts'
import { claimOf, idOf, outcomeOf } from '../../support/items.ts'

// A worker that is away or not, and a watch whose sleeps end when the test says so.
function make() {
  const calls: string[] = []
  const state = { away: false, silent: false }
  let wake = Promise.withResolvers<void>()
  const answer = async <T>(name: string, value: T): Promise<T> => {
    calls.push(name)
    if (state.away) throw new Error('away')
    return value
  }
  const worker: WorkerClient = {
    async postOutcomes(outcomes) {
      calls.push('post')
      return state.away
        ? { taken: new Set(), failed: new Error('away') }
        : { taken: new Set(state.silent ? [] : outcomes.map(([id]) => id)), failed: undefined }
    },
    lookUp: (ids) =>
      answer(`look up ${ids.length}`, {
        found: new Set(),
        absent: new Set(state.silent ? [] : ids),
      }),
    fetchRecords: () => answer('fetch', { status: 'lost', problem: 'gone' }),
    deleteRecords: () => answer('delete', undefined),
  }
  const watched = watchWorker(worker, {
    random: () => 1,
    async sleep(ms, signal) {
      calls.push(`sleep ${ms}`)
      const aborted = new Promise<void>((resolve) =>
        signal.addEventListener('abort', () => resolve()),
      )
      await Promise.race([wake.promise, aborted])
    },
    onAway: () => calls.push('is away'),
    onBack: () => calls.push('is back'),
  })
  watched.watch.onChange((away) => calls.push(`first told ${away}`))
  watched.watch.onChange((away) => calls.push(`second told ${away}`))
  return {
    calls,
    state,
    watched,
    // Ends the sleep under way; the probe after it has been answered then.
    async wakeUp() {
      wake.resolve()
      wake = Promise.withResolvers()
      await settled()
    },
  }
}

const settled = () => new Promise((resolve) => setImmediate(resolve))
const AWAY = ['is away', 'first told true', 'second told true', 'sleep 200']

describe('the watch over the worker', () => {
  it.for<[string, (w: WorkerClient) => Promise<unknown>]>([
    ['a look-up', (w) => w.lookUp([idOf(1)])],
    ['a fetch', (w) => w.fetchRecords(claimOf(1).claim)],
    ['a post', (w) => w.postOutcomes([[idOf(1), outcomeOf(1)]])],
  ])(
    '%s that fails opens it, tells everybody once, and fails as it did',
    async ([name, call], { expect }) => {
      const { calls, state, watched } = make()
      state.away = true
      const result = await call(watched).catch((error: Error) => error.message)
      expect(result).toEqual(
        name === 'a post' ? { taken: new Set(), failed: new Error('away') } : 'away',
      )
      expect(calls.slice(1)).toEqual(AWAY)
      expect(watched.watch.isAway).toBe(true)
      await call(watched).catch(() => undefined)
      expect(calls.slice(1 + AWAY.length)).toHaveLength(1)
      await watched.watch.stop()
    },
  )

  it('a clean-up that fails does not open it', async ({ expect }) => {
    const { calls, state, watched } = make()
    state.away = true
    await expect(watched.deleteRecords('object')).rejects.toThrow('away')
    expect(calls).toEqual(['delete'])
    expect(watched.watch.isAway).toBe(false)
  })

  it('an answer that leaves ids out is an answer: it does not open it', async ({ expect }) => {
    const { state, watched } = make()
    state.silent = true
    await watched.lookUp([idOf(1)])
    await watched.postOutcomes([[idOf(1), outcomeOf(1)]])
    expect(watched.watch.isAway).toBe(false)
  })

  it('open, it asks again ever more rarely, up to ten seconds; the first answer closes it and is told once', async ({
    expect,
  }) => {
    const { calls, state, watched, wakeUp } = make()
    state.away = true
    await watched.lookUp([idOf(1)]).catch(() => undefined)
    for (let i = 0; i < 7; i++) await wakeUp()
    const probes = (ms: number[]) => ms.flatMap((t) => ['look up 1', `sleep ${t}`])
    expect(calls.slice(1 + AWAY.length)).toEqual(
      probes([400, 800, 1_600, 3_200, 6_400, 10_000, 10_000]),
    )
    state.away = false
    state.silent = true
    await wakeUp()
    expect(calls.slice(-4)).toEqual([
      'look up 1',
      'is back',
      'first told false',
      'second told false',
    ])
    expect(watched.watch.isAway).toBe(false)
    await wakeUp()
    expect(calls.at(-1)).toBe('second told false')
  })

  it('opens again ever slower, because a look-up that is answered proves little; outcomes that are taken set the pace back', async ({
    expect,
  }) => {
    const { calls, state, watched, wakeUp } = make()
    const paces: (string | undefined)[] = []
    const openAndClose = async () => {
      state.away = true
      await watched.lookUp([idOf(1)]).catch(() => undefined)
      paces.push(calls.at(-1))
      state.away = false
      await wakeUp()
    }
    await openAndClose()
    await openAndClose()
    await watched.postOutcomes([[idOf(1), outcomeOf(1)]])
    await openAndClose()
    expect(paces).toEqual(['sleep 200', 'sleep 400', 'sleep 200'])
  })

  it('stopped, it probes no more and opens no more', async ({ expect }) => {
    const { calls, state, watched } = make()
    state.away = true
    await watched.lookUp([idOf(1)]).catch(() => undefined)
    await watched.watch.stop()
    const before = calls.length
    await watched.watch.stop()
    await settled()
    expect(calls).toHaveLength(before)
    const other = make()
    await other.watched.watch.stop()
    other.state.away = true
    await other.watched.lookUp([idOf(1)]).catch(() => undefined)
    expect(other.watched.watch.isAway).toBe(false)
  })
})
