/**
 * FetchMessageByOffset, FetchMessageListByOffset, FetchMessageListByTimestamp: messages as Tencent's ConsumerRecord. Key and value are
 * Strings: bytes that are no UTF-8 are given as base64, because replacement characters would lose them. Lists have neither.
 */
import * as z from 'zod/mini'
import type { StoredRecord } from '#contract'
import { result, whole } from '../action.ts'
import { integer, queryAction } from './query-action.ts'

/** "Only messages up to 1 MB are supported." */
const MAX_MESSAGE_BYTES = 1_048_576

const PARTITION = whole(0, 2 ** 31 - 1)
const COUNT = z._default(whole(1, 20), 20)

const Place = z.strictObject({
  InstanceId: z.string(),
  Topic: z.string(),
  Partition: PARTITION,
  Offset: whole(
    0,
    Number.MAX_SAFE_INTEGER,
    'Above 9007199254740991 a JSON number is not exact; GET /v1/messages takes any offset',
  ),
})

export const fetchMessageByOffset = queryAction(
  { perSecond: 1, parameters: Place },
  async ({ Topic: topic, Partition: partition, Offset }, view) => {
    const offset = String(Offset)
    const maxBytes = MAX_MESSAGE_BYTES
    const found = await view.ask({ op: 'record', topic, partition, offset, maxBytes }, 'record')
    return found.status === 'rejected' ? found : result(show(topic, found.value.record))
  },
)

export const fetchMessageListByOffset = queryAction(
  { perSecond: 1, parameters: z.extend(Place, { SinglePartitionRecordNumber: COUNT }) },
  async ({ Topic: topic, Partition: partition, Offset, SinglePartitionRecordNumber }, view) => {
    const found = await view.ask(
      {
        op: 'records_by_offset',
        topic,
        partition,
        offset: String(Offset),
        limit: SinglePartitionRecordNumber,
        values: false,
      },
      'records',
    )
    if (found.status === 'rejected') return found
    return result(found.value.records.map((record) => show(topic, record)))
  },
)

export const fetchMessageListByTimestamp = queryAction(
  {
    perSecond: 20,
    parameters: z.strictObject({
      InstanceId: z.string(),
      Topic: z.string(),
      Partition: z.optional(PARTITION),
      // Seconds are the frequent mistake, and would list from 1970 on.
      StartTime: z.optional(whole(1e12, 1e13 - 1, 'Unix time in ms is expected, 13 digits')),
      SinglePartitionRecordNumber: COUNT,
    }),
  },
  async ({ Topic: topic, Partition, StartTime: from = 0, SinglePartitionRecordNumber }, view) => {
    const found = await view.ask(
      {
        op: 'records_by_time',
        topic,
        from,
        ...(Partition !== undefined && { partition: Partition }),
        limit: SinglePartitionRecordNumber,
        limitOf: 'partition',
        values: false,
      },
      'records',
    )
    if (found.status === 'rejected') return found
    return result(found.value.records.map((record) => show(topic, record)))
  },
)

function show(topic: string, record: StoredRecord) {
  return {
    Topic: topic,
    Partition: record.partition,
    Offset: integer(record.offset),
    Key: record.key ?? record.keyBase64 ?? null,
    Value: record.value ?? record.base64 ?? null,
    Timestamp: record.timestamp,
    Headers: record.headers ? JSON.stringify(record.headers) : null,
  }
}
