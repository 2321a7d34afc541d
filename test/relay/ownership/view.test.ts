import * as fc from 'fast-check'
import { describe, it } from 'vitest'
import { OwnershipView, type Ask, type GroupEvent } from '../../../relay/ownership/view.ts'

const joined = (...shards: number[]): GroupEvent => ({ type: 'joined', shards })
const heartbeat: GroupEvent = { type: 'heartbeat' }
const rebalancing: GroupEvent = { type: 'rebalancing' }
const crashed: GroupEvent = { type: 'crashed' }
const stopped: GroupEvent = { type: 'stopped' }

interface Row {
  name: string
  events: GroupEvent[]
  // Of the last event.
  granted?: number[]
  revoked?: number[]
  owned: number[]
  isMember: boolean
}

describe('what is owned', () => {
  it.for<Row>([
    { name: 'nothing has happened', events: [], owned: [], isMember: false },
    {
      name: 'the first join grants, in order',
      events: [joined(2, 0)],
      granted: [0, 2],
      owned: [0, 2],
      isMember: true,
    },
    {
      name: 'a rebalance alone revokes nothing and ends no membership',
      events: [joined(0, 1), rebalancing],
      owned: [0, 1],
      isMember: true,
    },
    {
      name: 'a kept shard is neither revoked nor granted again',
      events: [joined(0, 1), rebalancing, joined(2, 1)],
      granted: [2],
      revoked: [0],
      owned: [1, 2],
      isMember: true,
    },
    {
      name: 'a crash revokes nothing',
      events: [joined(0, 1), stopped, crashed],
      owned: [0, 1],
      isMember: false,
    },
    {
      name: 'a join after a crash revokes what it lacks',
      events: [joined(0, 1), crashed, joined(1)],
      revoked: [0],
      owned: [1],
      isMember: true,
    },
    {
      name: 'a join without a rebalance before it counts like any other',
      events: [joined(0, 1), joined()],
      revoked: [0, 1],
      owned: [],
      isMember: true,
    },
    {
      name: 'heartbeats change nothing',
      events: [joined(0), heartbeat, heartbeat],
      owned: [0],
      isMember: true,
    },
  ])('$name', ({ events, granted = [], revoked = [], owned, isMember }, { expect }) => {
    const view = new OwnershipView()
    const last = events.map((event) => view.apply(event)).at(-1)
    expect(last ?? { granted: [], revoked: [] }).toMatchObject({ granted, revoked })
    expect(view.owned).toEqual(new Set(owned))
    expect(view.isMember).toBe(isMember)
  })
})

type Step = GroupEvent | { type: 'ask'; shard: number }

const ask = (shard: number): Step => ({ type: 'ask', shard })

describe('whether a fenced owner may go on', () => {
  // The answer to the first question, and after how many steps it came.
  it.for<{ name: string; steps: Step[]; answer?: boolean; at?: number }>([
    {
      name: 'not at the first heartbeat: it may be the answer to a request from before the fence',
      steps: [joined(0), ask(0), heartbeat],
    },
    {
      name: 'at the second heartbeat',
      steps: [joined(0), ask(0), heartbeat, heartbeat, heartbeat],
      answer: true,
      at: 3,
    },
    {
      name: 'heartbeats from before the question do not count',
      steps: [joined(0), heartbeat, heartbeat, ask(0), heartbeat],
    },
    {
      name: 'a rebalance starts the count anew',
      steps: [joined(0), ask(0), heartbeat, rebalancing, joined(0), heartbeat, heartbeat],
      answer: true,
      at: 6,
    },
    {
      name: 'heartbeats between a rebalance and the join do not count',
      steps: [joined(0), ask(0), rebalancing, heartbeat, heartbeat],
    },
    {
      name: 'a join without a rebalance starts the count anew as well',
      steps: [joined(0), ask(0), heartbeat, joined(0), heartbeat],
    },
    {
      name: 'a crash starts the count anew',
      steps: [joined(0), ask(0), heartbeat, stopped, crashed, joined(0), heartbeat, heartbeat],
      answer: true,
      at: 7,
    },
    {
      name: 'it may be asked while the member is crashed',
      steps: [joined(0), crashed, ask(0), joined(0), heartbeat, heartbeat],
      answer: true,
      at: 5,
    },
    {
      name: 'no, when a join lacks the shard',
      steps: [joined(0, 1), ask(0), heartbeat, rebalancing, joined(1), heartbeat],
      answer: false,
      at: 4,
    },
    {
      name: 'not after the shard was gone and came back: that is a new question',
      steps: [joined(0), ask(0), joined(), joined(0), heartbeat, heartbeat],
      answer: false,
      at: 2,
    },
  ])('$name', ({ steps, answer, at }, { expect }) => {
    const found = answersOf(steps)[0]
    expect(found).toEqual(answer === undefined ? undefined : { answer, at })
  })

  it('a shard that is not owned has no question, and one that is withdrawn no answer', ({
    expect,
  }) => {
    const view = new OwnershipView()
    view.apply(joined(0))
    expect(view.ask(1)).toBeUndefined()
    const withdrawn = view.ask(0)
    if (withdrawn) view.withdraw(withdrawn)
    view.apply(heartbeat)
    expect(view.apply(heartbeat).answers).toEqual([])
  })
})

const shard = fc.integer({ min: 0, max: 2 })
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.constant(heartbeat) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('ask' as const), shard }) },
  {
    weight: 2,
    arbitrary: fc.uniqueArray(shard).map((shards): Step => ({ type: 'joined', shards })),
  },
  { weight: 1, arbitrary: fc.constantFrom(rebalancing, crashed, stopped) },
)
const history = fc.array(step, { maxLength: 40 })

it('what is owned is the last assignment, and the sum of all grants and revokes', ({ expect }) => {
  fc.assert(
    fc.property(history, (steps) => {
      const view = new OwnershipView()
      const sum = new Set<number>()
      let assigned: readonly number[] = []
      for (const event of steps) {
        if (event.type === 'ask') continue
        if (event.type === 'joined') assigned = event.shards
        const { granted, revoked } = view.apply(event)
        for (const revokedShard of revoked) expect(sum.delete(revokedShard)).toBe(true)
        for (const grantedShard of granted) {
          expect(sum.has(grantedShard)).toBe(false)
          sum.add(grantedShard)
        }
        expect(view.owned).toEqual(new Set(assigned))
        expect(sum).toEqual(view.owned)
      }
    }),
  )
})

it('each question is answered when, and only when, its whole history says so', ({ expect }) => {
  fc.assert(
    fc.property(history, (steps) => {
      expect(answersOf(steps)).toEqual(
        steps.flatMap((s, i) => (s.type === 'ask' ? [answerBy(steps, i)] : [])),
      )
    }),
    { numRuns: 500 },
  )
})

interface Answer {
  answer: boolean
  at: number
}

// The view's answer to each question, in the order of the questions.
function answersOf(steps: readonly Step[]): (Answer | undefined)[] {
  const view = new OwnershipView()
  const asks: (Ask | undefined)[] = []
  const answers = new Map<Ask, Answer>()
  // A shard that is not owned is refused on the spot.
  const refused = new Map<number, Answer>()
  for (const [at, s] of steps.entries()) {
    if (s.type === 'ask') {
      const asked = view.ask(s.shard)
      if (!asked) refused.set(asks.length, { answer: false, at })
      asks.push(asked)
    } else {
      for (const { ask: of, confirmed } of view.apply(s).answers) {
        answers.set(of, { answer: confirmed, at })
      }
    }
  }
  return asks.map((asked, i) => (asked ? answers.get(asked) : refused.get(i)))
}

// The same from the definition, read off the history backwards.
function answerBy(steps: readonly Step[], asked: number): Answer | undefined {
  const question = steps[asked]
  if (question?.type !== 'ask') throw new Error('not a question')
  const holds = (s: Step | undefined) => s?.type === 'joined' && s.shards.includes(question.shard)
  const lastJoin = steps.slice(0, asked).findLast((s) => s.type === 'joined')
  if (!holds(lastJoin)) return { answer: false, at: asked }
  for (let at = asked + 1; at < steps.length; at++) {
    const s = steps[at]
    if (s?.type === 'joined' && !holds(s)) return { answer: false, at }
    if (s?.type !== 'heartbeat') continue
    const past = steps.slice(0, at)
    const last = past.findLastIndex((p) => p.type !== 'ask' && p.type !== 'heartbeat')
    const heard = steps
      .slice(Math.max(last, asked) + 1, at + 1)
      .filter((p) => p.type === 'heartbeat').length
    if (holds(steps[last]) && heard >= 2) return { answer: true, at }
  }
  return undefined
}
