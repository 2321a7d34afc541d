import * as fc from 'fast-check'
import { describe, it } from 'vitest'
import { assignerProtocol } from '../../../relay/kafka/kafkajs.ts'
import {
  decodeClaims,
  encodeOwned,
  shareOut,
  type Claimant,
} from '../../../relay/ownership/assigner.ts'

const MAX_SHARDS = 12
const MAX_MEMBERS = 5

const shards = fc
  .integer({ min: 0, max: MAX_SHARDS })
  .map((count) => Array.from({ length: count }, (_, i) => i))
const ids = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 3 }), {
  minLength: 1,
  maxLength: MAX_MEMBERS,
})
// Anything a member may say: shards that others claim too, that don't exist, twice the same.
const members = ids.chain((all) =>
  fc.tuple(
    ...all.map((id) =>
      fc.record({
        id: fc.constant(id),
        claims: fc.array(fc.integer({ min: 0, max: MAX_SHARDS + 3 }), { maxLength: 8 }),
      }),
    ),
  ),
)
// No shard is claimed by two: each has one owner or none.
const honest = fc.tuple(shards, ids).chain(([all, names]) =>
  fc
    .array(fc.option(fc.nat(names.length - 1)), { minLength: all.length, maxLength: all.length })
    .map((owners): { all: number[]; claimants: Claimant[] } => ({
      all,
      claimants: names.map((id, i) => ({ id, claims: all.filter((s) => owners[s] === i) })),
    })),
)

describe('shares', () => {
  it('every shard goes to exactly one member, and shares differ by at most one', ({ expect }) => {
    fc.assert(
      fc.property(shards, members, (all, claimants) => {
        const shares = shareOut(all, claimants)
        expect([...shares.keys()].sort()).toEqual(claimants.map(({ id }) => id).sort())
        expect([...shares.values()].flat().sort((a, b) => a - b)).toEqual(all)
        const sizes = [...shares.values()].map((has) => has.length)
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1)
      }),
    )
  })

  it('do not depend on the order in which anything is said', ({ expect }) => {
    fc.assert(
      fc.property(shards, members, fc.nat(), (all, claimants, turn) => {
        const other = claimants
          .map(({ id, claims }) => ({ id, claims: [...claims].reverse() }))
          .map((_, i, list) => list[(i + turn) % list.length] ?? { id: '', claims: [] })
        expect(sorted(shareOut([...all].reverse(), other))).toEqual(
          sorted(shareOut(all, claimants)),
        )
      }),
    )
  })

  it('move no more claimed shards than equal shares need', ({ expect }) => {
    fc.assert(
      fc.property(honest, ({ all, claimants }) => {
        const shares = shareOut(all, claimants)
        const kept = claimants.map(
          ({ id, claims }) => claims.filter((s) => shares.get(id)?.includes(s)).length,
        )
        expect(sum(kept)).toBe(mostKept(all.length, claimants))
      }),
    )
  })

  it('do not move at all when they are equal already', ({ expect }) => {
    fc.assert(
      fc.property(shards, members, (all, claimants) => {
        const shares = shareOut(all, claimants)
        expect(sorted(shareOut(all, asClaims(shares)))).toEqual(sorted(shares))
      }),
    )
  })

  it('a member that comes only takes, and takes only its share', ({ expect }) => {
    fc.assert(
      fc.property(shards, members, (all, claimants) => {
        const before = shareOut(all, claimants)
        const after = shareOut(all, [...asClaims(before), { id: 'new member', claims: [] }])
        for (const [id, has] of before) {
          expect(has).toEqual(expect.arrayContaining(after.get(id) ?? []))
        }
        expect(after.get('new member')?.length).toBe(Math.floor(all.length / after.size))
      }),
    )
  })

  it('of a member that goes only its own shards move', ({ expect }) => {
    fc.assert(
      fc.property(shards, members, (all, claimants) => {
        const before = shareOut(all, claimants)
        const after = shareOut(all, asClaims(before).slice(1))
        for (const [id, has] of after) {
          expect(has).toEqual(expect.arrayContaining(before.get(id) ?? []))
        }
      }),
    )
  })

  it('a shard that two claim goes to the one with less: who comes back gets its own again', ({
    expect,
  }) => {
    const shares = shareOut(
      [0, 1, 2, 3],
      [
        { id: 'took over', claims: [0, 1, 2, 3] },
        { id: 'comes back', claims: [0, 1] },
      ],
    )
    expect(sorted(shares)).toEqual([
      ['comes back', [0, 1]],
      ['took over', [2, 3]],
    ])
  })
})

describe('what a member says it owns', () => {
  const metadata = (userData: Buffer) =>
    assignerProtocol.MemberMetadata.encode({ version: 0, topics: ['ledger'], userData })

  it('is read as it was written', ({ expect }) => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat()), (owned) => {
        const read = decodeClaims(metadata(encodeOwned(new Set(owned))))
        expect(read).toEqual([...owned].sort((a, b) => a - b))
      }),
    )
  })

  it.for([
    '',
    'garbage',
    'null',
    '[0]',
    '{}',
    '{"shards":"0"}',
    '{"shards":[-1]}',
    '{"shards":[0,0.5]}',
    '{"shards":[0,null]}',
  ])('counts as nothing when it is %j', (userData, { expect }) => {
    expect(decodeClaims(metadata(Buffer.from(userData)))).toEqual([])
  })

  it('counts as nothing when nothing of it can be read', ({ expect }) => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        expect(decodeClaims(Buffer.from(bytes))).toEqual([])
        expect(decodeClaims(metadata(Buffer.from(bytes)))).toEqual([])
      }),
    )
  })
})

function asClaims(shares: ReadonlyMap<string, number[]>): Claimant[] {
  return [...shares].map(([id, claims]) => ({ id, claims }))
}

function sorted(shares: ReadonlyMap<string, number[]>): [string, number[]][] {
  return [...shares].sort(([a], [b]) => (a < b ? -1 : 1))
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => a + b, 0)
}

// The best that can be had: every choice of who gets the larger shares is tried.
function mostKept(count: number, claimants: readonly Claimant[]): number {
  const small = Math.floor(count / claimants.length)
  const larger = count % claimants.length
  let most = 0
  for (let choice = 0; choice < 2 ** claimants.length; choice++) {
    const isLarger = claimants.map((_, i) => ((choice >> i) & 1) === 1)
    if (isLarger.filter(Boolean).length !== larger) continue
    const kept = claimants.map(({ claims }, i) =>
      Math.min(claims.length, small + (isLarger[i] ? 1 : 0)),
    )
    most = Math.max(most, sum(kept))
  }
  return most
}
