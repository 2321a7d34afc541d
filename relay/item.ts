/**
 * What a pulled lease turns out to be, before anybody asks whether it is new. Decoding and fetching run ahead of the decision: nothing here
 * depends on what is in Kafka.
 */
import {
  decodeEnvelope,
  shardOf,
  type Envelope,
  type EnvelopeRecord,
  type ShardCount,
} from '#contract'
import type { Lease } from './queue/client.ts'
import type { WorkerClient } from './status/worker-client.ts'

export type Item = { lease: Lease } & (
  | { kind: 'envelope'; envelope: Envelope; records: readonly EnvelopeRecord[] }
  /** The object with the records is gone. It counts only if the envelope turns out to be new. */
  | { kind: 'lost'; envelope: Envelope; problem: string }
  /** No envelope at all. */
  | { kind: 'raw'; problem: string }
  /** Not poison, and not for now: a newer relay, another shard's relay or a reachable worker will deal with it. */
  | { kind: 'wait'; reason: WaitReason }
)

export type WaitReason = 'unknown_version' | 'other_shard' | 'records_unavailable'

export interface ItemDeps {
  shard: number
  shards: ShardCount
  worker: Pick<WorkerClient, 'fetchRecords'>
}

/** Total: an envelope whose records can't be fetched now waits. */
export async function toItem(lease: Lease, { shard, shards, worker }: ItemDeps): Promise<Item> {
  const decoded = decodeEnvelope(lease.body.toString())
  if (decoded.status === 'undecodable') return { lease, kind: 'raw', problem: decoded.problem }
  if (decoded.status === 'unknown_version') {
    return { lease, kind: 'wait', reason: 'unknown_version' }
  }
  const { envelope } = decoded
  if (shardOf(envelope.id, shards) !== shard) return { lease, kind: 'wait', reason: 'other_shard' }
  if ('records' in envelope) return { lease, kind: 'envelope', envelope, records: envelope.records }
  try {
    const fetched = await worker.fetchRecords(envelope.claim)
    return fetched.status === 'ok'
      ? { lease, kind: 'envelope', envelope, records: fetched.records }
      : { lease, kind: 'lost', envelope, problem: fetched.problem }
  } catch {
    return { lease, kind: 'wait', reason: 'records_unavailable' }
  }
}

/** Reports in it, for batching. */
export function reportsIn(item: Item): number {
  return item.kind === 'envelope' ? item.records.length : 1
}

/** Memory that it holds, roughly. */
export function bytesOf(item: Item): number {
  const claimed =
    item.kind === 'envelope' && 'claim' in item.envelope ? item.envelope.claim.bytes : 0
  return item.lease.body.length + claimed
}
