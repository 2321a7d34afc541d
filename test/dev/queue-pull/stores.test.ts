import { DatabaseSync } from 'node:sqlite'
import * as fc from 'fast-check'
import { describe, it } from 'vitest'
import { LeaseQueue } from '../../../dev/queue-pull/lease-queue.ts'
import type { MessageStore } from '../../../dev/queue-pull/message-store.ts'
import type { Side } from '../../../dev/queue-pull/queues.ts'
import { createMemoryStore } from '../../../dev/queue-pull/store-memory.ts'
import { createSqliteStore } from '../../../dev/queue-pull/store-sqlite.ts'

const SETTINGS = { maxRetries: 3, visibilityTimeoutMs: 1000, retentionMs: 20_000 }
const START = 1_700_000_000_000

/** The Durable Object's SQLite and this one are the same engine; the conformance suite runs the real one. */
function createNodeSqliteStore(): MessageStore {
  const db = new DatabaseSync(':memory:')
  return createSqliteStore({
    exec<T>(query: string, ...bindings: (string | number)[]) {
      if (bindings.length === 0 && query.includes('CREATE')) db.exec(query)
      const all = query.includes('CREATE') ? [] : db.prepare(query).all(...bindings)
      const rows = all.map((row) => ({ ...row }) as T)
      return {
        toArray: () => rows,
        one() {
          const [row] = rows
          if (row === undefined) throw new Error('no row')
          return row
        },
      }
    },
  })
}

type Step =
  | { do: 'give'; side: Side; delayMs: number }
  | { do: 'pull'; side: Side; limit: number; visibilityTimeoutMs?: number | undefined }
  /** Of the `nth` lease ever given, counted back from the newest. */
  | { do: 'ack' | 'retry'; nth: number; delayMs: number }
  | { do: 'wait'; ms: number }
  | { do: 'expire'; side: Side }
  | { do: 'redrive' }
  | { do: 'maxRetries'; maxRetries: number }

const side = fc.constantFrom<Side>('queue', 'queue', 'queue', 'deadLetter')
const delayMs = fc.constantFrom(0, 0, 500, 3000)

const steps = (limit: fc.Arbitrary<number>): fc.Arbitrary<Step[]> =>
  fc.array(
    fc.oneof(
      { weight: 4, arbitrary: fc.record({ do: fc.constant('give' as const), side, delayMs }) },
      {
        weight: 5,
        arbitrary: fc.record({
          do: fc.constant('pull' as const),
          side,
          limit,
          visibilityTimeoutMs: fc.constantFrom(undefined, 0, 5000),
        }),
      },
      {
        weight: 4,
        arbitrary: fc.record({
          do: fc.constantFrom('ack' as const, 'retry' as const, 'retry' as const),
          nth: fc.nat(8),
          delayMs,
        }),
      },
      {
        weight: 3,
        arbitrary: fc.record({
          do: fc.constant('wait' as const),
          ms: fc.constantFrom(1, 400, 1000, 9000),
        }),
      },
      fc.record({ do: fc.constant('expire' as const), side }),
      fc.record({ do: fc.constant('redrive' as const) }),
      fc.record({ do: fc.constant('maxRetries' as const), maxRetries: fc.constantFrom(1, 3) }),
    ),
    { maxLength: 60, size: 'max' },
  )

interface Lease {
  leaseId: string
  id: string
  side: Side
  attempts: number
  until: number
}

/** Runs a history and tells what a consumer saw, step by step. */
function run(
  queue: LeaseQueue,
  history: readonly Step[],
  saw: (lease: Lease, now: number) => void = () => {},
) {
  const leases: Lease[] = []
  const seen: unknown[] = []
  let now = START
  let given = 0
  for (const step of history) {
    switch (step.do) {
      case 'give': {
        const id = String(++given).padStart(32, '0')
        const body = { body: `b${given}`, contentType: 'text', bytes: 2 } as const
        queue.give(step.side, [{ id, ...body, timestamp: now, visibleAt: now + step.delayMs }], now)
        break
      }
      case 'pull': {
        const result = queue.pull(step.side, step, now)
        if (result.status !== 'ok') throw new Error('paused')
        const until = now + (step.visibilityTimeoutMs ?? SETTINGS.visibilityTimeoutMs)
        const pulled = result.deliveries
          .map(({ message, attempts, leaseId }) => ({
            leaseId,
            id: message.id,
            side: step.side,
            attempts,
            until,
          }))
          .sort((a, b) => a.id.localeCompare(b.id))
        for (const lease of pulled) saw(lease, now)
        leases.push(...pulled)
        seen.push(pulled, result.backlog)
        break
      }
      case 'ack':
      case 'retry': {
        const lease = leases.at(-1 - step.nth)
        if (!lease) break
        const { leaseId } = lease
        const request =
          step.do === 'ack'
            ? { acks: [leaseId], retries: [] }
            : { acks: [], retries: [{ leaseId, delayMs: step.delayMs }] }
        const { ackCount, retryCount, warnings } = queue.ack(lease.side, request, now)
        seen.push({ ackCount, retryCount, warnings })
        break
      }
      case 'wait':
        now += step.ms
        break
      case 'expire':
        seen.push(queue.expireLeases(step.side, now))
        break
      case 'redrive':
        seen.push(queue.redrive(now))
        break
      case 'maxRetries':
        queue.changeSettings({ maxRetries: step.maxRetries })
        break
    }
  }
  seen.push(queue.counts('queue', now), queue.counts('deadLetter', now))
  return { seen, given, now, leases }
}

const stores = { memory: createMemoryStore, sqlite: createNodeSqliteStore }

it('both stores show a consumer the same, whatever the history', ({ expect }) => {
  fc.assert(
    fc.property(steps(fc.constant(100)), (history) => {
      const inMemory = run(new LeaseQueue(createMemoryStore(), SETTINGS), history)
      const inSqlite = run(new LeaseQueue(createNodeSqliteStore(), SETTINGS), history)
      expect(inMemory.seen).toEqual(inSqlite.seen)
    }),
    { numRuns: 300 },
  )
})

describe.for(['memory', 'sqlite'] as const)('the queue over the %s store', (name) => {
  const create = (): LeaseQueue => new LeaseQueue(stores[name](), SETTINGS)

  it('keeps each message in exactly one condition, and loses none', ({ expect }) => {
    fc.assert(
      fc.property(steps(fc.integer({ min: 1, max: 3 })), (history) => {
        const queue = create()
        const { given, now } = run(queue, history)
        const counts = [queue.counts('queue', now), queue.counts('deadLetter', now)]
        const total = counts.flatMap((each) => Object.values(each)).reduce((sum, n) => sum + n, 0)
        expect(total).toBe(given)
        expect(queue.log(0, 1000)).toHaveLength(given)
      }),
      { numRuns: 150 },
    )
  })

  it('never leases a message that is leased', ({ expect }) => {
    const quiet = steps(fc.integer({ min: 1, max: 3 })).map((history) =>
      history.filter((step) => !['expire', 'retry', 'redrive'].includes(step.do)),
    )
    fc.assert(
      fc.property(quiet, (history) => {
        const held = new Map<string, number>()
        run(create(), history, ({ id, side, until }, now) => {
          expect(held.get(`${side} ${id}`) ?? 0).toBeLessThanOrEqual(now)
          held.set(`${side} ${id}`, until)
        })
      }),
      { numRuns: 150 },
    )
  })

  it('never delivers a message more often than it may', ({ expect }) => {
    fc.assert(
      fc.property(steps(fc.integer({ min: 1, max: 3 })), (history) => {
        run(create(), history, ({ attempts }) =>
          expect(attempts).toBeLessThanOrEqual(SETTINGS.maxRetries),
        )
      }),
      { numRuns: 150 },
    )
  })

  it('remembers pause and settings over a restart', ({ expect }) => {
    const store = stores[name]()
    const before = new LeaseQueue(store, SETTINGS)
    before.setPaused('queue', true)
    before.changeSettings({ maxRetries: 9 })
    const after = new LeaseQueue(store, SETTINGS)
    expect(after.isPaused('queue')).toBe(true)
    expect(after.isPaused('deadLetter')).toBe(false)
    expect(after.settings).toEqual({ ...SETTINGS, maxRetries: 9 })
  })
})

it('a memory store without a log forgets acked messages', ({ expect }) => {
  const queue = new LeaseQueue(createMemoryStore({ keepLog: false }), SETTINGS)
  const { leases } = run(queue, [
    { do: 'give', side: 'queue', delayMs: 0 },
    { do: 'pull', side: 'queue', limit: 1 },
    { do: 'ack', nth: 0, delayMs: 0 },
  ])
  expect(queue.log(0, 10)).toEqual([])
  const again = queue.ack('queue', { acks: leases.map((l) => l.leaseId), retries: [] }, START)
  expect(Object.keys(again.warnings)).toHaveLength(1)
})
