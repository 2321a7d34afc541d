import * as fc from 'fast-check'
import { describe, it } from 'vitest'
import { MAX_SEND_AGE_MS } from '#contract'
import { decide, retryDelaySeconds, type Decision } from '../../relay/disposition.ts'
import type { Item } from '../../relay/item.ts'
import { idOf, itemOf, leaseOf, NOW, outcomeOf } from '../support/items.ts'

const nothing = { outcomeOf: () => undefined, hasRaw: () => false }
const raw = (n: number): Item => ({ lease: leaseOf(n), kind: 'raw', problem: 'not JSON' })

function leasesOf(decision: Decision): string[] {
  const items = [
    ...[...decision.leases.values()].flat(),
    ...decision.known.map(({ item }) => item),
    ...decision.raw,
    ...decision.knownRaw,
    ...decision.waiting.map(({ item }) => item),
  ]
  return items.map(({ lease }) => lease.leaseId)
}

describe('decide', () => {
  it('sends what is new once, however often it was pulled, and keeps every lease of it', ({
    expect,
  }) => {
    const decision = decide([itemOf(1, 1), itemOf(1, 2), itemOf(2, 3)], nothing, NOW)
    expect(decision.batch.send.map(({ envelope }) => envelope.id)).toEqual([idOf(1), idOf(2)])
    expect(decision.leases.get(idOf(1))?.map(({ lease }) => lease.leaseId)).toEqual([
      'lease-1',
      'lease-2',
    ])
  })

  it('never sends what the ledger has, and settles it with the outcome of the ledger', ({
    expect,
  }) => {
    const decision = decide([itemOf(1)], { ...nothing, outcomeOf: () => outcomeOf(7) }, NOW)
    expect(decision.batch.send).toEqual([])
    expect(decision.known.map(({ outcome }) => outcome)).toEqual([outcomeOf(7)])
  })

  it('a known envelope whose records are lost is known, not lost', ({ expect }) => {
    const { envelope, lease } = itemOf(1)
    const lost: Item = { lease, kind: 'lost', envelope, problem: 'gone' }
    expect(decide([lost], { ...nothing, outcomeOf: () => outcomeOf(7) }, NOW).known).toHaveLength(1)
    expect(decide([lost], nothing, NOW).batch.doomed.map(({ reason }) => reason)).toEqual([
      'envelope_lost',
    ])
  })

  it('an envelope is not sent later than eight days after its accept', ({ expect }) => {
    const young = decide([itemOf(1, 1, undefined, NOW - MAX_SEND_AGE_MS)], nothing, NOW)
    const old = decide([itemOf(1, 1, undefined, NOW - MAX_SEND_AGE_MS - 1)], nothing, NOW)
    expect(young.batch.send).toHaveLength(1)
    expect(old.batch.send).toEqual([])
    expect(old.batch.doomed.map(({ reason }) => reason)).toEqual(['attempts_exhausted'])
  })

  it('a raw message is dead-lettered once, by its queue id', ({ expect }) => {
    expect(decide([raw(1)], nothing, NOW).batch.raw).toHaveLength(1)
    expect(decide([raw(1)], { ...nothing, hasRaw: () => true }, NOW)).toMatchObject({
      batch: { raw: [] },
      knownRaw: [{ kind: 'raw' }],
    })
  })

  it('property: every lease that comes in goes out exactly once, and no id is sent twice or although known', ({
    expect,
  }) => {
    const item = fc.oneof(
      fc.tuple(fc.constant('envelope' as const), fc.integer({ min: 0, max: 9 })),
      fc.tuple(fc.constant('lost' as const), fc.integer({ min: 0, max: 9 })),
      fc.tuple(fc.constant('raw' as const), fc.integer({ min: 0, max: 9 })),
      fc.tuple(fc.constant('wait' as const), fc.constant(0)),
    )
    fc.assert(
      fc.property(
        fc.array(item, { maxLength: 40 }),
        fc.uniqueArray(fc.integer({ min: 0, max: 9 })),
        (drawn, knownNumbers) => {
          const known = new Set(knownNumbers.map((n) => idOf(n)))
          const items = drawn.map(([kind, n], i): Item => {
            const base = itemOf(n, i)
            if (kind === 'raw') {
              return { lease: { ...leaseOf(i), messageId: `message-${n}` }, kind, problem: '' }
            }
            if (kind === 'wait') return { lease: leaseOf(i), kind, reason: 'unknown_version' }
            return kind === 'lost'
              ? { lease: base.lease, kind, envelope: base.envelope, problem: '' }
              : base
          })
          const decision = decide(
            items,
            { outcomeOf: (id) => (known.has(id) ? outcomeOf(1) : undefined), hasRaw: () => false },
            NOW,
          )
          expect(leasesOf(decision).sort()).toEqual(items.map(({ lease }) => lease.leaseId).sort())
          const ids = [...decision.batch.send, ...decision.batch.doomed].map(
            ({ envelope }) => envelope.id,
          )
          expect(new Set(ids).size).toBe(ids.length)
          expect(ids.some((id) => known.has(id))).toBe(false)
          expect([...decision.leases.keys()].sort()).toEqual(ids.sort())
        },
      ),
    )
  })
})

it.for([
  [1, 1],
  [2, 2],
  [5, 16],
  [12, 2_048],
  [13, 3_600],
  [100, 3_600],
])(
  'delivery %i that can not be dealt with stays away for %i s',
  ([attempts = 0, seconds = 0], { expect }) => {
    expect(retryDelaySeconds(attempts)).toBe(seconds)
  },
)

it('a hundred given-back deliveries take more than three of the four days that the queue keeps a message', ({
  expect,
}) => {
  const total = Array.from({ length: 100 }, (_, i) => retryDelaySeconds(i + 1)).reduce(
    (a, b) => a + b,
    0,
  )
  expect(total).toBeGreaterThan(3 * 86_400)
})
