// Builders of what the relay's pure parts work on.
import {
  envelopeIdOf,
  type Envelope,
  type EnvelopeId,
  type EnvelopeRecord,
  type Outcome,
} from '#contract'
import type { Item } from '../../relay/item.ts'

export const NOW = 1_795_000_000_000

export function idOf(n: number, shard = 0): EnvelopeId {
  const bytes = new Uint8Array(12)
  bytes[0] = shard
  new DataView(bytes.buffer).setUint32(8, n)
  return envelopeIdOf(bytes)
}

export function envelopeOf(
  n: number,
  records: EnvelopeRecord[] = [{ value: `v${n}` }],
  received = NOW,
): Envelope {
  return { v: 1, id: idOf(n), datahub: 'datahub-testtest', topic: 'topic', received, records }
}

export function leaseOf(n: number, body = '', attempts = 1): Item['lease'] {
  return {
    leaseId: `lease-${n}`,
    messageId: `message-${n}`,
    body: Buffer.from(body),
    attempts,
    queued: NOW,
  }
}

export function itemOf(
  n: number,
  lease = n,
  records?: EnvelopeRecord[],
  received = NOW,
): Item & { kind: 'envelope' } {
  const envelope = envelopeOf(n, records, received)
  if (!('records' in envelope)) throw new Error('not a claim')
  return {
    lease: leaseOf(lease, JSON.stringify(envelope)),
    kind: 'envelope',
    envelope,
    records: envelope.records,
  }
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
