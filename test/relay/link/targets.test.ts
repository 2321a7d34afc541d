import { describe, it, onTestFinished } from 'vitest'
import type { TargetState, TopicToCreate } from '#contract'
import { startRig, type Rig, type RigOptions } from './rig.ts'

const fit = (topic: string, partitions = 3): TargetState => ({ topic, status: 'fit', partitions })
const unfit = (topic: string): TargetState => ({
  topic,
  status: 'unfit',
  reason: 'topic_not_found',
})

// Each look waits until the test says what is found.
interface Look {
  topics: readonly string[]
  create: readonly TopicToCreate[] | undefined
  signal: AbortSignal
  find(states: TargetState[]): void
  fail(error: Error): void
}

async function start(times: RigOptions['times'] = { targetsMs: 5 }) {
  const looks: Look[] = []
  let looked = Promise.withResolvers<void>()
  const rig: Rig = await startRig({
    times: { targetsRetry: { firstMs: 1, maxMs: 5 }, ...times },
    targets({ topics, create }, signal) {
      const { promise, resolve, reject } = Promise.withResolvers<TargetState[]>()
      looks.push({ topics, create, signal, find: resolve, fail: reject })
      looked.resolve()
      looked = Promise.withResolvers()
      return promise
    },
  })
  onTestFinished(() => rig.stop())
  let taken = 0
  return {
    rig,
    looks,
    peer: await rig.welcomed(),
    async look(): Promise<Look> {
      for (;;) {
        const next = looks[taken]
        if (next) {
          taken++
          return next
        }
        await looked.promise
      }
    },
  }
}

describe('target topics', () => {
  it('are looked at when the worker names them; all that is known is told', async ({ expect }) => {
    const { looks, look, peer } = await start()
    expect(looks).toEqual([])
    peer.tell({ type: 'watch', topics: ['a', 'b', 'c'] })
    const first = await look()
    expect(first.topics).toEqual(['a', 'b', 'c'])
    first.find([fit('a'), unfit('b')])
    expect(await peer.frame()).toEqual({ type: 'targets', targets: [fit('a'), unfit('b')] })
  })

  it('are looked at with the creation that the worker asks for, until they were fit once', async ({
    expect,
  }) => {
    const { look, peer } = await start()
    const [a, b] = [{ topic: 'a' }, { topic: 'b', partitions: 6 }]
    const creates = async (find: TargetState[]) => {
      const next = await look()
      next.find(find)
      return next.create
    }
    peer.tell({ type: 'watch', topics: ['a', 'b', 'c'], create: [a, b] })
    expect(await creates([unfit('a')])).toEqual([a, b])
    expect(await creates([fit('a')])).toEqual([a, b])
    expect(await creates([unfit('a'), fit('b')])).toEqual([b])
    const last = await look()
    expect(last.create).toEqual([])
    // A new list says anew what is to be created.
    peer.tell({ type: 'watch', topics: ['a'], create: [a] })
    expect(await creates([])).toEqual([a])
    peer.tell({ type: 'watch', topics: ['d'] })
    for (;;) {
      const next = await look()
      next.find([])
      if (!next.topics.includes('d')) continue
      expect(next.create).toBe(undefined)
      break
    }
  })

  it('are looked at again and again, and only what changed is told', async ({ expect }) => {
    const { look, peer } = await start()
    peer.tell({ type: 'watch', topics: ['a', 'b', 'c'] })
    const found = [
      [fit('a'), unfit('b')],
      [fit('a'), unfit('b')],
      // What can't be said now is no change.
      [unfit('b')],
      [fit('a'), fit('b')],
      [fit('a', 6), fit('b'), fit('c')],
    ]
    for (const states of found) (await look()).find(states)
    const told = [await peer.frame(), await peer.frame(), await peer.frame()]
    expect(told).toEqual(
      [[fit('a'), unfit('b')], [fit('b')], [fit('a', 6), fit('c')]].map((targets) => ({
        type: 'targets',
        targets,
      })),
    )
    await look()
    expect(peer.waiting).toEqual([])
  })

  it('a new list is looked at at once; what the look before it finds is dropped', async ({
    expect,
  }) => {
    const { look, peer } = await start({ targetsMs: 60_000 })
    peer.tell({ type: 'watch', topics: ['a'] })
    const first = await look()
    peer.tell({ type: 'watch', topics: ['a', 'b'] })
    const second = await look()
    expect(first.signal.aborted).toBe(true)
    first.find([unfit('a')])
    second.find([fit('a'), fit('b')])
    expect(await peer.frame()).toEqual({ type: 'targets', targets: [fit('a'), fit('b')] })
    // Also while nothing is looked at; and everything is told again, because the worker may have forgotten it.
    peer.tell({ type: 'watch', topics: ['a'] })
    ;(await look()).find([fit('a')])
    expect(await peer.frame()).toEqual({ type: 'targets', targets: [fit('a')] })
    expect(peer.waiting).toEqual([])
  })

  it('an empty list is not looked at', async ({ expect }) => {
    const { looks, look, peer } = await start()
    peer.tell({ type: 'watch', topics: ['a'] })
    const first = await look()
    peer.tell({ type: 'watch', topics: [] })
    peer.tell({ type: 'watch', topics: ['b'] })
    expect((await look()).topics).toEqual(['b'])
    expect(first.signal.aborted).toBe(true)
    expect(looks).toHaveLength(2)
  })

  it('of which nothing could be said so far, or that are not fit, are looked at sooner than the others', async ({
    expect,
  }) => {
    const { looks, look, peer } = await start({ targetsMs: 60_000 })
    peer.tell({ type: 'watch', topics: ['a', 'b'] })
    ;(await look()).find([])
    ;(await look()).find([fit('a')])
    ;(await look()).find([fit('a'), unfit('b')])
    ;(await look()).find([fit('a'), fit('b')])
    expect([await peer.frame(), await peer.frame(), await peer.frame()]).toEqual([
      { type: 'targets', targets: [fit('a')] },
      { type: 'targets', targets: [unfit('b')] },
      { type: 'targets', targets: [fit('b')] },
    ])
    expect(looks).toHaveLength(4)
  })

  it('failures are tried again, and reported once until it works again', async ({ expect }) => {
    const { rig, look, peer } = await start()
    const failures = () =>
      rig.events.flatMap((e) => (e.event === 'targetsFailed' ? [(e.error as Error).message] : []))
    peer.tell({ type: 'watch', topics: ['a'] })
    for (let i = 1; i <= 3; i++) (await look()).fail(new Error(`first ${i}`))
    ;(await look()).find([fit('a')])
    expect(await peer.frame()).toMatchObject({ targets: [fit('a')] })
    for (let i = 1; i <= 2; i++) (await look()).fail(new Error(`second ${i}`))
    await look()
    expect(failures()).toEqual(['first 1', 'second 1'])
  })

  it('end with the connection; the next one begins with nothing', async ({ expect }) => {
    const { rig, looks, look, peer } = await start()
    peer.tell({ type: 'watch', topics: ['a'] })
    ;(await look()).find([fit('a')])
    await peer.frame()
    const second = await look()
    peer.destroy()
    const next = await rig.welcomed()
    await rig.until(() => rig.events.filter((e) => e.event === 'connected').length === 2)
    expect(second.signal.aborted).toBe(true)
    second.find([unfit('a')])
    const before = looks.length
    next.tell({ type: 'watch', topics: ['a'] })
    ;(await look()).find([fit('a')])
    expect(await next.frame()).toEqual({ type: 'targets', targets: [fit('a')] })
    expect(looks.length).toBeGreaterThan(before)
  })
})
