/**
 * `GET /v1/messages`: reads messages back, one by its MessageId or its place, or a list from an offset or a time on. Reads Kafka over a
 * relay; a message that is only queued is not there yet, and is answered so.
 */
import {
  MAX_LIST_BYTES,
  parseMessageId,
  parsePendingMessageId,
  type LinkQuery,
  type StoredRecord,
  type TopicName,
} from '#contract'
import { answer, refuse, type AppContext } from '../context.ts'
import { formatCursor } from '../query/cursor.ts'
import { parseMessageQuery, type MessageQuery } from '../query/message-query.ts'
import { viewOf, type Found } from '../query/view.ts'
import { rejected } from '../rejection.ts'
import { viewReceipt } from '../status/receipt-view.ts'

interface Place {
  topic: TopicName
  partition: number
  offset: string
}

export async function getMessages(c: AppContext): Promise<Response> {
  const parsed = parseMessageQuery(new URL(c.req.url).searchParams)
  if (parsed.status === 'rejected') return refuse(c, parsed.rejection)
  const { query } = parsed
  const view = await viewOf(c.get('reader'), c.get('services'))

  if (query.kind === 'id' || query.kind === 'one') {
    const place = query.kind === 'one' ? found(query) : await placeOf(c, query.messageId)
    if (place.status === 'rejected') return refuse(c, place.rejection)
    const { topic, partition, offset } = place.value
    const maxBytes = MAX_LIST_BYTES
    const asked = await view.ask({ op: 'record', topic, partition, offset, maxBytes }, 'record')
    if (asked.status === 'rejected') return refuse(c, asked.rejection, asked.cause)
    return answer(200, { message: show(topic, asked.value.record) })
  }

  const asked = await view.ask(linkQueryOf(query), 'records')
  if (asked.status === 'rejected') return refuse(c, asked.rejection, asked.cause)
  const { records, next } = asked.value
  return answer(200, {
    messages: records.map((record) => show(query.topic, record)),
    ...(next?.length && { cursor: formatCursor(query.topic, next) }),
  })
}

function linkQueryOf(query: MessageQuery & { kind: 'by_offset' | 'by_time' }): LinkQuery {
  const { topic, limit } = query
  if (query.kind === 'by_offset') {
    const { partition, offset } = query
    return { op: 'records_by_offset', topic, partition, offset, limit, values: true }
  }
  const { from, partition, next } = query
  return {
    op: 'records_by_time',
    topic,
    from,
    ...(partition !== undefined && { partition }),
    ...(next && { next }),
    limit,
    limitOf: 'all',
    values: true,
  }
}

/** The record as the relay gave it; how much it weighs says nothing to a client. */
function show(topic: TopicName, record: StoredRecord) {
  const { timestamp } = record
  return { topic, ...record, bytes: undefined, timestamp: timestamp < 0 ? null : timestamp }
}

/**
 * Where the message of a MessageId is, for a datahub that the caller may know of; whether its topic is seen, is decided when it is asked
 * for. One that was pending is looked up by the receipt that it ends with: who has that, may know what it says.
 */
async function placeOf(c: AppContext, messageId: string): Promise<Found<Place>> {
  const delivered = parseMessageId(messageId)
  const pending = parsePendingMessageId(messageId)
  const named = delivered ?? pending
  if (!named) {
    const problem = 'it is no MessageId of this service.'
    return rejected({ reason: 'invalid_value', path: 'messageId', problem })
  }
  const { datahub, topic } = named
  const reader = c.get('reader')
  const datahubs = reader === 'admin' ? 'all' : reader.datahubs
  if (datahubs !== 'all' && !datahubs.includes(datahub)) {
    return rejected({ reason: 'topic_not_found', topic })
  }
  if (delivered) return found(delivered)

  const { openReceipt, status, now } = c.get('services')
  const receipt = pending?.receipt ?? ''
  const fields = await openReceipt(receipt)
  if (!fields) return rejected({ reason: 'receipt_not_valid' })
  const outcome = (await status.find([fields.id])).get(fields.id)
  const view = viewReceipt(receipt, fields, outcome, now())
  if (!('messages' in view)) {
    return view.status === 'expired'
      ? noMessage('receipt_expired', 'What became of the message is not remembered any more.')
      : noMessage('queued', 'The message is queued, and not in Kafka yet.')
  }
  const [message] = view.messages
  return message?.status === 'delivered'
    ? found({ ...message, topic: outcome?.topic ?? topic })
    : noMessage('failed', `The message was not stored: ${message?.reason}.`)
}

function noMessage(why: 'queued' | 'failed' | 'receipt_expired', problem: string): Found<Place> {
  return rejected({ reason: 'message_not_found', why, problem })
}

function found(value: Place): Found<Place> {
  return { status: 'found', value }
}
