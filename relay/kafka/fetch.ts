/**
 * Fetch, version 11 (Kafka 2.3), read_committed, with the record batches as they are on the wire. kafkajs would decode all of them at
 * once, forget where a batch ends whose last records were compacted away, and gather headers in an object, where names like
 * `constructor` are lost: https://kafka.apache.org/protocol#The_Messages_Fetch
 */
import type { AbortedTransaction } from './aborted.ts'
import { createEncoder, send, type Broker, type Decoder } from './kafkajs.ts'

export interface FetchPosition {
  partition: number
  offset: bigint
}

/** What a broker answers of one partition. Without the batches, they are -1 when `code` is an error. */
export interface FetchedPart {
  partition: number
  code: number
  /** The first offset that is not on all in-sync replicas yet. */
  highWatermark: bigint
  /** The first offset that is not decided: a transaction is open there. */
  lastStable: bigint
  logStart: bigint
  /** Those that are in what was fetched, in any order. */
  aborted: AbortedTransaction[]
  /** Whole batches, the first of which may begin before the offset; the last one may be cut off. */
  batches: Buffer
}

export interface FetchQuestion {
  topic: string
  /** In this order, as far as `maxBytes` reach. The first one that has something is given one whole batch, however large. */
  positions: readonly FetchPosition[]
  maxBytes: number
  maxPartitionBytes: number
}

const API_KEY = 1
const VERSION = 11
const CONSUMER = -1
const READ_COMMITTED = 1
const NO_EPOCH = -1
/**
 * The broker answers at once. It serves the requests of one connection one after the other, so a question that waits for records would
 * keep all others waiting.
 */
const MAX_WAIT_MS = 0
const MIN_BYTES = 0
const EMPTY = Buffer.alloc(0)

/** A partition that is missing in the answer was not looked at: the broker throttles. @throws when the broker can't be asked */
export async function fetchBatches(
  broker: Broker,
  question: FetchQuestion,
): Promise<FetchedPart[]> {
  const answer = await send(broker, {
    apiKey: API_KEY,
    apiName: 'Fetch',
    apiVersion: VERSION,
    encode: () => encode(question),
    decode,
  })
  if (answer.code !== 0) return question.positions.map((p) => failed(p.partition, answer.code))
  return answer.parts
}

function encode({ topic, positions, maxBytes, maxPartitionBytes }: FetchQuestion) {
  const partitions = positions.map(({ partition, offset }) =>
    createEncoder()
      .writeInt32(partition)
      .writeInt32(NO_EPOCH)
      .writeInt64(offset)
      .writeInt64(-1n)
      .writeInt32(maxPartitionBytes),
  )
  return createEncoder()
    .writeInt32(CONSUMER)
    .writeInt32(MAX_WAIT_MS)
    .writeInt32(MIN_BYTES)
    .writeInt32(maxBytes)
    .writeInt8(READ_COMMITTED)
    .writeInt32(0)
    .writeInt32(-1)
    .writeArray([createEncoder().writeString(topic).writeArray(partitions, 'object')], 'object')
    .writeArray([], 'object')
    .writeString('')
}

function decode(decoder: Decoder) {
  // kafkajs holds back by this name what is sent next.
  const clientSideThrottleTime = decoder.readInt32()
  const code = decoder.readInt16()
  decoder.readInt32()
  const topics = decoder.readArray((d) => {
    d.readString()
    return d.readArray(partOf)
  })
  return { clientSideThrottleTime, code, parts: topics.flat() }
}

function partOf(decoder: Decoder): FetchedPart {
  const partition = decoder.readInt32()
  const code = decoder.readInt16()
  const highWatermark = bigint(decoder)
  const lastStable = bigint(decoder)
  const logStart = bigint(decoder)
  const aborted = decoder.readArray((d) => ({ producerId: bigint(d), first: bigint(d) }))
  decoder.readInt32()
  const batches = decoder.readBytes() ?? EMPTY
  return { partition, code, highWatermark, lastStable, logStart, aborted, batches }
}

function failed(partition: number, code: number): FetchedPart {
  const [highWatermark, lastStable, logStart] = [-1n, -1n, -1n]
  return { partition, code, highWatermark, lastStable, logStart, aborted: [], batches: EMPTY }
}

const bigint = (decoder: Decoder): bigint => BigInt(decoder.readInt64().toString())
