/**
 * Who gets which shard: shares differ by at most one, and a member keeps what it has as far as that allows, because a shard that moves has
 * to be booted anew. The sharing out is pure; below it is its form for kafkajs, where each member says in its user data which shards it
 * owns and the group's leader decides for all. The order of members, shards and claims never matters, so any leader decides the same.
 */
import type { PartitionAssigner } from 'kafkajs'
import * as z from 'zod'
import { assignerProtocol } from '../kafka/kafkajs.ts'

export interface Claimant {
  id: string
  /** The shards that it says it owns. Not trusted: any numbers, also those that others claim. */
  claims: readonly number[]
}

/** Members that speak another name or version can't be in one group with this one: change it only together with the group's name. */
const PROTOCOL = { name: 'edgehub-sticky', version: 0 }

const UserData = z.object({ shards: z.array(z.int().nonnegative()) })

/**
 * Shares the shards out: each to exactly one member. When no two members claim the same shard, no more of the claimed shards move than
 * equal shares need. A shard that several claim (one of them does not know yet that it lost it) goes to the one with the least so far.
 */
export function shareOut(
  shards: readonly number[],
  members: readonly Claimant[],
): Map<string, number[]> {
  if (members.length === 0) return new Map()
  const claims = undisputed(shards, members)
  // Who has the most may have the larger shares: that is what makes fewest shards move.
  const byClaims = [...claims].sort(
    ([a, has], [b, hasToo]) => hasToo.length - has.length || compare(a, b),
  )
  const small = Math.floor(shards.length / members.length)
  const larger = shards.length % members.length
  const shares = byClaims.map(([id, claimed], i) => {
    const size = small + (i < larger ? 1 : 0)
    return { id, size, has: claimed.slice(0, size) }
  })
  const kept = new Set(shares.flatMap(({ has }) => has))
  const free = ascending(shards.filter((shard) => !kept.has(shard)))
  for (const { size, has } of shares) has.push(...free.splice(0, size - has.length))
  return new Map(shares.map(({ id, has }) => [id, ascending(has)]))
}

/** Of each member, the shards that it alone is held to own, ascending. */
function undisputed(
  shards: readonly number[],
  members: readonly Claimant[],
): Map<string, number[]> {
  const sorted = [...members].sort((a, b) => compare(a.id, b.id))
  const claims = new Map(sorted.map(({ id, claims }) => [id, new Set(claims)]))
  const claimed = ascending(shards).map((shard) => ({
    shard,
    by: sorted.filter(({ id }) => claims.get(id)?.has(shard)).map(({ id }) => id),
  }))
  const result = new Map<string, number[]>(sorted.map(({ id }) => [id, []]))
  const count = (id: string) => result.get(id)?.length ?? 0
  for (const { shard, by } of claimed) {
    if (by.length === 1) for (const id of by) result.get(id)?.push(shard)
  }
  for (const { shard, by } of claimed) {
    if (by.length < 2) continue
    const least = by.reduce((a, b) => (count(b) < count(a) ? b : a))
    result.get(least)?.push(shard)
  }
  return new Map([...result].map(([id, has]) => [id, ascending(has)]))
}

/** The assigner as kafkajs takes it. `owned` is asked at every join. */
export function createAssigner(topic: string, owned: () => ReadonlySet<number>): PartitionAssigner {
  const { MemberMetadata, MemberAssignment } = assignerProtocol
  const { name, version } = PROTOCOL
  return ({ cluster }) => ({
    name,
    version,
    protocol: ({ topics }) => ({
      name,
      metadata: MemberMetadata.encode({ version, topics, userData: encodeOwned(owned()) }),
    }),
    assign: async ({ members }) => {
      const shards = cluster.findTopicPartitionMetadata(topic).map((p) => p.partitionId)
      const shares = shareOut(
        shards,
        members.map(({ memberId, memberMetadata }) => ({
          id: memberId,
          claims: decodeClaims(memberMetadata),
        })),
      )
      return [...shares].map(([memberId, has]) => ({
        memberId,
        memberAssignment: MemberAssignment.encode({
          version,
          assignment: has.length === 0 ? {} : { [topic]: has },
          userData: Buffer.alloc(0),
        }),
      }))
    },
  })
}

export function encodeOwned(owned: ReadonlySet<number>): Buffer {
  return Buffer.from(JSON.stringify({ shards: ascending([...owned]) } satisfies UserData))
}
type UserData = z.infer<typeof UserData>

/** What a member says it owns. What can't be read counts as nothing: a member that claims wrongly must not keep others from a share. */
export function decodeClaims(memberMetadata: Buffer): number[] {
  try {
    const userData = assignerProtocol.MemberMetadata.decode(memberMetadata)?.userData
    return userData ? UserData.parse(JSON.parse(userData.toString())).shards : []
  } catch {
    return []
  }
}

/** By code unit, so that it does not depend on a locale. */
function compare(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}

function ascending(shards: readonly number[]): number[] {
  return [...shards].sort((a, b) => a - b)
}
