// Builders of what the relay's pure parts work on.
import {
  encodeEnvelope,
  envelopeIdOf,
  type Envelope,
  type EnvelopeId,
  type EnvelopeRecord,
  type Outcome,
} from '#contract'
import type { HandBack } from '../../relay/disposition.ts'
import type { Item, PulledLease, SourceName } from '../../relay/item.ts'
import type { LeaseRef, ShardQueue } from '../../relay/queue/shard-queue.ts'

export const NOW = 1_795_000_000_000
// Monotonic: when the leases of these items run out, unless they are told otherwise.
const LEASE_END = 60_000

export function idOf(n: number, shard = 0): EnvelopeId {
  const bytes = new Uint8Array(12)
  bytes[0] = shard
  new DataView(bytes.buffer).setUint32(8, n)
  return envelopeIdOf(bytes)
}

export type WithRecords = Extract<Envelope, { records: unknown }>
export type WithClaim = Extract<Envelope, { claim: unknown }>

export function envelopeOf(
  n: number,
  records: EnvelopeRecord[] = [{ value: `v${n}` }],
  received = NOW,
): WithRecords {
  return { v: 1, id: idOf(n), datahub: 'datahub-testtest', topic: 'topic', received, records }
}

export function claimOf(n: number, bytes = 1_000, count = 1): WithClaim {
  const { records: _, ...head } = envelopeOf(n)
  return { ...head, claim: { object: `${idOf(n)}-${'0'.repeat(64)}`, bytes, count } }
}

export interface LeaseOptions {
  body?: string
  attempts?: number
  source?: SourceName
  expires?: number
}

export function leaseOf(n: number, options: LeaseOptions = {}): PulledLease {
  const { body = '', attempts = 1, source = 'queue', expires = LEASE_END } = options
  return {
    leaseId: `lease-${n}`,
    messageId: `message-${n}`,
    body: Buffer.from(body),
    bytes: Buffer.byteLength(body),
    attempts,
    queued: NOW,
    source,
    expires,
  }
}

export interface ItemOptions extends LeaseOptions {
  // Number of its lease; that of the envelope unless it is told otherwise.
  lease?: number
  records?: EnvelopeRecord[]
  received?: number
  evidence?: bigint
}

type EnvelopeItem = Extract<Item, { kind: 'envelope' }>

export function itemOf(n: number, options: ItemOptions = {}): EnvelopeItem & Item {
  const { lease = n, records, received, evidence = 0n } = options
  const envelope = envelopeOf(n, records, received)
  return {
    lease: leaseOf(lease, { body: encodeEnvelope(envelope), ...options }),
    kind: 'envelope',
    envelope,
    records: envelope.records,
    evidence,
  }
}

export function lostOf(n: number, options: ItemOptions = {}): Item {
  const { lease, envelope, evidence } = itemOf(n, options)
  return { lease, kind: 'lost', envelope, problem: 'gone', evidence }
}

export function rawOf(n: number, options: LeaseOptions & { lease?: number } = {}): Item {
  const lease = { ...leaseOf(options.lease ?? n, options), messageId: `message-${n}` }
  return { lease, kind: 'raw', body: lease.body, problem: 'not JSON' }
}

export function outcomeOf(n: number): Outcome {
  return {
    datahub: 'datahub-testtest',
    topic: 'topic',
    received: NOW,
    sent: NOW + 1,
    runs: [[1, 0, String(n)]],
  }
}

export const leaseIds = (items: readonly { lease: LeaseRef }[]): string[] =>
  items.map(({ lease }) => lease.leaseId)

// `lease-1+2`: given back with a delay of 2 s.
export function backText(all: readonly Pick<HandBack, 'item' | 'delaySeconds'>[]): string {
  return all.map(({ item, delaySeconds }) => `${item.lease.leaseId}+${delaySeconds}`).join(',')
}

// Writes each call into `calls`.
export function queueDouble(calls: string[], fails: () => boolean = () => false): ShardQueue {
  return {
    async settle(acks, retries) {
      const words = [
        ...(acks.length > 0 ? [`ack ${acks.map((a) => a.leaseId).join(',')}`] : []),
        ...(retries.length > 0
          ? [`give back ${retries.map((r) => `${r.lease.leaseId}+${r.delaySeconds}`).join(',')}`]
          : []),
      ]
      calls.push(words.join(' '))
      if (fails()) throw new Error('the queue API is away')
    },
  }
}
