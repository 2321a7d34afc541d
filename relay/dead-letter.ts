/**
 * Dead letters: what can't be delivered, kept with all it had and why. Written in the transaction that records the failure in the ledger,
 * so that a report is either in its topic or here, and never both.
 */
import type { Envelope, EnvelopeRecord, FailureReason } from '#contract'
import type { LaneMessage } from './kafka/kafkajs.ts'
import { toMessage } from './placement.ts'

/** A queue message that is no envelope. */
export interface RawMessage {
  /** The queue's id of the message. */
  messageId: string
  body: Buffer
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
      'edgehub-datahub': envelope.datahub,
      'edgehub-topic': envelope.topic,
      'edgehub-reason': reason,
      'edgehub-received': String(envelope.received),
      'edgehub-failed': String(now),
    },
    timestamp: now,
  }
}

export function deadRaw({ messageId, body, problem }: RawMessage, now: number): LaneMessage {
  return {
    key: Buffer.from(messageId),
    value: body,
    headers: {
      'edgehub-message-id': messageId,
      'edgehub-reason': 'undecodable' satisfies FailureReason,
      'edgehub-problem': problem,
      'edgehub-failed': String(now),
    },
    timestamp: now,
  }
}
