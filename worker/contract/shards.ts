/**
 * Where an envelope lives: both maps are functions of its id alone, so that every copy of an envelope meets the same queue, the same
 * ledger partition, the same transactional id and the same status object.
 */
import { idBytes, type EnvelopeId } from './envelope-id.ts'

/** Allowed numbers of shards. Changing it needs a drain first (docs/architecture.md). */
export const SHARD_COUNTS = [1, 2, 4, 8] as const
export type ShardCount = (typeof SHARD_COUNTS)[number]

/** Status objects; fixed. */
export const STATUS_SHARDS = 8

export function isShardCount(n: number): n is ShardCount {
  return (SHARD_COUNTS as readonly number[]).includes(n)
}

/** Queue, ledger partition and transactional id of an envelope. */
export function shardOf(id: EnvelopeId, shards: ShardCount): number {
  return (idBytes(id)[0] ?? 0) % shards
}

/** Status object of an envelope. */
export function statusShardOf(id: EnvelopeId): number {
  return (idBytes(id)[1] ?? 0) % STATUS_SHARDS
}
