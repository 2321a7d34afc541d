/**
 * Record batches, format 2, of transactional records: https://kafka.apache.org/documentation/#recordbatch. The bytes are the same as
 * kafkajs's own encoder makes (test/relay/kafka/record-batch.test.ts); it allocates several buffers for each record, this writes all
 * records of a batch into one.
 */
import { crc32c } from './crc32c.ts'

/** One record. */
export interface LaneMessage {
  key: Buffer | null
  /** Text is written as UTF-8, straight into the batch. */
  value: string | Buffer | null
  headers?: Readonly<Record<string, string>>
  /** Unix ms; -1: none. */
  timestamp: number
}

export interface BatchHead {
  producerId: string
  producerEpoch: number
  firstSequence: number
}

/** What the bits of the attributes call it, and how it is done. */
export interface BatchCompression {
  code: number
  compress(records: Buffer): Promise<Buffer>
}

const MAGIC = 2
const TRANSACTIONAL = 16
/** Base offset, length, leader epoch, magic, checksum. */
const OFFSET_BYTES = 8
const LENGTH_BYTES = 4
const CRC_AT = 17
const ATTRIBUTES_AT = 21
const COUNT_AT = 57
const RECORDS_AT = 61
const ATTRIBUTE_BYTES = 1

/** The whole batch, as a partition's records in a Produce request. At least one message. */
export async function encodeBatch(
  messages: readonly LaneMessage[],
  { producerId, producerEpoch, firstSequence }: BatchHead,
  compression?: BatchCompression,
): Promise<Buffer> {
  let first = Number.POSITIVE_INFINITY
  let last = Number.NEGATIVE_INFINITY
  for (const { timestamp } of messages) {
    if (timestamp < first) first = timestamp
    if (timestamp > last) last = timestamp
  }
  const { total, ...measures } = measure(messages, first)
  let batch: Buffer
  if (compression) {
    const records = Buffer.allocUnsafe(total)
    writeRecords(records, 0, messages, { first, ...measures })
    const compressed = await compression.compress(records)
    batch = Buffer.allocUnsafe(RECORDS_AT + compressed.length)
    compressed.copy(batch, RECORDS_AT)
  } else {
    batch = Buffer.allocUnsafe(RECORDS_AT + total)
    writeRecords(batch, RECORDS_AT, messages, { first, ...measures })
  }
  batch.writeBigInt64BE(0n, 0)
  batch.writeInt32BE(batch.length - OFFSET_BYTES - LENGTH_BYTES, OFFSET_BYTES)
  batch.writeInt32BE(0, 12)
  batch.writeInt8(MAGIC, 16)
  batch.writeInt16BE(TRANSACTIONAL | (compression?.code ?? 0), ATTRIBUTES_AT)
  batch.writeInt32BE(messages.length - 1, 23)
  batch.writeBigInt64BE(BigInt(first), 27)
  batch.writeBigInt64BE(BigInt(last), 35)
  batch.writeBigInt64BE(BigInt(producerId), 43)
  batch.writeInt16BE(producerEpoch, 51)
  batch.writeInt32BE(firstSequence, 53)
  batch.writeInt32BE(messages.length, COUNT_AT)
  batch.writeUInt32BE(crc32c(batch, ATTRIBUTES_AT), CRC_AT)
  return batch
}

interface Measures {
  /** Bytes of each record, without the length that stands before it. */
  sizes: number[]
  /** Bytes of each value; -1: null. */
  valueSizes: number[]
  /** Of each header in order: bytes of its key, bytes of its value. */
  headerSizes: number[]
}

function measure(messages: readonly LaneMessage[], first: number): Measures & { total: number } {
  const sizes: number[] = []
  const valueSizes: number[] = []
  const headerSizes: number[] = []
  let total = 0
  for (const [i, { key, value, headers, timestamp }] of messages.entries()) {
    const valueBytes = sizeOfValue(value)
    let size =
      ATTRIBUTE_BYTES +
      varintSize(timestamp - first) +
      varintSize(i) +
      sized(key?.length ?? -1) +
      sized(valueBytes)
    let count = 0
    for (const name in headers) {
      const nameBytes = Buffer.byteLength(name)
      const valueBytes = Buffer.byteLength(headers[name] ?? '')
      headerSizes.push(nameBytes, valueBytes)
      size += varintSize(nameBytes) + nameBytes + varintSize(valueBytes) + valueBytes
      count++
    }
    size += varintSize(count)
    sizes.push(size)
    valueSizes.push(valueBytes)
    total += varintSize(size) + size
  }
  return { sizes, valueSizes, headerSizes, total }
}

function writeRecords(
  out: Buffer,
  from: number,
  messages: readonly LaneMessage[],
  { first, sizes, valueSizes, headerSizes }: Measures & { first: number },
): void {
  let at = from
  let h = 0
  for (const [i, { key, value, headers, timestamp }] of messages.entries()) {
    at = writeVarint(out, at, sizes[i] ?? 0)
    out[at++] = 0
    at = writeVarint(out, at, timestamp - first)
    at = writeVarint(out, at, i)
    at = writeVarint(out, at, key?.length ?? -1)
    if (key) at = writeBytes(out, at, key)
    at = writeVarint(out, at, valueSizes[i] ?? -1)
    if (typeof value === 'string') at += out.write(value, at)
    else if (value) at = writeBytes(out, at, value)
    let count = 0
    for (const _ in headers) count++
    at = writeVarint(out, at, count)
    for (const name in headers) {
      at = writeVarint(out, at, headerSizes[h++] ?? 0)
      at += out.write(name, at)
      at = writeVarint(out, at, headerSizes[h++] ?? 0)
      at += out.write(headers[name] ?? '', at)
    }
  }
}

/** Zigzag, then seven bits a byte; safe integers, because a difference of two times may be larger than 32 bits. */
function writeVarint(out: Buffer, from: number, n: number): number {
  let at = from
  let rest = n < 0 ? -2 * n - 1 : 2 * n
  while (rest > 0x7f) {
    out[at++] = (rest % 128) | 0x80
    rest = Math.floor(rest / 128)
  }
  out[at++] = rest
  return at
}

function varintSize(n: number): number {
  let rest = n < 0 ? -2 * n - 1 : 2 * n
  let size = 1
  while (rest > 0x7f) {
    rest = Math.floor(rest / 128)
    size++
  }
  return size
}

/** What a key or value takes with the length before it; -1 bytes: null. */
function sized(bytes: number): number {
  return varintSize(bytes) + Math.max(bytes, 0)
}

function sizeOfValue(value: string | Buffer | null): number {
  if (value === null) return -1
  return typeof value === 'string' ? Buffer.byteLength(value) : value.length
}

function writeBytes(out: Buffer, at: number, bytes: Buffer): number {
  out.set(bytes, at)
  return at + bytes.length
}
