import * as fc from 'fast-check'
import { describe, it } from 'vitest'
import type { LedgerRecord } from '#contract'
import { Remembered } from '../../../relay/ledger/remembered.ts'
import { idOf, outcomeOf } from '../../support/items.ts'

const DAY_MS = 24 * 3_600_000

function batch(numbers: number[], raw?: string[]): LedgerRecord {
  return {
    v: 1,
    batch: numbers.map((n) => [idOf(n), outcomeOf(n)]),
    ...(raw ? { raw } : {}),
  }
}
const claim: LedgerRecord = { v: 1, claim: { relay: 'r', at: 1 } }

// Plain values, so that a failure can show them.
function stateOf({ size, untaken, low, next, settledLow }: Remembered) {
  return { size, untaken, low, next, settledLow }
}

function remember({ keep = 0 } = {}) {
  const time = { now: 0 }
  const remembered = new Remembered({ keep, clock: () => time.now })
  remembered.beginAt(0n)
  return { remembered, time }
}

describe('what is remembered', () => {
  it('an id is untaken with its outcome until the status store has it, and taken from then on', ({
    expect,
  }) => {
    const { remembered } = remember()
    expect(remembered.look(idOf(1))).toBeUndefined()
    remembered.add(batch([1]), 7n)
    expect(remembered.look(idOf(1))).toEqual({
      status: 'untaken',
      offset: 7n,
      outcome: outcomeOf(1),
    })
    expect(remembered.untaken).toBe(1)
    remembered.taken([idOf(1), idOf(1), idOf(99)])
    expect(remembered.look(idOf(1))).toEqual({ status: 'taken', offset: 7n })
    expect(remembered.untaken).toBe(0)
  })

  it('a record that comes again changes nothing: neither its outcomes nor what is taken', ({
    expect,
  }) => {
    const { remembered } = remember()
    remembered.add(batch([1]), 7n)
    remembered.taken([idOf(1)])
    remembered.add(batch([1, 2]), 7n)
    remembered.add(batch([3]), 5n)
    expect(remembered.look(idOf(1))).toMatchObject({ status: 'taken' })
    expect([2, 3].map((n) => remembered.look(idOf(n)))).toEqual([undefined, undefined])
    expect(stateOf(remembered)).toMatchObject({ size: 1, untaken: 0, next: 8n })
  })

  it('the first offset not read follows what is read, claims and markers included, and never goes back', ({
    expect,
  }) => {
    const remembered = new Remembered({ keep: 0, clock: () => 0 })
    expect(remembered.next).toBeUndefined()
    remembered.beginAt(5n)
    expect(stateOf(remembered)).toMatchObject({ low: 5n, next: 5n, settledLow: 5n })
    remembered.add(claim, 5n)
    expect(remembered.next).toBe(6n)
    remembered.readUpTo(9n)
    remembered.readUpTo(8n)
    expect(stateOf(remembered)).toMatchObject({ low: 5n, next: 9n, settledLow: 9n, size: 0 })
  })

  it('a record whose raw messages are still leased is not passed before they are acked, each once', ({
    expect,
  }) => {
    const { remembered } = remember()
    remembered.add(batch([1], ['m1', 'm2']), 3n, true)
    remembered.taken([idOf(1)])
    remembered.rawAcked(['m1', 'm1', 'unknown'])
    remembered.forget(undefined)
    expect(remembered.hasRaw('m2')).toBe(true)
    expect(remembered.settledLow).toBe(3n)
    remembered.rawAcked(['m2'])
    remembered.forget(undefined)
    expect(remembered.hasRaw('m1')).toBe(false)
    expect(remembered.settledLow).toBe(4n)
  })

  it('a raw message of which nobody says that it is acked holds nothing up for more than a day', ({
    expect,
  }) => {
    const { remembered, time } = remember()
    remembered.add(batch([], ['m1']), 3n, true)
    time.now = DAY_MS - 1
    remembered.forget(undefined)
    expect(remembered.settledLow).toBe(3n)
    time.now = DAY_MS
    remembered.forget(undefined)
    expect(remembered.settledLow).toBe(4n)
    expect(remembered.hasRaw('m1')).toBe(false)
  })

  it('raw messages are remembered by their queue id, and forgotten with their record', ({
    expect,
  }) => {
    const { remembered } = remember()
    remembered.add(batch([1], ['m1']), 0n)
    remembered.add(batch([], ['m2']), 1n)
    expect(['m1', 'm2', 'm3'].map((id) => remembered.hasRaw(id))).toEqual([true, true, false])
    remembered.forget(undefined)
    expect(remembered.hasRaw('m2')).toBe(true)
    remembered.taken([idOf(1)])
    remembered.forget(undefined)
    expect(['m1', 'm2'].map((id) => remembered.hasRaw(id))).toEqual([false, false])
    expect(stateOf(remembered)).toMatchObject({ size: 0, low: 2n })
  })

  it('what is not taken comes out in the order of the ledger, whatever was taken in between', ({
    expect,
  }) => {
    const { remembered } = remember()
    remembered.add(batch([5, 1]), 0n)
    remembered.add(batch([4, 2, 3]), 3n)
    remembered.add(batch([0]), 4n)
    remembered.taken([idOf(1), idOf(2)])
    expect([...remembered.untakenOutcomes()]).toEqual(
      [5, 4, 3, 0].map((n) => [idOf(n), outcomeOf(n)]),
    )
  })

  it.for([
    { name: 'in two records', records: [[1], [2, 1]] },
    { name: 'in one record', records: [[2, 1, 1]] },
  ])(
    'an id that is in the ledger twice $name is one id, and holds nothing up once it is taken',
    ({ records }, { expect }) => {
      const { remembered } = remember()
      for (const [i, numbers] of records.entries()) remembered.add(batch(numbers), BigInt(i))
      expect(stateOf(remembered)).toMatchObject({ size: 2, untaken: 2 })
      expect(new Set([...remembered.untakenOutcomes()].map(([id]) => id))).toEqual(
        new Set([idOf(1), idOf(2)]),
      )
      remembered.taken([idOf(1), idOf(2)])
      const settledLow = BigInt(records.length)
      expect(stateOf(remembered)).toMatchObject({ untaken: 0, settledLow })
    },
  )
})

describe('what is forgotten', () => {
  it('low moves past taken records only, and settledLow with it', ({ expect }) => {
    const { remembered } = remember()
    for (const n of [0, 1, 2]) remembered.add(batch([n]), BigInt(n))
    remembered.taken([idOf(0), idOf(2)])
    remembered.forget(undefined)
    expect(stateOf(remembered)).toMatchObject({ low: 1n, settledLow: 1n, size: 2 })
    remembered.taken([idOf(1)])
    expect(remembered.settledLow).toBe(3n)
    expect(remembered.low).toBe(1n)
    remembered.forget(undefined)
    expect(stateOf(remembered)).toMatchObject({ low: 3n, size: 0 })
  })

  it.for([
    { inUse: 0n, low: 0n },
    { inUse: 1n, low: 1n },
    { inUse: 2n, low: 2n },
    { inUse: 9n, low: 3n },
    { inUse: undefined, low: 3n },
  ])(
    'with a look-up in use that was asked at $inUse, low is $low and settledLow stays',
    ({ inUse, low }, { expect }) => {
      const { remembered } = remember()
      for (const n of [0, 1, 2]) remembered.add(batch([n]), BigInt(n))
      remembered.taken([0, 1, 2].map((n) => idOf(n)))
      remembered.forget(inUse)
      expect(stateOf(remembered)).toMatchObject({ low, settledLow: 3n })
    },
  )

  it('at least so many ids are kept as were asked for, as whole records', ({ expect }) => {
    const { remembered } = remember({ keep: 3 })
    remembered.add(batch([0, 1]), 0n)
    remembered.add(batch([2, 3]), 1n)
    remembered.add(batch([4]), 2n)
    remembered.taken([0, 1, 2, 3, 4].map((n) => idOf(n)))
    remembered.forget(undefined)
    expect(stateOf(remembered)).toMatchObject({ size: 3, low: 1n, settledLow: 3n })
    remembered.add(batch([5]), 3n)
    remembered.forget(undefined)
    expect(remembered.size).toBe(4)
  })

  it('nothing that may be forgotten is kept longer than a day; what is not taken is', ({
    expect,
  }) => {
    const { remembered, time } = remember({ keep: 100 })
    remembered.add(batch([0]), 0n)
    time.now = 1
    remembered.add(batch([1]), 1n)
    remembered.add(batch([2]), 2n)
    remembered.taken([idOf(0), idOf(1)])
    time.now = DAY_MS - 1
    remembered.forget(undefined)
    expect(remembered.low).toBe(0n)
    time.now = DAY_MS
    remembered.forget(undefined)
    expect(remembered.low).toBe(1n)
    time.now = 100 * DAY_MS
    remembered.forget(undefined)
    expect(stateOf(remembered)).toMatchObject({ low: 2n, size: 1, untaken: 1 })
  })

  it('after thousands of records it still finds the first that is not taken', ({ expect }) => {
    const { remembered } = remember({ keep: 10 })
    for (let n = 0; n < 5_000; n++) {
      remembered.add(batch([n]), BigInt(n))
      if (n % 50 === 49) {
        remembered.taken(Array.from({ length: 50 }, (_, i) => idOf(n - i)))
        remembered.forget(undefined)
      }
    }
    remembered.add(batch([9_999]), 5_000n)
    expect(stateOf(remembered)).toMatchObject({ low: 4_990n, settledLow: 5_000n, size: 11 })
    expect([...remembered.untakenOutcomes()].map(([id]) => id)).toEqual([idOf(9_999)])
  })
})

// The same as a list that forgets nothing: each id with its offset, the last one when it comes twice.
class NaiveList {
  readonly ids = new Map<number, { offset: bigint; taken: boolean }>()
  // Offset → ids of the record.
  readonly records = new Map<bigint, number[]>()

  add(numbers: readonly number[], offset: bigint): void {
    this.records.set(offset, [...numbers])
    for (const n of numbers) this.ids.set(n, { offset, taken: false })
  }

  untaken(): number[] {
    return [...this.ids].filter(([, { taken }]) => !taken).map(([n]) => n)
  }
}

type Step =
  | { do: 'add'; ids: number[]; gap: number }
  | { do: 'again'; ids: number[] }
  | { do: 'taken'; ids: number[] }
  | { do: 'forget'; inUse: number | undefined; later: number }

const ids = fc.uniqueArray(fc.nat(30), { maxLength: 5 })
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant('add' as const), ids, gap: fc.nat(3) }),
  fc.record({ do: fc.constant('again' as const), ids }),
  fc.record({ do: fc.constant('taken' as const), ids: fc.uniqueArray(fc.nat(30)) }),
  fc.record({
    do: fc.constant('forget' as const),
    inUse: fc.option(fc.nat(60), { nil: undefined }),
    later: fc.nat(DAY_MS),
  }),
)

it('property: after any sequence every id at or above low is remembered as it is, and nothing that is not taken is forgotten', ({
  expect,
}) => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.nat(8), (steps, keep) => {
      const { remembered, time } = remember({ keep })
      const list = new NaiveList()
      let end = 0n
      let low = 0n
      for (const s of steps) {
        switch (s.do) {
          case 'add': {
            end += BigInt(s.gap)
            remembered.add(batch(s.ids), end)
            list.add(s.ids, end)
            end++
            break
          }
          case 'again':
            if (end > 0n) remembered.add(batch(s.ids), end - 1n)
            break
          case 'taken':
            remembered.taken(s.ids.map((n) => idOf(n)))
            for (const n of s.ids) {
              const known = list.ids.get(n)
              if (known) known.taken = true
            }
            break
          case 'forget': {
            time.now += s.later
            const inUse = s.inUse === undefined ? undefined : BigInt(s.inUse)
            remembered.forget(inUse)
            // It is moved forwards only, and not past what is in use, unless it was there before.
            if (inUse !== undefined && low <= inUse) expect(remembered.low <= inUse).toBe(true)
            const untaken = list.untaken().length
            const held = [...list.records]
              .filter(([offset]) => inUse !== undefined && offset >= inUse)
              .reduce((sum, [, numbers]) => sum + numbers.length, 0)
            const firstUntaken = remembered.settledLow
            const behindUntaken = [...list.ids.values()].filter(
              ({ offset, taken }) => taken && offset >= firstUntaken,
            ).length
            // A record is forgotten whole, so that up to one less than a record of 5 is kept more.
            expect(remembered.size).toBeLessThanOrEqual(untaken + behindUntaken + held + keep + 4)
            break
          }
        }
        expect(remembered.low >= low).toBe(true)
        low = remembered.low
        expect(remembered.next).toBe(end)
        expect(remembered.untaken).toBe(list.untaken().length)
        const settled = [...list.ids.values()].filter(
          ({ offset, taken }) => !taken && offset < remembered.settledLow,
        )
        expect(settled).toEqual([])
        for (const [n, { offset, taken }] of list.ids) {
          const memory = remembered.look(idOf(n))
          if (offset >= low || !taken) {
            expect(memory).toMatchObject({ status: taken ? 'taken' : 'untaken', offset })
          } else {
            expect(memory).toBeUndefined()
          }
        }
        const untakenIds = [...remembered.untakenOutcomes()].map(([id]) => id)
        expect(untakenIds.sort()).toEqual(
          list
            .untaken()
            .map((n) => idOf(n))
            .sort(),
        )
      }
    }),
    { numRuns: 300 },
  )
})
