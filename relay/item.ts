/** What a leased queue message turned out to be, before anybody decides whether it is sent. */
import type { Envelope, EnvelopeRecord } from '#contract'
import type { Lease } from './queue/client.ts'

/** Which of the shard's two queues a lease is of. */
export type SourceName = 'queue' | 'dead_letter_queue'

/** A lease with what the shard needs to know of it. */
export interface HeldLease extends Omit<Lease, 'body'> {
  source: SourceName
  /** When it runs out, monotonic ms. */
  expires: number
  /** Of its body. */
  bytes: number
}

/** With the body, which is let go of as soon as an envelope was read from it. */
export type PulledLease = HeldLease & Pick<Lease, 'body'>

/**
 * `evidence`: the end of the ledger, as the shard knew it, when the status store was asked and had no row. It is good for as long as
 * everything from there on is remembered.
 */
export type Item = { lease: HeldLease } & (
  | {
      kind: 'envelope'
      envelope: Envelope
      records: readonly EnvelopeRecord[]
      evidence: bigint
    }
  /** The object with the records is gone. It counts only if the envelope turns out to be new. */
  | { kind: 'lost'; envelope: Envelope; problem: string; evidence: bigint }
  /** It was remembered when it came: the ledger has it at this offset. */
  | { kind: 'remembered'; envelope: Envelope; offset: bigint }
  /** The status store has its outcome. */
  | { kind: 'settled'; envelope: Envelope }
  /** No envelope at all. */
  | { kind: 'raw'; body: Lease['body']; problem: string }
  /** Not poison, and not for now. */
  | { kind: 'wait'; reason: WaitReason }
)

export type WaitReason =
  /** A newer relay will read it. */
  | 'unknown_version'
  /** Another shard's relay will deal with it. */
  | 'other_shard'
  /** The status store did not say whether it has an outcome. */
  | 'look_up_failed'
  /** The object with the records could not be fetched. */
  | 'records_unavailable'

/** Reports in it, for batching. */
export function reportsIn(item: Item): number {
  return item.kind === 'envelope' ? item.records.length : 1
}

/** Memory that it holds, roughly. */
export function bytesOf(item: Item): number {
  return item.lease.bytes + (item.kind === 'envelope' ? claimedBytes(item.envelope) : 0)
}

/** Bytes of the records that are not in the message itself. */
function claimedBytes(envelope: Envelope): number {
  return 'claim' in envelope ? envelope.claim.bytes : 0
}

/** The ledger offset from which on everything must stay remembered while this item is in use; undefined: it needs nothing. */
export function neededFrom(item: Item): bigint | undefined {
  switch (item.kind) {
    case 'envelope':
    case 'lost':
      return item.evidence
    case 'remembered':
      return item.offset
    case 'settled':
    case 'raw':
    case 'wait':
      return undefined
  }
}

/** Of those that are there; undefined: none is. */
export function smallest(offsets: Iterable<bigint | undefined>): bigint | undefined {
  let least: bigint | undefined
  for (const offset of offsets) {
    if (offset !== undefined && (least === undefined || offset < least)) least = offset
  }
  return least
}
