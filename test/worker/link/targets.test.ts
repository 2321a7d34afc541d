import { runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { describe, it, vi } from 'vitest'
import type { LinkAnswer, WorkerFrame } from '#contract'
import { Registry, REGISTRY_NAME } from '../../../worker/registry/registry.ts'
import { connect, greeted, newLink, newTask } from './rig.ts'

const QUERY = { op: 'cluster' } as const
const CLUSTER: LinkAnswer = { status: 'cluster', clusterId: 'c', brokers: 3 }
const LONG_MS = 20_000

describe('targets', () => {
  it('are told to all relays when there is a new one', async ({ expect }) => {
    const link = newLink()
    const relays = [await greeted(link), await greeted(link)]
    const { topic } = await newTask()
    await link.watchTargets()
    for (const relay of relays) {
      const watch = await relay.next()
      expect(watch.type === 'watch' && watch.topics).toContain(topic)
    }
  })

  it('that are to be created are told with their partitions, until a relay found them fit', async ({
    expect,
  }) => {
    const link = newLink()
    const relay = await greeted(link)
    const [plain, byDefault, six] = [
      await newTask(),
      await newTask({}),
      await newTask({ partitions: 6 }),
    ]
    const own = new Set([plain, byDefault, six].map(({ topic }) => topic))
    const told = async () => {
      await link.watchTargets()
      const watch = await relay.next()
      if (watch.type !== 'watch') throw new Error(`not a list: ${watch.type}`)
      expect(watch.topics).toEqual(expect.arrayContaining([...own]))
      return watch.create?.filter(({ topic }) => own.has(topic))
    }
    const created = { topic: six.topic, partitions: 6 }
    // Tasks of one millisecond come in the order of their ids, which are random.
    const first = await told()
    expect(first).toHaveLength(2)
    expect(first).toEqual(expect.arrayContaining([{ topic: byDefault.topic }, created]))
    const targets = [
      { topic: byDefault.topic, status: 'fit', partitions: 1 } as const,
      { topic: six.topic, status: 'unfit', reason: 'topic_not_created' } as const,
    ]
    relay.send({ type: 'targets', targets })
    await vi.waitFor(async () => {
      const registry = env.REGISTRY.getByName(REGISTRY_NAME)
      expect(await registry.findTask(byDefault.datahub)).toMatchObject({ status: 1 })
      const failed = { status: -1, problem: 'topic_not_created' }
      expect(await registry.findTask(six.datahub)).toMatchObject(failed)
    })
    expect(await told()).toEqual([created])
  })

  it('are told in one list, however many changes are made at once, and the last is in it', async ({
    expect,
  }) => {
    const link = newLink()
    const relay = await greeted(link)
    await link.watchTargets()
    await relay.next()
    const asked = Array.from({ length: 50 }, () => link.watchTargets())
    const { topic } = await newTask()
    await Promise.all([...asked, link.watchTargets()])
    // Whatever was sent before stands before the answer to what is asked now.
    const lists: WorkerFrame[] = []
    const question = link.ask(QUERY, LONG_MS)
    for (;;) {
      const frame = await relay.next()
      if (frame.type === 'query') {
        relay.answer(frame.id, CLUSTER)
        break
      }
      lists.push(frame)
    }
    await question
    expect(lists.length).toBeLessThanOrEqual(2)
    const last = lists.at(-1)
    expect(last?.type === 'watch' && last.topics).toContain(topic)
  })

  it('that a relay looked at come to the registry', async ({ expect }) => {
    const { datahub, topic } = await newTask()
    const link = newLink()
    const relay = await greeted(link)
    relay.send({ type: 'targets', targets: [{ topic, status: 'fit', partitions: 4 }] })
    await vi.waitFor(async () => {
      const task = await env.REGISTRY.getByName(REGISTRY_NAME).findTask(datahub)
      expect(task).toMatchObject({ status: 1, partitions: 4 })
    })
  })

  it('that the registry does not take are asked for again, by a new connection', async ({
    expect,
  }) => {
    const broken = vi.spyOn(Registry.prototype, 'applyTargets').mockImplementation(() => {
      throw new Error('registry is down')
    })
    try {
      const link = newLink()
      const relay = await greeted(link)
      relay.send({ type: 'targets', targets: [{ topic: 't', status: 'fit', partitions: 4 }] })
      const reason = 'the targets could not be taken now'
      expect(await relay.closed).toEqual({ code: 1011, reason })
      expect(broken).toHaveBeenCalledTimes(2)
    } finally {
      broken.mockRestore()
    }
  })

  it('hold up nothing else of their relay while the registry is slow', async ({ expect }) => {
    let isReleased = false
    const slow = vi
      .spyOn(Registry.prototype, 'applyTargets')
      .mockImplementation(() => vi.waitUntil(() => isReleased, LONG_MS))
    try {
      const link = newLink()
      const relay = await greeted(link)
      relay.send({ type: 'targets', targets: [{ topic: 't', status: 'fit', partitions: 4 }] })
      await vi.waitFor(() => expect(slow).toHaveBeenCalledOnce())
      const asked = link.ask(QUERY, LONG_MS)
      relay.answer((await relay.query()).id, CLUSTER)
      expect(await asked).toEqual({ status: 'answered', answer: CLUSTER })
    } finally {
      isReleased = true
      slow.mockRestore()
    }
  })

  it('that could not be read are told later', async ({ expect }) => {
    const { topic } = await newTask()
    const link = newLink()
    const broken = vi.spyOn(Registry.prototype, 'targetTopics').mockImplementation(() => {
      throw new Error('registry is down')
    })
    try {
      const relay = await connect(link)
      relay.hello()
      expect(await relay.next()).toEqual({ type: 'welcome', v: 1 })
      await vi.waitFor(async () => {
        expect(
          await runInDurableObject(link, (_, { storage }) => storage.getAlarm()),
        ).not.toBeNull()
      })
      broken.mockRestore()
      expect(await runDurableObjectAlarm(link)).toBe(true)
      const watch = await relay.next()
      expect(watch.type === 'watch' && watch.topics).toContain(topic)
    } finally {
      broken.mockRestore()
    }
  })
})
