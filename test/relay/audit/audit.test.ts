// The audit over histories that were made up: what is right adds up, and each single fault that it can see is a difference.
import * as fc from 'fast-check'
import { describe, it } from 'vitest'
import { audit, type Ports } from '../../../relay/audit/audit.ts'
import type { DifferenceName } from '../../../relay/audit/differences.ts'
import { sumOf, type AuditOptions, type Result } from '../../../relay/audit/result.ts'
import { Stalled } from '../../../relay/operator/topic.ts'
import { build, plans, type Plan } from '../../history/generate.ts'
import type { History } from '../../history/history.ts'
import { MUTATIONS } from '../../history/mutations.ts'
import { DATAHUB, portsOf, topicOf } from './doubles.ts'

const RUNS = 50
const ALL: AuditOptions = { datahub: DATAHUB, from: 0, to: 10 }
const run = (history: History, ports = portsOf(history)) => audit(ALL, ports)

it('a history that is right adds up', async ({ expect }) => {
  await fc.assert(
    fc.asyncProperty(plans, async (plan) => {
      const history = build(plan, { final: false })
      const result = await run(history)
      expect(result.differences).toEqual([])
      const reports = plan.envelopes.flatMap(({ reports, end }) =>
        reports.map((r) => ({ ...r, end })),
      )
      const queued = reports.filter(({ end }) => end === 'queued').length
      const failed = reports.filter(
        ({ end, fails }) => end !== 'queued' && (end === 'lost' || fails),
      ).length
      const delivered = reports.length - queued - failed
      expect(sumOf(result)).toEqual({ accepted: reports.length, delivered, failed, queued })
      expect(result.ledger.envelopes + envelopesOf(result)).toBe(plan.envelopes.length)
    }),
    { numRuns: 200 },
  )
})

const envelopesOf = ({ queued }: Result) => (queued.status === 'known' ? queued.envelopes : 0)

// What each fault of the checker's list is for the audit. Not in it: what it can't see.
const SEEN: Record<string, DifferenceName | 'not seen'> = {
  'a record is dropped': 'record missing',
  'a record that a receipt names is dropped': 'record missing',
  'a record is doubled': 'record doubled',
  'a record is at another offset': 'record misplaced',
  'a record is in another partition': 'record misplaced',
  'two records have each other’s place': 'record misplaced',
  'two records have each other’s value': 'not seen',
  'a key is changed': 'not seen',
  'a failed report is told as delivered': 'outcome differs from the ledger',
  'a failed report is told as delivered where another is': 'outcome differs from the ledger',
  'a delivered report is told as failed': 'outcome differs from the ledger',
  'a failed report is in the ledger as delivered': 'record missing',
  // It asks once.
  'an outcome is told and told otherwise later': 'not seen',
  'a ledger entry is removed': 'record without a ledger entry',
  'a ledger entry is removed, and its message acked': 'acked, not in the ledger',
  'a ledger entry is removed, and its outcome told': 'not seen',
  'a ledger entry is doubled': 'ledger entry doubled',
  'a dead letter is dropped': 'dead letter missing',
  'a dead letter is doubled': 'dead letter doubled',
  'a report that was delivered has a dead letter': 'dead letter of a delivered report',
  'a message is acked and nothing committed': 'acked, not in the ledger',
  'a message is dropped by its queue': 'dropped by its queue',
  'a message is never acked and nothing committed': 'not seen',
  'an accepted envelope is nowhere': 'not seen',
  'an outcome is never told': 'no outcome in the status store',
  'a dead letter is about nothing': 'dead letter without a ledger entry',
  'a dead letter has another reason': 'dead letter for another reason',
  'a failed report is in its topic all the same': 'record of a failed report',
  'a ledger entry has a report too many': 'not seen',
  'an envelope is in another topic': 'not seen',
  'an envelope is in Kafka that nobody sent': 'in the ledger, never accepted',
}

it('the list is whole', ({ expect }) => {
  expect(Object.keys(SEEN).toSorted()).toEqual(Object.keys(MUTATIONS).toSorted())
})

const OF_RECEIPTS: DifferenceName[] = [
  'outcome differs from the ledger',
  'no outcome in the status store',
]

describe('each fault that it can see is a difference, with its id', () => {
  it.for(Object.entries(SEEN).filter(([, what]) => what !== 'not seen'))(
    '%s: %s',
    async ([name, what], { expect }) => {
      await fc.assert(
        fc.asyncProperty(plans, fc.nat(1_000), async (plan, choice) => {
          const history = build(plan, { final: true })
          const before = structuredClone(history)
          const fault = MUTATIONS[name]?.(history, choice)
          fc.pre(fault !== undefined && !fault.id.startsWith('message'))
          // Of two messages with one envelope the other's fate may be the worse news.
          fc.pre(what !== 'dropped by its queue' || messagesWith(history, fault?.id) === 1)
          if (OF_RECEIPTS.includes(what as DifferenceName)) {
            fc.pre(differsForAudit(before, history))
          }
          const { differences } = await run(history)
          const id = fault?.id.slice(0, 16) ?? ''
          const found = differences.filter((each) => each.id.startsWith(id))
          expect(found.map((each) => each.what)).toContain(what)
        }),
        { numRuns: RUNS, maxSkipsPerRun: 500 },
      )
    },
  )
})

const messagesWith = ({ queue }: History, id: string | undefined): number =>
  [...(queue?.values() ?? [])].filter((message) => message.id === id).length

// The last word of a whole receipt has changed.
function differsForAudit(before: History, after: History): boolean {
  const words = ({ observations }: History) =>
    new Map(
      observations.flatMap(({ id, receipt, reports }) =>
        receipt === `receipt of ${id}` ? [[id, JSON.stringify(reports)]] : [],
      ),
    )
  return JSON.stringify([...words(before)]) !== JSON.stringify([...words(after)])
}

const envelope = {
  reports: [
    { key: undefined, value: 'v', fails: false },
    { key: undefined, value: 'w', fails: false },
  ],
  end: 'delivered' as const,
  copies: 1,
  asked: { early: false, twice: false },
  conflicts: false,
}
const plan: Plan = { envelopes: [envelope, envelope, envelope], together: 1, raw: 0 }
const failing = { ...envelope, reports: [{ key: 1, value: 'v', fails: true }] }
const said = (result: Result, word: string) => result.limits.filter((limit) => limit.includes(word))

describe('what can not be proved is no difference, and is said', () => {
  it('records before the begin of their partitions', async ({ expect }) => {
    const history = build(plan, { final: true })
    history.records = history.records.filter(({ offset }) => offset >= 1)
    const result = await run(history, portsOf(history, { data: { start: 1 } }))
    expect(result.differences).toEqual([])
    expect(result.delivered).toEqual({ inTopic: 3, missing: 0, unprovable: 3 })
    expect(sumOf(result)).toEqual({ accepted: 6, delivered: 6, failed: 0, queued: 0 })
    expect(said(result, '3 delivered reports')).toHaveLength(1)
  })

  it('a topic that is gone', async ({ expect }) => {
    const history = build(plan, { final: true })
    const result = await run(history, portsOf(history, { gone: ['topic'] }))
    expect(result.differences).toEqual([])
    expect(result.delivered).toEqual({ inTopic: 0, missing: 0, unprovable: 6 })
    expect(said(result, 'it is gone (topic)')).toHaveLength(1)
  })

  it('records that a compaction may have taken', async ({ expect }) => {
    const history = build(plan, { final: true })
    history.records.shift()
    const result = await run(history, portsOf(history, { isCompacted: true }))
    expect(result.differences).toEqual([])
    expect(result.delivered).toEqual({ inTopic: 5, missing: 0, unprovable: 1 })
    expect(said(result, 'compacted (topic)')).toHaveLength(1)
  })

  it('but records behind an open transaction are missing: nobody can read them', async ({
    expect,
  }) => {
    const history = build(plan, { final: true })
    const ports = portsOf(history)
    const result = await run(history, {
      ...ports,
      async topic(name) {
        const topic = await ports.topic(name)
        return (
          topic && {
            ...topic,
            async read(range, ...rest) {
              if (range.partition !== 1) return topic.read(range, ...rest)
              throw new Stalled('topic/1 stalls at offset 0, 1 was to be read')
            },
          }
        )
      },
    })
    expect(result.differences.map(({ what }) => what)).toEqual(['record missing'])
    expect(result.delivered).toEqual({ inTopic: 4, missing: 2, unprovable: 0 })
    expect(said(result, 'topic/1 stalls at offset 0')).toHaveLength(1)
  })

  it('what is not asked', async ({ expect }) => {
    const history = build(plan, { final: true })
    const { log: _, store: __, ...ports } = portsOf(history)
    const result = await run(history, ports)
    expect([result.queued, result.store]).toEqual([
      { status: 'not checked' },
      { status: 'not checked' },
    ])
    expect(said(result, 'QUEUE_IDS')).toHaveLength(1)
    expect(said(result, 'RELAY_TOKEN')).toHaveLength(1)
    const asked = await run(history, { ...ports, backlog: async () => 7 })
    expect(asked.queued).toEqual({ status: 'messages', messages: 7 })
    expect(said(asked, '7 messages')).toHaveLength(1)
  })
})

describe('what goes on meanwhile is no difference', () => {
  // A history that grows while it is read: the ledger is first seen without its last entry.
  function growing(history: History): { ports: Ports; hidden: string } {
    const ports = portsOf(history)
    const short = { ...history, ledger: history.ledger.slice(0, -1) }
    const { ledger: shorter } = portsOf(short)
    let reads = 0
    return {
      hidden: history.ledger.at(-1)?.id ?? '',
      ports: {
        ...ports,
        ledger: {
          ...ports.ledger,
          end: (...args) => (reads < 6 ? shorter : ports.ledger).end(...args),
          async read(...args) {
            // Twice each partition before the topics are read.
            return (reads++ < 6 ? shorter : ports.ledger).read(...args)
          },
        },
      },
    }
  }

  it('an envelope that is committed after the ledger was read', async ({ expect }) => {
    const history = build(plan, { final: true })
    const { ports, hidden } = growing(history)
    for (const message of history.queue?.values() ?? []) {
      if (message.id === hidden) message.fate = 'live'
    }
    const result = await run(history, ports)
    expect(result.differences).toEqual([])
    expect(sumOf(result)).toEqual({ accepted: 6, delivered: 4, failed: 0, queued: 2 })
  })

  it('but an outcome of what is queued and was never committed is one', async ({ expect }) => {
    const history = build(plan, { final: true })
    const gone = history.ledger.pop()?.id ?? ''
    history.records = history.records.filter(({ report }) => !report.startsWith(gone))
    for (const message of history.queue?.values() ?? []) {
      if (message.id === gone) message.fate = 'live'
    }
    const { differences } = await run(history)
    expect(differences.map(({ what, id }) => [what, id])).toEqual([
      ['outcome without a ledger entry', gone],
    ])
  })

  it('an outcome that is told while it is asked for', async ({ expect }) => {
    const history = build(plan, { final: true })
    const ports = portsOf(history)
    const { lookUp = async () => ({ found: new Set(), absent: new Set() }) } = ports.store ?? {}
    let asked = 0
    const slow: Ports = {
      ...ports,
      store: {
        receipts: async (receipts) => receipts.map(() => undefined),
        lookUp: async (ids) =>
          asked++ === 0 ? { found: new Set(), absent: new Set(ids) } : lookUp(ids),
      },
    }
    expect((await run(history, slow)).differences).toEqual([])
  })
})

describe('only the datahub and the time in question count', () => {
  it('others in the same topic are known, and not counted', async ({ expect }) => {
    const history = build({ ...plan, envelopes: [...plan.envelopes, failing] }, { final: true })
    const other = history.ledger[0]
    if (!other) throw new Error('an entry')
    other.outcome = { ...other.outcome, datahub: 'datahub-otherone' }
    const ports = portsOf(history)
    const result = await audit(ALL, { ...ports, log: { read: async () => {} } })
    expect(result.ledger).toEqual({ envelopes: 3, reports: 5 })
    expect(new Set(result.differences.map(({ what }) => what))).toEqual(
      new Set(['in the ledger, never accepted']),
    )
  })

  it('an entry of long before explains its records all the same', async ({ expect }) => {
    const history = build(plan, { final: true })
    const [old] = history.ledger
    if (!old) throw new Error('an entry')
    old.outcome = { ...old.outcome, received: 1 }
    for (const { outcome } of history.ledger.slice(1)) outcome.received = 10_000_000
    const { log: _, ...ports } = portsOf(history)
    const result = await audit({ ...ALL, from: 0, to: 20_000_000 }, ports)
    expect(result.ledger.envelopes).toBe(3)
    const late = await audit({ ...ALL, from: 9_000_000, to: 20_000_000 }, ports)
    expect(late.ledger.envelopes).toBe(2)
    expect(late.differences).toEqual([])
  })
})

it('a ledger that can not be read ends it', async ({ expect }) => {
  const history = build(plan, { final: true })
  const broken = topicOf('ledger', [
    { partition: 1, offset: 3, record: { value: Buffer.from('{"v":2}') } },
  ])
  await expect(run(history, { ...portsOf(history), ledger: broken })).rejects.toThrow(
    'ledger/1/3 is no ledger record',
  )
})

it('of two POSTs with one key the receipt of the other body is passed over', async ({ expect }) => {
  const history = build(plan, { final: true })
  const ports = portsOf(history)
  const { log, store } = ports
  if (!log || !store) throw new Error('both')
  const result = await run(history, {
    ...ports,
    log: {
      read: (visit) =>
        log.read((given) => {
          visit(given)
          const { receipt = '', ...head } = given.envelope
          const envelope = { ...head, receipt: `${receipt}, other`, digest: '0a0a0a0a' }
          visit({ ...given, envelope })
        }),
    },
    store: {
      ...store,
      receipts: (receipts) =>
        Promise.all(
          receipts.map(async (receipt) =>
            receipt.endsWith(', other')
              ? [{ status: 'failed', reason: 'idempotency_conflict' }]
              : (await store.receipts([receipt]))[0],
          ),
        ),
    },
  })
  expect(result.differences).toEqual([])
  expect(result.store).toMatchObject({ compared: 3, found: 3 })
})
