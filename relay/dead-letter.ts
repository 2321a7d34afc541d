/**
 * Dead letters: what can't be delivered, kept with all it had and why. Written in the transaction that records the failure in the ledger,
 * so that a report is either in its topic or here, and never both.
 */
import type { Envelope, EnvelopeRecord, FailureReason } from '#contract'
import type { LaneMessage } from './kafka/kafkajs.ts'
import { toMessage } from './placement.ts'

/** Headers that a dead letter has beside the report's own and `edgehub-id`. Times are Unix ms, decimal. */
export const LETTER_HEADERS = {
  /** Missing, like topic, receipt and received, on a message that was no envelope. */
  datahub: 'edgehub-datahub',
  topic: 'edgehub-topic',
  /** The base receipt of the POST; missing when its envelope carried none. */
  receipt: 'edgehub-receipt',
  reason: 'edgehub-reason',
  received: 'edgehub-received',
  failed: 'edgehub-failed',
  /** Only on a message that was kept as it is: the queue's id of it, and what is wrong with it. */
  messageId: 'edgehub-message-id',
  problem: 'edgehub-problem',
} as const

/** A queue message that is dead-lettered as it is, without an outcome: no envelope, or one of which nothing can be known any more. */
export interface RawMessage {
  /** The queue's id of the message. */
  messageId: string
  body: Buffer
  reason: Extract<FailureReason, 'undecodable' | 'attempts_exhausted'>
  problem: string
}

/** One report of an envelope: its own key, value and headers, and Edgehub's headers beside them. */
export function deadReport(
  envelope: Envelope,
  record: EnvelopeRecord,
  index: number,
  reason: FailureReason,
  now: number,
): LaneMessage {
  const message = toMessage(envelope, record, index)
  return {
    ...message,
    headers: {
      ...message.headers,
      [LETTER_HEADERS.datahub]: envelope.datahub,
      [LETTER_HEADERS.topic]: envelope.topic,
      ...(envelope.receipt === undefined ? {} : { [LETTER_HEADERS.receipt]: envelope.receipt }),
      [LETTER_HEADERS.reason]: reason,
      [LETTER_HEADERS.received]: String(envelope.received),
      [LETTER_HEADERS.failed]: String(now),
    },
    timestamp: now,
  }
}

export function deadRaw(
  { messageId, body, reason, problem }: RawMessage,
  now: number,
): LaneMessage {
  return {
    key: Buffer.from(messageId),
    value: body,
    headers: {
      [LETTER_HEADERS.messageId]: messageId,
      [LETTER_HEADERS.reason]: reason,
      [LETTER_HEADERS.problem]: problem,
      [LETTER_HEADERS.failed]: String(now),
    },
    timestamp: now,
  }
}
