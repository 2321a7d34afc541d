/**
 * How large one report becomes in Kafka: the bytes of a record batch with that record alone, which is what `max.message.bytes` of a
 * topic bounds (https://kafka.apache.org/documentation/#recordbatch). The relay's encoder makes exactly this many; a test compares them.
 */
import { ID_HEADER, reportId, type EnvelopeRecord } from '#contract'

const BATCH_HEAD_BYTES = 61
/** Attributes, and the distances of time and offset from the batch's first record, which it is itself. */
const RECORD_HEAD_BYTES = 3
/** UTF-8 has at most 3 bytes for each UTF-16 unit. */
const MOST_BYTES_PER_UNIT = 3
/** More than the batch, the record and Edgehub's own headers ever add. */
const MOST_OVERHEAD_BYTES = 400
const MOST_OVERHEAD_BYTES_PER_HEADER = 10

export interface RecordContext {
  /** The envelope's id, and the report's index in it. */
  id: string
  index: number
  traceparent?: string | undefined
}

/** Bytes of a batch that holds this record alone, as the relay would send it: what the topic holds against its `max.message.bytes`. */
export function recordBatchBytes(record: EnvelopeRecord, context: RecordContext): number {
  const headers: Record<string, string> = {
    ...(context.traceparent !== undefined && { traceparent: context.traceparent }),
    ...record.headers,
    [ID_HEADER]: reportId(context.id, context.index),
  }
  let size = RECORD_HEAD_BYTES + sized(utf8Length(record.key)) + sized(valueLength(record))
  const entries = Object.entries(headers)
  for (const [name, value] of entries) size += sized(utf8Length(name)) + sized(utf8Length(value))
  size += varintBytes(entries.length)
  return BATCH_HEAD_BYTES + varintBytes(size) + size
}

/** Whether it is surely not larger, without encoding anything. */
export function surelyFits({ key, value, base64, headers }: EnvelopeRecord, max: number): boolean {
  let units = (key?.length ?? 0) + (value ?? base64 ?? '').length
  let overhead = MOST_OVERHEAD_BYTES
  for (const [name, text] of Object.entries(headers ?? {})) {
    units += name.length + text.length
    overhead += MOST_OVERHEAD_BYTES_PER_HEADER
  }
  return units * MOST_BYTES_PER_UNIT + overhead <= max
}

/** -1: null. */
function valueLength({ value, base64 }: EnvelopeRecord): number {
  if (base64 === undefined) return utf8Length(value)
  return (base64.length / 4) * 3 - (/=*$/.exec(base64)?.[0].length ?? 0)
}

function utf8Length(text: string | undefined): number {
  return text === undefined ? -1 : new TextEncoder().encode(text).length
}

/** With the length before it. */
function sized(bytes: number): number {
  return varintBytes(bytes) + Math.max(bytes, 0)
}

/** Zigzag, seven bits a byte. */
function varintBytes(n: number): number {
  let rest = n < 0 ? -2 * n - 1 : 2 * n
  let bytes = 1
  for (; rest > 0x7f; bytes++) rest = Math.floor(rest / 128)
  return bytes
}
