/**
 * The decision, in one turn: which of the items at hand are done, which are known, which are new, which wait. Pure. The caller sends what
 * is new before it yields to anything that could change what is remembered; deciding earlier and sending later is how duplicates are made.
 *
 * New is an envelope only with evidence: the status store had no row, everything since it was asked is remembered, and the envelope is
 * not. Every item comes out exactly once.
 */
import {
  encodeEnvelope,
  MAX_SEND_AGE_MS,
  recordCount,
  STATUS_ROW_MS,
  type EnvelopeId,
  type Outcome,
} from '#contract'
import type { RawMessage } from './dead-letter.ts'
import type { Batch, Doomed } from './deliver.ts'
import type { Item, SourceName } from './item.ts'
import type { Memory } from './ledger/remembered.ts'
import type { Sendable } from './placement.ts'
import type { Lease } from './queue/client.ts'

export interface Knowledge {
  look(id: EnvelopeId): Memory | undefined
  hasRaw(messageId: string): boolean
  /** Every id of the ledger at this offset or above is remembered. */
  readonly low: bigint
}

export interface Decision {
  batch: Batch
  /** Leases of the batch, by envelope: several when the queue delivered one twice. */
  leases: Map<EnvelopeId, Item[]>
  /** In Kafka already, and the status store may not know: settle again with what the ledger says. */
  known: { item: Item; id: EnvelopeId; outcome: Outcome }[]
  /** In Kafka already, and the status store knows: ack. */
  done: Item[]
  /** Raw messages of the batch, acked after the commit. */
  raw: Item[]
  handBack: HandBack[]
}

export type HandBackReason =
  | 'unknown_version'
  | 'other_shard'
  | 'look_up_failed'
  | 'records_unavailable'
  /** Its topic or partition can't take it now. */
  | 'blocked'
  /** What was looked up is not evidence any more. */
  | 'evidence_too_old'
  /** It would run out before the commit. */
  | 'lease_too_short'
  | 'not_taken'
  | 'in_doubt'
  /** Another owner has fenced this one. */
  | 'fenced'
  | 'kafka_away'
  | 'stopping'

export interface HandBack {
  item: Item
  reason: HandBackReason
  delaySeconds: number
}

export interface Moment {
  /** Unix ms. */
  now: number
  /** Monotonic ms: a lease that ends before this is too short to be used. */
  leaseNeededUntil: number
}

export function decide(
  items: readonly Item[],
  knowledge: Knowledge,
  { now, leaseNeededUntil }: Moment,
): Decision {
  const send: Sendable[] = []
  const doomed: Doomed[] = []
  const raw: RawMessage[] = []
  const decision: Decision = {
    batch: { send, doomed, raw },
    leases: new Map(),
    known: [],
    done: [],
    raw: [],
    handBack: [],
  }
  const later = (item: Item, reason: HandBackReason) =>
    decision.handBack.push(handBack(item, reason))

  function keepAsItIs(
    item: Item,
    { body, reason, problem }: Pick<RawMessage, 'reason' | 'problem'> & { body: Lease['body'] },
  ): void {
    const { messageId, expires } = item.lease
    if (knowledge.hasRaw(messageId)) decision.done.push(keptAsItIs(item))
    else if (expires < leaseNeededUntil) later(item, 'lease_too_short')
    else {
      if (!raw.some((r) => r.messageId === messageId)) {
        raw.push({ messageId, body: Buffer.from(body), reason, problem })
      }
      decision.raw.push(item)
    }
  }

  // Of two copies, the one that has its records counts.
  const lost = items.filter(({ kind }) => kind === 'lost')
  const ordered = lost.length === 0 ? items : [...items.filter((i) => !lost.includes(i)), ...lost]
  for (const item of ordered) {
    if (item.kind === 'wait') {
      later(item, item.reason)
      continue
    }
    if (item.kind === 'settled') {
      decision.done.push(item)
      continue
    }
    if (item.kind === 'raw') {
      keepAsItIs(item, { ...item, reason: 'undecodable' })
      continue
    }
    const { envelope } = item
    const memory = knowledge.look(envelope.id)
    if (memory?.status === 'taken') {
      decision.done.push(item)
      continue
    }
    if (memory) {
      decision.known.push({ item, id: envelope.id, outcome: memory.outcome })
      continue
    }
    if (item.kind === 'remembered' || item.evidence < knowledge.low) {
      later(item, 'evidence_too_old')
      continue
    }
    if (item.lease.expires < leaseNeededUntil) {
      later(item, 'lease_too_short')
      continue
    }
    if (now - envelope.received > STATUS_ROW_MS) {
      // Its row may have lived and gone: that there is none says nothing, so nothing may be said of it.
      const body = encodeEnvelope(envelope)
      keepAsItIs(item, { body, reason: 'attempts_exhausted', problem: TOO_OLD })
      continue
    }
    const others = decision.leases.get(envelope.id)
    if (others) {
      others.push(item)
      continue
    }
    decision.leases.set(envelope.id, [item])
    if (now - envelope.received > MAX_SEND_AGE_MS) {
      const records = item.kind === 'envelope' ? { records: item.records } : {}
      const count = recordCount(envelope)
      doomed.push({ envelope, ...records, count, reason: 'attempts_exhausted' })
    } else if (item.kind === 'lost') {
      doomed.push({ envelope, count: recordCount(envelope), reason: 'envelope_lost' })
    } else {
      send.push({ envelope, records: item.records })
    }
  }
  return decision
}

const TOO_OLD = 'older than a status row lives: whether it was delivered is not known any more'

/** For the ack of what was kept as it is, body and all. Its records are not cleaned up: another message of the same envelope may need them. */
export function keptAsItIs(item: Item): Item {
  if (item.kind === 'raw') return item
  return { lease: item.lease, kind: 'raw', body: '', problem: TOO_OLD }
}

/** With the delay that its reason asks for. */
export function handBack(item: Item, reason: HandBackReason): HandBack {
  return { item, reason, delaySeconds: delayFor(item, reason) }
}

function delayFor({ lease }: Item, reason: HandBackReason): number {
  switch (reason) {
    case 'stopping':
    case 'fenced':
    case 'evidence_too_old':
      return 0
    default:
      return retryDelaySeconds(lease.attempts, lease.source)
  }
}

const MAX_DELAY_SECONDS = 4_000

/**
 * How long a message that can't be dealt with now stays away: 1 s, doubling with each delivery, up to 4,000 s. A hundred deliveries then
 * take 4.1 days, longer than the queue keeps a message, so that nothing runs out of deliveries before it runs out of time. The
 * dead-letter queue is the last place: there it is the longest delay from the start.
 */
export function retryDelaySeconds(attempts: number, source: SourceName): number {
  if (source === 'dead_letter_queue') return MAX_DELAY_SECONDS
  return Math.min(2 ** Math.max(attempts - 1, 0), MAX_DELAY_SECONDS)
}
