/**
 * The decision, in one turn: which of the items at hand are known, which are new, which wait. Pure. The caller sends what is new before it
 * yields to anything that could change what is remembered; deciding earlier and sending later is how duplicates are made.
 *
 * Every item comes out exactly once.
 */
import { MAX_SEND_AGE_MS, recordCount, type EnvelopeId, type Outcome } from '#contract'
import type { RawMessage } from './dead-letter.ts'
import type { Batch, Doomed } from './deliver.ts'
import type { Item } from './item.ts'
import type { Sendable } from './placement.ts'

export interface Knowledge {
  outcomeOf(id: EnvelopeId): Outcome | undefined
  hasRaw(messageId: string): boolean
}

export interface Decision {
  batch: Batch
  /** Leases of the batch, by envelope: several when the queue delivered one twice. */
  leases: Map<EnvelopeId, Item[]>
  /** In Kafka already: settle again with what the ledger says. */
  known: { item: Item; id: EnvelopeId; outcome: Outcome }[]
  /** Raw messages of the batch, acked after the commit, and the ones that are dead letters already. */
  raw: Item[]
  knownRaw: Item[]
  waiting: { item: Item; delaySeconds: number }[]
}

export function decide(items: readonly Item[], knowledge: Knowledge, now: number): Decision {
  const send: Sendable[] = []
  const doomed: Doomed[] = []
  const raw: RawMessage[] = []
  const decision: Decision = {
    batch: { send, doomed, raw },
    leases: new Map(),
    known: [],
    raw: [],
    knownRaw: [],
    waiting: [],
  }
  for (const item of items) {
    if (item.kind === 'wait') {
      decision.waiting.push({ item, delaySeconds: retryDelaySeconds(item.lease.attempts) })
      continue
    }
    if (item.kind === 'raw') {
      const { messageId, body } = item.lease
      if (knowledge.hasRaw(messageId)) {
        decision.knownRaw.push(item)
        continue
      }
      if (!raw.some((r) => r.messageId === messageId)) {
        raw.push({ messageId, body, problem: item.problem })
      }
      decision.raw.push(item)
      continue
    }
    const { envelope } = item
    const outcome = knowledge.outcomeOf(envelope.id)
    if (outcome) {
      decision.known.push({ item, id: envelope.id, outcome })
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
      doomed.push({
        envelope,
        ...records,
        count: recordCount(envelope),
        reason: 'attempts_exhausted',
      })
    } else if (item.kind === 'lost') {
      doomed.push({ envelope, count: recordCount(envelope), reason: 'envelope_lost' })
    } else {
      send.push({ envelope, records: item.records })
    }
  }
  return decision
}

const MAX_DELAY_SECONDS = 3_600

/**
 * How long a message that can't be dealt with now stays away: 1 s, doubling with each delivery, up to an hour. The hundred deliveries after
 * which the queue gives a message up then take 3.7 days of the 4 that it keeps one.
 */
export function retryDelaySeconds(attempts: number): number {
  return Math.min(2 ** Math.max(attempts - 1, 0), MAX_DELAY_SECONDS)
}
