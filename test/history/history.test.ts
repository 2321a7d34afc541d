// The checker is checked: it finds nothing in a history that is right, and each single fault by its name.
import * as fc from 'fast-check'
import { describe, it } from 'vitest'
import { checkHistory, formatViolation, RULES, type ViolationName } from './check.ts'
import { build, plans, type Plan } from './generate.ts'
import { append, contentOf, emptyHistory, type History } from './history.ts'
import { FINAL_ONLY, MUTATIONS } from './mutations.ts'

const RUNS = 50
const modes = [{ final: false }, { final: true }]

it.for(modes)('a history that is right has no violation ($final)', (mode, { expect }) => {
  fc.assert(
    fc.property(plans, (plan) => {
      expect(checkHistory(build(plan, mode), mode)).toEqual([])
    }),
    { numRuns: 300 },
  )
})

const faults = Object.entries(MUTATIONS).flatMap(([name, mutate]) =>
  modes
    .filter(({ final }) => final || !FINAL_ONLY.includes(name))
    .map((mode) => ({ name, mutate, mode })),
)

describe('each single fault is found, by its name and id', () => {
  it.for(faults)('$name ($mode.final)', ({ mutate, mode }, { expect }) => {
    let planted = 0
    fc.assert(
      fc.property(plans, fc.nat(1_000), (plan, choice) => {
        const history = build(plan, mode)
        const fault = mutate(history, choice)
        fc.pre(fault !== undefined)
        planted++
        const found = checkHistory(history, mode).map(({ name, id }) => ({ name, id }))
        expect(found).toContainEqual(fault)
      }),
      { numRuns: RUNS, maxSkipsPerRun: 200 },
    )
    expect(planted).toBeGreaterThanOrEqual(RUNS)
  })
})

it('every name is found by one of these, or below', ({ expect }) => {
  const others: ViolationName[] = ['out of order', 'one key in two partitions']
  const planted = Object.values(MUTATIONS).flatMap(
    (mutate) =>
      fc
        .sample(plans, { numRuns: 100, seed: 1 })
        .map((plan, i) => mutate(build(plan, { final: true }), i)?.name)
        .find((name) => name !== undefined) ?? [],
  )
  expect(new Set([...planted, ...others])).toEqual(new Set(Object.keys(RULES)))
})

describe('what is no fault', () => {
  const envelope = {
    reports: [{ key: undefined, value: 'v', fails: false }],
    end: 'delivered' as const,
    copies: 1,
    asked: { early: true, twice: true },
    conflicts: false,
  }
  const plan: Plan = { envelopes: [envelope, envelope], together: 1, raw: 1 }
  const names = (history: History, options = { final: true }) =>
    checkHistory(history, options).map(formatViolation)

  it('a message that comes again after all is known, and stays live', ({ expect }) => {
    const history = build(plan, { final: true })
    for (const message of [...(history.queue?.values() ?? [])]) {
      history.queue?.set(`again/${message.seq}`, {
        ...message,
        seq: message.seq + 100,
        fate: 'live',
      })
    }
    expect(names(history)).toEqual([])
  })

  it('a message that was no envelope and has two dead letters', ({ expect }) => {
    const history = build(plan, { final: true })
    const raw = history.letters.filter(({ messageId }) => messageId !== undefined)
    append(history, { letters: raw.map((letter) => ({ ...letter, offset: 77 })) })
    expect(names(history)).toEqual([])
  })

  it('queues that were not looked at say nothing', ({ expect }) => {
    const history = { ...build(plan, { final: true }), queue: undefined }
    expect(names(history)).toEqual([])
    history.ledger = []
    expect(names(history)).toContainEqual(expect.stringContaining('I7 lost: '))
  })
})

it('reports of a POST are written in their order, and a key in one partition', ({ expect }) => {
  const report = { key: 0, value: 'v', fails: false }
  const end = 'delivered' as const
  const rest = { copies: 1, asked: { early: false, twice: false }, conflicts: false }
  const history = build(
    { envelopes: [{ reports: [report, report], end, ...rest }], together: 1, raw: 0 },
    { final: true },
  )
  const [a, b] = history.records
  const [entry] = history.ledger
  if (!a || !b || !entry) throw new Error('two records and an entry')
  ;[a.report, b.report] = [b.report, a.report]
  entry.outcome.runs = [
    [1, 0, '1'],
    [1, 0, '0'],
  ]
  history.observations = []
  expect(checkHistory(history).map(({ name }) => name)).toEqual(['out of order'])

  a.partition = 1
  const found = checkHistory(history).map(({ name }) => name)
  expect(found).toContain('one key in two partitions')
})

it('content is compared as bytes', ({ expect }) => {
  expect(contentOf({ key: 'ü', base64: 'AP8=' })).toEqual({ key: 'Ã¼', value: '\0ÿ' })
  expect(contentOf({ json: { a: 1 } })).toEqual(contentOf({ value: '{"a":1}' }))
  expect(contentOf({})).toEqual({ key: null, value: null })
  expect(emptyHistory().accepted).toEqual([])
})
