/**
 * MessageId, the text that a client gets for one report: `datahubId:topic:partition:offset:receivedMs:sentMs`, the form of Tencent's
 * HTTP access tutorial. Neither a datahub id nor a topic name can hold a colon.
 */
import type { Receipt } from './receipt.ts'

export interface MessageIdFields {
  datahub: string
  topic: string
  partition: number
  /** Kafka offset, decimal. */
  offset: string
  /** When the edge accepted the report, Unix ms. */
  received: number
  /** When the relay sent it to Kafka, Unix ms. */
  sent: number
}

/** The id of a report that is in Kafka. */
export function formatMessageId(m: MessageIdFields): string {
  return `${m.datahub}:${m.topic}:${m.partition}:${m.offset}:${m.received}:${m.sent}`
}

/** The id of a report that is durably queued but not yet in Kafka: no partition, no offset, and its receipt as the last field. */
export function formatPendingMessageId(
  m: Pick<MessageIdFields, 'datahub' | 'topic' | 'received'>,
  receipt: Receipt,
): string {
  return `${m.datahub}:${m.topic}:-1:-1:${m.received}:0:${receipt}`
}

/** What a pending MessageId says, or undefined for any other text. Whether the receipt is genuine, is for whoever has the key. */
export function parsePendingMessageId(
  text: string,
): (Pick<MessageIdFields, 'datahub' | 'topic'> & { receipt: string }) | undefined {
  const m = /^(datahub-[a-z0-9]{8}):([A-Za-z0-9._-]{1,249}):-1:-1:\d{13}:0:([\w-]{43})$/.exec(text)
  if (!m) return undefined
  const [, datahub = '', topic = '', receipt = ''] = m
  return { datahub, topic, receipt }
}

/** The fields of a delivered MessageId, or undefined for any other text, pending ids included. */
export function parseMessageId(text: string): MessageIdFields | undefined {
  const m =
    /^(datahub-[a-z0-9]{8}):([A-Za-z0-9._-]{1,249}):(\d{1,10}):(\d{1,19}):(\d{13}):(\d{13})$/.exec(
      text,
    )
  if (!m) return undefined
  const [, datahub = '', topic = '', partition, offset = '', received, sent] = m
  return {
    datahub,
    topic,
    partition: Number(partition),
    offset,
    received: Number(received),
    sent: Number(sent),
  }
}
