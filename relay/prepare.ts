/**
 * What runs ahead of the decision: decode what was pulled, ask the status store about the ids that are not remembered, fetch the records
 * of large envelopes. None of it decides whether an envelope is sent; it only collects what the decision needs.
 *
 * The look-up is asked only for ids that are not remembered at that moment, and the ledger's end is noted in the same turn: only then can
 * "no row" be evidence that an id was never committed.
 */
import {
  decodeEnvelope,
  MAX_LOOKUP_IDS,
  shardOf,
  type Envelope,
  type EnvelopeId,
  type ShardCount,
} from '#contract'
import type { HeldLease, Item, PulledLease } from './item.ts'
import type { Memory } from './ledger/remembered.ts'
import type { WorkerClient } from './status/worker-client.ts'

export interface PrepareDeps {
  shard: number
  shards: ShardCount
  worker: Pick<WorkerClient, 'lookUp' | 'fetchRecords'>
  remembered: { look(id: EnvelopeId): Memory | undefined; readonly next: bigint | undefined }
  /** Waits until there is room for so many bytes of fetched records; returns how to give it back. */
  room(bytes: number): Promise<() => void>
  /** Aborts what is under way; what it was for waits then. */
  stopping: AbortSignal
  onLookUpFailed(ids: number, error: unknown): void
  onLookedUp(absent: number, found: number, seconds: number): void
  /** Monotonic, ms. */
  clock(): number
  onFetchFailed(error: unknown): void
}

/** Hands out each lease as exactly one item, in any order, as soon as it is known what it is. Never throws. */
export async function prepare(
  leases: readonly PulledLease[],
  deps: PrepareDeps,
  emit: (item: Item) => void,
): Promise<void> {
  const unknown: { lease: HeldLease; envelope: Envelope }[] = []
  for (const lease of leases) {
    const decoded = decode(lease, deps)
    if ('kind' in decoded) emit(decoded)
    else unknown.push(decoded)
  }
  if (unknown.length === 0) return

  const { found, absent, evidence } = await lookUp(
    unknown.map(({ envelope }) => envelope.id),
    deps,
  )
  const claims: Promise<void>[] = []
  for (const { lease, envelope } of unknown) {
    if (found.has(envelope.id)) emit({ lease, kind: 'settled', envelope })
    else if (!absent.has(envelope.id)) emit({ lease, kind: 'wait', reason: 'look_up_failed' })
    else if ('records' in envelope) {
      emit({ lease, kind: 'envelope', envelope, records: envelope.records, evidence })
    } else claims.push(fetchRecords({ lease, envelope, evidence }, deps, emit))
  }
  await Promise.all(claims)
}

function decode(
  { body, ...lease }: PulledLease,
  { shard, shards, remembered }: PrepareDeps,
): Item | { lease: HeldLease; envelope: Envelope } {
  const decoded = decodeEnvelope(body.toString())
  if (decoded.status === 'undecodable') {
    return { lease, kind: 'raw', body, problem: decoded.problem }
  }
  if (decoded.status === 'unknown_version') {
    return { lease, kind: 'wait', reason: 'unknown_version' }
  }
  const { envelope } = decoded
  if (shardOf(envelope.id, shards) !== shard) return { lease, kind: 'wait', reason: 'other_shard' }
  const memory = remembered.look(envelope.id)
  return memory
    ? { lease, kind: 'remembered', envelope, offset: memory.offset }
    : { lease, envelope }
}

/** `evidence`: the ledger's end, noted in the turn of the asking. */
async function lookUp(
  ids: readonly EnvelopeId[],
  { worker, remembered, stopping, clock, onLookUpFailed, onLookedUp }: PrepareDeps,
): Promise<{ found: Set<EnvelopeId>; absent: Set<EnvelopeId>; evidence: bigint }> {
  const found = new Set<EnvelopeId>()
  const absent = new Set<EnvelopeId>()
  const evidence = remembered.next
  if (evidence === undefined) return { found, absent, evidence: 0n }
  const distinct = [...new Set(ids)]
  for (let from = 0; from < distinct.length; from += MAX_LOOKUP_IDS) {
    const part = distinct.slice(from, from + MAX_LOOKUP_IDS)
    const began = clock()
    try {
      const answer = await worker.lookUp(part, stopping)
      for (const id of answer.found) found.add(id)
      for (const id of answer.absent) absent.add(id)
      const silent = part.length - answer.found.size - answer.absent.size
      if (silent > 0) onLookUpFailed(silent, new Error('a part of the status store is silent'))
      onLookedUp(answer.absent.size, answer.found.size, (clock() - began) / 1000)
    } catch (error) {
      onLookUpFailed(part.length, error)
    }
  }
  return { found, absent, evidence }
}

async function fetchRecords(
  of: { lease: HeldLease; envelope: Extract<Envelope, { claim: unknown }>; evidence: bigint },
  { worker, room, stopping, onFetchFailed }: PrepareDeps,
  emit: (item: Item) => void,
): Promise<void> {
  const giveBack = await room(of.envelope.claim.bytes)
  let item: Item
  try {
    const fetched = await worker.fetchRecords(of.envelope.claim, stopping)
    item =
      fetched.status === 'ok'
        ? { ...of, kind: 'envelope', records: fetched.records }
        : { ...of, kind: 'lost', problem: fetched.problem }
  } catch (error) {
    onFetchFailed(error)
    item = { lease: of.lease, kind: 'wait', reason: 'records_unavailable' }
  }
  // In one turn, so that the bytes are counted once at every moment.
  giveBack()
  emit(item)
}
