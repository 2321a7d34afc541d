import { evictDurableObject } from 'cloudflare:test'
import { describe, it, vi } from 'vitest'
import {
  LINK_CLOSE,
  LINK_PING,
  LINK_PONG,
  MAX_LINK_FRAME_BYTES,
  MAX_LINK_QUERIES,
  type LinkAnswer,
} from '#contract'
import { Registry } from '../../../worker/registry/registry.ts'
import { connect, greeted, newLink, newTask, type Link } from './rig.ts'

const QUERY = { op: 'cluster' } as const
const CLUSTER: LinkAnswer = { status: 'cluster', clusterId: 'c', brokers: 3 }
const LONG_MS = 20_000

describe('a relay that connects', () => {
  it('is welcomed, and told the topics of all tasks', async ({ expect }) => {
    const { topic } = await newTask()
    const link = newLink()
    const relay = await connect(link)
    expect(await link.relays()).toEqual([])
    relay.hello('relay 7')
    expect(await relay.next()).toEqual({ type: 'welcome', v: 1 })
    const watch = await relay.next()
    expect(watch.type === 'watch' && watch.topics).toContain(topic)
    expect(await link.relays()).toEqual([{ relay: 'relay 7' }])
  })

  it.for([
    [
      'another version',
      { v: 2, something: 'new' },
      LINK_CLOSE.badVersion,
      'version 1 is spoken here',
    ],
    [
      'another instance',
      { instance: 'ckafka-elsewher' },
      LINK_CLOSE.badInstance,
      'this is ckafka-devlocal',
    ],
  ] as const)('with %s is closed with its code', async ([, over, code, reason], { expect }) => {
    const link = newLink()
    const relay = await connect(link)
    relay.hello('r1', over)
    expect(await relay.closed).toEqual({ code, reason })
    expect(await link.relays()).toEqual([])
  })

  it('with another frame than hello is closed, as is one with a second hello', async ({
    expect,
  }) => {
    const link = newLink()
    const early = await connect(link)
    early.answer(1, CLUSTER)
    const again = await greeted(link)
    again.hello()
    for (const relay of [early, again]) {
      const reason = 'hello comes first, and once'
      expect(await relay.closed).toEqual({ code: LINK_CLOSE.badFrame, reason })
    }
  })
})

describe('a question', () => {
  it('goes to a relay, and its answer comes back', async ({ expect }) => {
    const link = newLink()
    const relay = await greeted(link)
    const asked = link.ask(QUERY, LONG_MS)
    const { id, withinMs, query } = await relay.query()
    expect(query).toEqual(QUERY)
    expect(withinMs).toBeGreaterThan(LONG_MS / 2)
    expect(withinMs).toBeLessThanOrEqual(LONG_MS)
    relay.answer(id + 1, { ...CLUSTER, clusterId: 'of nothing' })
    relay.answer(id, CLUSTER)
    expect(await asked).toEqual({ status: 'answered', answer: CLUSTER })
  })

  it('is answered at once when nobody is connected, or has said hello', async ({ expect }) => {
    const link = newLink()
    expect(await link.ask(QUERY, LONG_MS)).toEqual({ status: 'no_relay' })
    await connect(link)
    expect(await link.ask(QUERY, LONG_MS)).toEqual({ status: 'no_relay' })
  })

  it.for(['closes', 'is busy'])(
    'is asked of the other relay when the first one %s',
    async (deed, { expect }) => {
      const link = newLink()
      const [a, b] = [await greeted(link), await greeted(link)]
      // One for each.
      const asked = [link.ask(QUERY, LONG_MS), link.ask(QUERY, LONG_MS)]
      const [{ id }, own] = [await a.query(), await b.query()]
      if (deed === 'closes') a.close()
      else a.answer(id, { status: 'failed', reason: 'busy', problem: 'x' })
      expect((await b.query()).id).toBe(id)
      for (const each of [own.id, id]) b.answer(each, CLUSTER)
      for (const one of asked) expect(await one).toEqual({ status: 'answered', answer: CLUSTER })
    },
  )

  it('ends as no_relay when the only relay closes', async ({ expect }) => {
    const link = newLink()
    const relay = await greeted(link)
    const asked = link.ask(QUERY, LONG_MS)
    await relay.query()
    relay.close()
    expect(await asked).toEqual({ status: 'no_relay' })
    expect(await link.relays()).toEqual([])
  })

  it('times out by itself, and is cancelled', async ({ expect }) => {
    const link = newLink()
    const relay = await greeted(link)
    const asked = link.ask(QUERY, 20)
    const { id } = await relay.query()
    expect(await asked).toEqual({ status: 'timed_out' })
    expect(await relay.next()).toEqual({ type: 'cancel', id })
    relay.answer(id, CLUSTER)
    expect(await link.relays()).toHaveLength(1)
  })

  it('is refused when the relay has as many as it takes', async ({ expect }) => {
    const link = newLink()
    const relay = await greeted(link)
    const asked = Array.from({ length: MAX_LINK_QUERIES }, () => link.ask(QUERY, LONG_MS))
    const ids = []
    for (const _ of asked) ids.push((await relay.query()).id)
    expect(new Set(ids).size).toBe(MAX_LINK_QUERIES)
    expect(await link.ask(QUERY, LONG_MS)).toEqual({ status: 'busy' })
    for (const id of ids) relay.answer(id, CLUSTER)
    const answers = await Promise.all(asked)
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set(['answered']))
  })

  it('may have an answer of megabytes', async ({ expect }) => {
    const link = newLink()
    const relay = await greeted(link)
    const asked = link.ask(QUERY, LONG_MS)
    const { id } = await relay.query()
    // Its frame is just small enough.
    const clusterId = 'x'.repeat(MAX_LINK_FRAME_BYTES - 200)
    relay.answer(id, { ...CLUSTER, clusterId })
    const result = await asked
    const answer = result.status === 'answered' ? result.answer : undefined
    expect(answer?.status === 'cluster' && answer.clusterId.length).toBe(clusterId.length)
  })
})

describe('a frame that is none', () => {
  const answer = (over: object): string => JSON.stringify({ type: 'answer', id: 1, ...over })

  it.for([
    ['no JSON', '{', 'a frame is JSON'],
    ['no text', new ArrayBuffer(2), 'a frame is a text'],
    ['of no type', '{"type":"x"}', 'this is no frame of the protocol'],
    [
      'with half an answer',
      answer({ answer: { status: 'cluster' } }),
      'this is no frame of the protocol',
    ],
    [
      'with more than a frame has',
      answer({ answer: CLUSTER, more: 1 }),
      'this is no frame of the protocol',
    ],
    [
      'too large',
      'x'.repeat(MAX_LINK_FRAME_BYTES + 1),
      `a frame has at most ${MAX_LINK_FRAME_BYTES} bytes`,
    ],
    [
      'too large in bytes',
      'é'.repeat(MAX_LINK_FRAME_BYTES / 2 + 1),
      `a frame has at most ${MAX_LINK_FRAME_BYTES} bytes`,
    ],
  ] as const)(
    '(%s) closes the socket; its question goes elsewhere',
    async ([, data, reason], { expect }) => {
      const link = newLink()
      const [bad, good] = [await greeted(link, 'bad'), await greeted(link, 'good')]
      // One for each.
      const asked = [link.ask(QUERY, LONG_MS), link.ask(QUERY, LONG_MS)]
      await bad.query()
      bad.sendRaw(data)
      for (const _ of asked) good.answer((await good.query()).id, CLUSTER)
      for (const one of asked) expect(await one).toEqual({ status: 'answered', answer: CLUSTER })
      expect(await bad.closed).toEqual({ code: LINK_CLOSE.badFrame, reason })
      expect(await link.relays()).toEqual([{ relay: 'good' }])
    },
  )
})

describe('a relay', () => {
  it('that was closed is no relay any more, whatever still comes from it', async ({ expect }) => {
    const applied = vi.spyOn(Registry.prototype, 'applyTargets')
    try {
      const link = newLink()
      const relay = await greeted(link)
      relay.sendRaw('{')
      relay.send({ type: 'targets', targets: [{ topic: 't', status: 'fit', partitions: 4 }] })
      await relay.closed
      expect(await link.relays()).toEqual([])
      expect(await link.ask(QUERY, LONG_MS)).toEqual({ status: 'no_relay' })
      await handled(link)
      expect(applied).not.toHaveBeenCalled()
    } finally {
      applied.mockRestore()
    }
  })

  it('that is slow with a question, and says something else, is asked as before', async ({
    expect,
  }) => {
    const link = newLink()
    const relays = [await greeted(link), await greeted(link)]
    const greetedAt = Date.now()
    await vi.waitUntil(() => Date.now() > greetedAt)
    const slow = [link.ask(QUERY, 30), link.ask(QUERY, 30)]
    for (const relay of relays) {
      await relay.query()
      if (relay === relays[0]) relay.send({ type: 'targets', targets: [] })
    }
    await Promise.all(slow)
    const asked = [link.ask(QUERY, LONG_MS), link.ask(QUERY, LONG_MS)]
    const [lively] = relays
    if (!lively) throw new Error('there are two')
    expect(await lively.next()).toMatchObject({ type: 'cancel' })
    for (const _ of asked) lively.answer((await lively.query()).id, CLUSTER)
    for (const one of asked) expect(await one).toEqual({ status: 'answered', answer: CLUSTER })
  })
})

describe('the object', () => {
  it('may be evicted: its sockets go on, and no late answer finds a new question', async ({
    expect,
  }) => {
    const link = newLink()
    const relay = await greeted(link, 'lasting')
    const before = link.ask(QUERY, 10)
    const { id: late } = await relay.query()
    await before
    await relay.next()
    await evictDurableObject(link)
    expect(await link.relays()).toEqual([{ relay: 'lasting' }])
    const asked = link.ask(QUERY, LONG_MS)
    const { id } = await relay.query()
    expect(Math.abs(id - late)).toBeGreaterThan(1_000)
    relay.answer(late, { ...CLUSTER, clusterId: 'late' })
    await handled(link)
    relay.answer(id, CLUSTER)
    expect(await asked).toEqual({ status: 'answered', answer: CLUSTER })
  })

  it('may be evicted between the upgrade and the hello', async ({ expect }) => {
    const link = newLink()
    const relay = await connect(link)
    await evictDurableObject(link)
    relay.hello()
    expect(await relay.next()).toEqual({ type: 'welcome', v: 1 })
  })

  it('is not run by a ping, which is answered all the same', async ({ expect }) => {
    const link = newLink()
    const relay = await greeted(link)
    await evictDurableObject(link)
    let starts = 0
    // Each start of the object makes one.
    class CountedPair extends WebSocketRequestResponsePair {
      constructor(request: string, response: string) {
        super(request, response)
        starts++
      }
    }
    vi.stubGlobal('WebSocketRequestResponsePair', CountedPair)
    try {
      relay.sendRaw(LINK_PING)
      expect(await relay.nextText()).toBe(LINK_PONG)
      expect(starts).toBe(0)
      expect(await link.relays()).toEqual([{ relay: 'r1' }])
      expect(starts).toBe(1)
    } finally {
      vi.unstubAllGlobals()
    }
  })

  it('wakes all relays', async ({ expect }) => {
    const link = newLink()
    const relays = [await greeted(link), await greeted(link)]
    await link.wake([0, 3])
    for (const relay of relays) expect(await relay.next()).toEqual({ type: 'wake', shards: [0, 3] })
  })
})

/** What was sent before is handled before this answers. */
async function handled(link: Link): Promise<void> {
  await link.relays()
}
