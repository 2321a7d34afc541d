import * as fc from 'fast-check'
import { describe, it } from 'vitest'
import { MAX_LINK_QUERIES, type LinkAnswer, type LinkFailure, type WorkerFrame } from '#contract'
import { Questions, type Asked } from '../../../worker/link/questions.ts'

const QUERY = { op: 'cluster' } as const
const answerOf = (clusterId: string): LinkAnswer => ({ status: 'cluster', clusterId, brokers: 3 })
const failed = (reason: LinkFailure): LinkAnswer => ({ status: 'failed', reason, problem: 'x' })
const answered = (answer: LinkAnswer): Asked => ({ status: 'answered', answer })

class FakeLink {
  readonly name: string
  readonly frames: WorkerFrame[] = []
  isOpen = true
  seen = 0

  constructor(name: string) {
    this.name = name
  }

  /** Ids of the questions that were sent to it. */
  get asked(): number[] {
    return this.frames.flatMap((frame) => (frame.type === 'query' ? [frame.id] : []))
  }
}

interface Timer {
  at: number
  run: () => void
}

function setUp(names: string, firstId = 1) {
  const links = names.split('').map((name) => new FakeLink(name))
  const timers = new Set<Timer>()
  let now = 1_000_000
  const questions = new Questions<FakeLink>({
    links: () => links,
    send(link, frame) {
      if (link.isOpen) link.frames.push(frame)
      return link.isOpen
    },
    seen: (link) => link.seen,
    now: () => now,
    after(ms, run) {
      const timer = { at: now + ms, run }
      timers.add(timer)
      return () => timers.delete(timer)
    },
    firstId,
  })
  return {
    questions,
    links,
    timers,
    now: () => now,
    link(name: string): FakeLink {
      const found = links.find((link) => link.name === name)
      if (!found) throw new Error(`there is no link ${name}`)
      return found
    },
    /** As the object does it: out of the list first. */
    close(link: FakeLink): void {
      if (links.includes(link)) links.splice(links.indexOf(link), 1)
      link.isOpen = false
      questions.gone(link)
    },
    async pass(ms: number): Promise<void> {
      const end = now + ms
      for (;;) {
        const [next] = [...timers].toSorted((a, b) => a.at - b.at)
        if (!next || next.at > end) break
        timers.delete(next)
        now = Math.max(now, next.at)
        next.run()
        await settle()
      }
      now = end
      await settle()
    },
  }
}

/** Lets promises that are settled tell it. */
async function settle(): Promise<void> {
  for (let i = 0; i < 3; i++) await Promise.resolve()
}

describe('a question', () => {
  it('goes out with its id and the time left, and comes back with its answer', async ({
    expect,
  }) => {
    const { questions, link, timers } = setUp('a', 41)
    const first = questions.ask(QUERY, 500)
    const second = questions.ask(QUERY, 700)
    expect(link('a').frames).toEqual([
      { type: 'query', id: 41, withinMs: 500, query: QUERY },
      { type: 'query', id: 42, withinMs: 700, query: QUERY },
    ])
    questions.answer(link('a'), 42, answerOf('two'))
    questions.answer(link('a'), 41, failed('kafka_unavailable'))
    expect(await Promise.all([first, second])).toEqual([
      answered(failed('kafka_unavailable')),
      answered(answerOf('two')),
    ])
    expect([questions.size, timers.size]).toEqual([0, 0])
  })

  it('ends at once without a relay, or without time', async ({ expect }) => {
    expect(await setUp('').questions.ask(QUERY, 500)).toEqual({ status: 'no_relay' })
    const { questions, link } = setUp('a')
    expect(await questions.ask(QUERY, 0)).toEqual({ status: 'timed_out' })
    expect(link('a').frames).toEqual([])
  })

  it('times out at its deadline, cancels, and takes no answer after it', async ({ expect }) => {
    const { questions, link, pass, now } = setUp('a')
    const start = now()
    const asked = questions.ask(QUERY, 500).then((result) => ({ result, after: now() - start }))
    await pass(499)
    expect(questions.size).toBe(1)
    await pass(1)
    expect(await asked).toEqual({ result: { status: 'timed_out' }, after: 500 })
    expect(link('a').frames.at(-1)).toEqual({ type: 'cancel', id: 1 })
    questions.answer(link('a'), 1, answerOf('late'))
    expect(questions.size).toBe(0)
  })

  it.for([
    // What the relays a, b and c do with it, in the order in which they are asked.
    ['a', ['busy'], 'busy'],
    ['a', ['close'], 'no_relay'],
    ['ab', ['busy', 'answer'], 'answered'],
    ['ab', ['close', 'answer'], 'answered'],
    ['ab', ['busy', 'busy'], 'busy'],
    ['ab', ['close', 'close'], 'no_relay'],
    ['ab', ['busy', 'close'], 'no_relay'],
    ['abc', ['close', 'busy'], 'busy'],
    ['abc', ['busy', 'busy'], 'busy'],
  ] as const)('to %s that %j ends as %s', async ([names, deeds, status], { expect }) => {
    const { questions, links, close, pass, timers } = setUp(names)
    const asking = questions.ask(QUERY, 500)
    const seen = new Set<FakeLink>()
    for (const deed of deeds) {
      await pass(100)
      const link = links.find((link) => link.asked.includes(1) && !seen.has(link))
      if (!link) throw new Error('nobody is asked')
      seen.add(link)
      if (deed === 'close') close(link)
      else questions.answer(link, 1, deed === 'busy' ? failed('busy') : answerOf(link.name))
    }
    expect((await asking).status).toBe(status)
    expect(timers.size).toBe(0)
  })

  it('is asked again with the time that is left', async ({ expect }) => {
    const { questions, link, close, pass } = setUp('ab')
    const asking = questions.ask(QUERY, 500)
    await pass(200)
    close(link('a'))
    expect(link('b').frames).toEqual([{ type: 'query', id: 1, withinMs: 300, query: QUERY }])
    questions.answer(link('b'), 1, answerOf('b'))
    expect(await asking).toEqual(answered(answerOf('b')))
  })

  it('does not take an answer of a relay that is not asked now', async ({ expect }) => {
    const { questions, link } = setUp('ab')
    const asking = questions.ask(QUERY, 500)
    questions.answer(link('b'), 1, answerOf('b'))
    questions.answer(link('a'), 7, answerOf('unknown'))
    questions.answer(link('a'), 1, failed('busy'))
    questions.answer(link('a'), 1, answerOf('a again'))
    questions.answer(link('b'), 1, answerOf('b, asked'))
    expect(await asking).toEqual(answered(answerOf('b, asked')))
  })

  it('goes to another relay when a socket takes nothing', async ({ expect }) => {
    const { questions, link } = setUp('ab')
    link('a').isOpen = false
    const asking = questions.ask(QUERY, 500)
    expect(link('b').asked).toEqual([1])
    questions.answer(link('b'), 1, failed('busy'))
    expect(await asking).toEqual({ status: 'busy' })
  })
})

describe('of several relays', () => {
  it('the one with the least to do is asked, in turn where they have the same', ({ expect }) => {
    const { questions, link } = setUp('abc')
    for (let i = 0; i < 6; i++) void questions.ask(QUERY, 500)
    expect([link('a').asked, link('b').asked, link('c').asked]).toEqual([
      [1, 4],
      [2, 5],
      [3, 6],
    ])
    questions.answer(link('b'), 2, answerOf('b'))
    void questions.ask(QUERY, 500)
    expect(link('b').asked).toEqual([2, 5, 7])
    for (const id of [1, 4]) questions.answer(link('a'), id, answerOf('a'))
    for (const id of [5, 7]) questions.answer(link('b'), id, answerOf('b'))
    void questions.ask(QUERY, 500)
    expect(link('a').asked).toEqual([1, 4, 8])
  })

  it('each is asked in turn, also when nobody has anything to do', async ({ expect }) => {
    const { questions, link } = setUp('abc')
    for (const [i, name] of ['a', 'b', 'c', 'a'].entries()) {
      const asking = questions.ask(QUERY, 500)
      questions.answer(link(name), i + 1, answerOf(name))
      expect(await asking).toEqual(answered(answerOf(name)))
    }
  })

  it('one that was busy has nothing more to do with that question', async ({ expect }) => {
    const { questions, link, close } = setUp('ab')
    const asking = questions.ask(QUERY, 500)
    questions.answer(link('a'), 1, failed('busy'))
    void questions.ask(QUERY, 500)
    expect(link('a').asked).toEqual([1, 2])
    close(link('a'))
    expect(link('b').asked).toEqual([1, 2])
    questions.answer(link('b'), 1, answerOf('b'))
    expect(await asking).toEqual(answered(answerOf('b')))
  })

  it('each has at most so many questions, and one more is refused', async ({ expect }) => {
    const { questions, link } = setUp('ab')
    for (let i = 0; i < 2 * MAX_LINK_QUERIES; i++) void questions.ask(QUERY, 500)
    expect(await questions.ask(QUERY, 500)).toEqual({ status: 'busy' })
    expect(link('a').asked).toHaveLength(MAX_LINK_QUERIES)
    expect(link('b').asked).toHaveLength(MAX_LINK_QUERIES)
    questions.answer(link('b'), 2, answerOf('b'))
    const asking = questions.ask(QUERY, 500)
    questions.answer(link('b'), link('b').asked.at(-1) ?? 0, answerOf('free again'))
    expect(await asking).toEqual(answered(answerOf('free again')))
  })

  it('the questions of one that closes do not overfill the other', async ({ expect }) => {
    const { questions, link, close } = setUp('ab')
    const ends: Asked[] = []
    for (let i = 0; i < MAX_LINK_QUERIES + 2; i++) {
      void questions.ask(QUERY, 500).then((asked) => ends.push(asked))
    }
    close(link('a'))
    await settle()
    expect(link('b').asked).toHaveLength(MAX_LINK_QUERIES)
    expect(ends).toEqual([{ status: 'busy' }, { status: 'busy' }])
  })

  it('one that left a question unanswered and was not heard since is asked last', async ({
    expect,
  }) => {
    const { questions, link, pass } = setUp('ab')
    for (const name of 'ab') questions.heard(link(name))
    await pass(1)
    void questions.ask(QUERY, 500)
    await pass(500)
    for (const id of [2, 3, 4]) {
      void questions.ask(QUERY, 500)
      expect(link('b').asked).toContain(id)
      questions.answer(link('b'), id, answerOf('b'))
    }
    expect(link('a').asked).toEqual([1])
    questions.heard(link('a'))
    void questions.ask(QUERY, 500)
    expect(link('a').asked).toEqual([1, 5])
  })

  it('one that was heard before it was asked, and not since, is asked last', async ({ expect }) => {
    const { questions, link, close, pass } = setUp('abc')
    void questions.ask(QUERY, 500)
    await pass(100)
    for (const name of ['b', 'c']) questions.heard(link(name))
    await pass(100)
    close(link('a'))
    expect(link('b').asked).toEqual([1])
    await pass(300)
    for (const _ of [2, 3]) void questions.ask(QUERY, 500)
    expect(link('c').asked).toEqual([2, 3])
  })

  it('one that only was slow with a question is asked as before', async ({ expect }) => {
    const { questions, link, pass } = setUp('ab')
    void questions.ask(QUERY, 500)
    await pass(100)
    // A ping, of which the object is not told.
    link('a').seen = 1_000_100
    link('b').seen = 1_000_100
    await pass(400)
    void questions.ask(QUERY, 500)
    void questions.ask(QUERY, 500)
    expect(link('a').asked).toHaveLength(2)
  })

  it('one that is silent for long is asked last, and still asked when it is the only one', async ({
    expect,
  }) => {
    const { questions, link, close, pass, now } = setUp('ab')
    link('a').seen = now()
    await pass(91_000)
    link('b').seen = now()
    for (let i = 0; i < 3; i++) void questions.ask(QUERY, 500)
    expect(link('b').asked).toEqual([1, 2, 3])
    close(link('b'))
    expect(link('a').asked).toEqual([1, 2, 3])
  })
})

describe('whatever relays do and whenever', () => {
  const names = fc.integer({ min: 0, max: 3 })
  const step = fc.oneof(
    fc.record({ do: fc.constant('ask' as const), ms: fc.integer({ min: 0, max: 60 }) }),
    fc.record({
      do: fc.constant('answer' as const),
      link: names,
      pick: fc.nat(),
      answer: fc.constantFrom('fine', 'busy', 'failed'),
    }),
    fc.record({ do: fc.constant('connect' as const) }),
    fc.record({ do: fc.constant('close' as const), link: names }),
    fc.record({ do: fc.constant('stall' as const), link: names }),
    fc.record({ do: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 40 }) }),
  )

  it('every question ends exactly once, in time, and with an answer that was given to it', async ({
    expect,
  }) => {
    await fc.assert(
      fc.asyncProperty(fc.nat(3), fc.array(step, { maxLength: 60 }), async (count, steps) => {
        const { questions, links, timers, close, pass, now } = setUp('abcd'.slice(0, count))
        const all = [...links]
        const given = new Map<number, Set<string>>()
        const ends: { id: number; deadline: number; at: number; asked: Asked }[] = []
        let asks = 0
        for (const step of steps) {
          const link = 'link' in step ? links[step.link] : undefined
          if (step.do === 'ask') {
            const id = ++asks
            const deadline = now() + step.ms
            void questions
              .ask(QUERY, step.ms)
              .then((asked) => ends.push({ id, deadline, at: now(), asked }))
          } else if (step.do === 'pass') {
            await pass(step.ms)
          } else if (step.do === 'connect') {
            const made = new FakeLink(`${all.length}`)
            links.push(made)
            all.push(made)
          } else if (link && step.do === 'close') {
            close(link)
          } else if (link && step.do === 'stall') {
            link.isOpen = false
          } else if (link && step.do === 'answer') {
            // Also ids that it was not asked, and such as ended.
            const id = [...link.asked, asks][step.pick % (link.asked.length + 1)] ?? 0
            const text = `${link.name} ${id} ${step.pick}`
            given.set(id, (given.get(id) ?? new Set()).add(text))
            questions.heard(link)
            questions.answer(link, id, step.answer === 'fine' ? answerOf(text) : failed('busy'))
          }
          await settle()
        }
        await pass(100)

        expect(ends.map(({ id }) => id).toSorted((a, b) => a - b)).toEqual(
          Array.from({ length: asks }, (_, i) => i + 1),
        )
        for (const { id, deadline, at, asked } of ends) {
          expect(at).toBeLessThanOrEqual(deadline)
          const askedOf = all.filter((link) => link.asked.includes(id))
          expect(askedOf.length).toBeLessThanOrEqual(2)
          if (asked.status !== 'answered') continue
          const text = asked.answer.status === 'cluster' ? asked.answer.clusterId : ''
          expect([...(given.get(id) ?? [])]).toContain(text)
          expect(askedOf.map(({ name }) => name)).toContain(text.split(' ')[0])
        }
        for (const link of all) expect(new Set(link.asked).size).toBe(link.asked.length)
        expect([questions.size, timers.size]).toEqual([0, 0])
      }),
      { numRuns: 500 },
    )
  })
})
