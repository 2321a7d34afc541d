/**
 * Reads the record batches of a fetch, format 2 (Kafka 0.11): https://kafka.apache.org/documentation/#recordbatch. Decides nothing about
 * what is visible. Refuses older formats, and what is damaged. A batch that was cut off by the size of the answer is left out.
 */
import { unpack } from './unpack.ts'

export interface BatchRecord {
  offset: bigint
  /** Unix ms; -1: none. */
  timestamp: number
  key: Buffer | null
  value: Buffer | null
  /** In their order; names may repeat. */
  headers: BatchHeader[]
}

export interface BatchHeader {
  name: Buffer
  value: Buffer | null
}

/** The head of a batch, and its records still as they were stored. */
export interface StoredBatch {
  first: bigint
  /** The last offset that it stands for, whether or not the record is still there. */
  last: bigint
  producerId: bigint
  isTransactional: boolean
  isControl: boolean
  compression: number
  firstTimestamp: bigint
  /** All records have this time, when the topic takes the time of the append. */
  appendTimestamp: bigint | undefined
  count: number
  records: Buffer
}

/** It can't be read by this relay, today or tomorrow. */
export class UnreadableBatch extends Error {
  override readonly name = 'UnreadableBatch'
}

const LENGTH_AT = 8
const AFTER_LENGTH = 12
const MAGIC_AT = 16
const ATTRIBUTES_AT = 21
const LAST_DELTA_AT = 23
const FIRST_TIMESTAMP_AT = 27
const MAX_TIMESTAMP_AT = 35
const PRODUCER_AT = 43
const COUNT_AT = 57
const RECORDS_AT = 61
const MAGIC = 2
const COMPRESSION_BITS = 7
const APPEND_TIME = 8
const TRANSACTIONAL = 16
const CONTROL = 32
/** Of the last of ten bytes: https://protobuf.dev/programming-guides/encoding/#varints */
const MAX_VARINT_SCALE = 128 ** 9

/** The heads of all whole batches. @throws UnreadableBatch */
export function readBatches(bytes: Buffer): StoredBatch[] {
  const batches: StoredBatch[] = []
  for (let at = 0; at + AFTER_LENGTH <= bytes.length;) {
    const end = at + AFTER_LENGTH + bytes.readInt32BE(at + LENGTH_AT)
    // The magic byte stands at the same place in all formats.
    if (at + MAGIC_AT < bytes.length && bytes.readInt8(at + MAGIC_AT) !== MAGIC) {
      throw new UnreadableBatch(
        `record format ${bytes.readInt8(at + MAGIC_AT)}, of before Kafka 0.11`,
      )
    }
    if (end > bytes.length || end < at + RECORDS_AT) break
    batches.push(readHead(bytes.subarray(at, end)))
    at = end
  }
  return batches
}

function readHead(batch: Buffer): StoredBatch {
  const first = batch.readBigInt64BE(0)
  const attributes = batch.readInt16BE(ATTRIBUTES_AT)
  return {
    first,
    last: first + BigInt(batch.readInt32BE(LAST_DELTA_AT)),
    producerId: batch.readBigInt64BE(PRODUCER_AT),
    isTransactional: (attributes & TRANSACTIONAL) !== 0,
    isControl: (attributes & CONTROL) !== 0,
    compression: attributes & COMPRESSION_BITS,
    firstTimestamp: batch.readBigInt64BE(FIRST_TIMESTAMP_AT),
    appendTimestamp:
      (attributes & APPEND_TIME) === 0 ? undefined : batch.readBigInt64BE(MAX_TIMESTAMP_AT),
    count: batch.readInt32BE(COUNT_AT),
    records: batch.subarray(RECORDS_AT),
  }
}

/** Keys and values are views of the batch. @throws UnreadableBatch */
export async function readRecords(batch: StoredBatch): Promise<BatchRecord[]> {
  const bytes = await recordsOf(batch)
  const reader = new RecordReader(bytes)
  const records: BatchRecord[] = []
  for (let i = 0; i < batch.count; i++) {
    const end = reader.varint() + reader.at
    reader.at++
    const timestampDelta = reader.varint()
    const offset = batch.first + BigInt(reader.varint())
    const key = reader.bytes()
    const value = reader.bytes()
    const headers: BatchHeader[] = []
    for (let left = reader.varint(); left > 0; left--) {
      headers.push({ name: reader.bytes() ?? Buffer.alloc(0), value: reader.bytes() })
    }
    if (reader.at !== end || end > bytes.length) {
      throw new UnreadableBatch(`the batch at offset ${batch.first} is damaged`)
    }
    const timestamp = batch.appendTimestamp ?? batch.firstTimestamp + BigInt(timestampDelta)
    records.push({ offset, timestamp: safe(timestamp), key, value, headers })
  }
  return records
}

async function recordsOf({ compression, records, first }: StoredBatch): Promise<Buffer> {
  try {
    return await unpack(compression, records)
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error)
    throw new UnreadableBatch(`the batch at offset ${first} can't be unpacked: ${said}`, {
      cause: error,
    })
  }
}

/** Whatever a producer took for a time: JSON has no larger whole numbers. */
function safe(timestamp: bigint): number {
  const max = BigInt(Number.MAX_SAFE_INTEGER)
  if (timestamp > max) return Number.MAX_SAFE_INTEGER
  return timestamp < -max ? -Number.MAX_SAFE_INTEGER : Number(timestamp)
}

class RecordReader {
  readonly #bytes: Buffer
  at = 0
  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  /** Seven bits a byte, then zigzag; not by bit operations, because a difference of two times may have more than 32 bits. */
  varint(): number {
    let result = 0
    let scale = 1
    for (;;) {
      const byte = this.#bytes[this.at++]
      if (byte === undefined || scale > MAX_VARINT_SCALE) {
        throw new UnreadableBatch('a batch ends in the middle of a record')
      }
      result += (byte & 0x7f) * scale
      if (byte < 0x80) break
      scale *= 128
    }
    return result % 2 === 0 ? result / 2 : -(result + 1) / 2
  }

  bytes(): Buffer | null {
    const length = this.varint()
    if (length < 0) return null
    const from = this.at
    this.at += length
    return this.#bytes.subarray(from, this.at)
  }
}
