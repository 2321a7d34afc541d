// Reads what is committed in a topic, with a read_committed kafkajs consumer whose abort filter is
// mended (kafkajs activates one aborted transaction a message), so that histories are judged by a reader that is right and is not the
// relay's. Shares no code with relay/, patches nothing that other users of kafkajs in this process
// would see, and commits no offsets.
import { randomUUID } from 'node:crypto'
import { createRequire } from 'node:module'
import { setTimeout as pause } from 'node:timers/promises'
import { type IHeaders, Kafka, logLevel } from 'kafkajs'

const KAFKAJS_VERSION = '2.2.4'
const MAX_WAIT_MS = 50
const DEFAULT_TIMEOUT_MS = 60_000
const RETRY_MS = 50
const RETRY = { initialRetryTime: 50, retries: 5 }
// https://kafka.apache.org/protocol#The_Messages_ListOffsets
const READ_UNCOMMITTED = 0
const READ_COMMITTED = 1

export interface KafkaRecord {
  readonly partition: number
  readonly offset: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: IHeaders
  readonly timestamp: number
}

export interface ReadTopicOptions {
  readonly brokers: readonly string[]
  readonly topic: string
  // Per partition the first offset to read. Partitions left out are read from their start.
  readonly from?: Readonly<Record<number, number>>
  // Where to end. 'written' (default): at what was written when the call began, after waiting for the
  // open transactions in it to be decided. 'decided': at the last stable offset of that moment, without
  // waiting; as the answer to a commit comes before its markers are written, a record that was just
  // committed may be missing then.
  readonly upTo?: 'written' | 'decided'
  // How long to wait for the brokers and for open transactions.
  readonly timeoutMs?: number
}

export interface ReadRecordOptions extends Omit<ReadTopicOptions, 'from'> {
  readonly partition: number
  readonly offset: number
}

// All committed records, sorted by partition and offset.
export async function readTopic(options: ReadTopicOptions): Promise<KafkaRecord[]> {
  const { from = {} } = options
  return readRanges(options, ({ partition, start, end }) => ({
    partition,
    next: Math.max(start, from[partition] ?? 0),
    end,
  }))
}

// Undefined if there is no committed record at this offset: not yet, never, aborted, expired, a marker.
export async function readRecord(options: ReadRecordOptions): Promise<KafkaRecord | undefined> {
  const [record] = await readRanges(options, ({ partition, start, end }) => {
    const isWanted = partition === options.partition && options.offset >= start
    if (!isWanted) return { partition, next: end, end }
    return { partition, next: options.offset, end: Math.min(options.offset + 1, end) }
  })
  return record
}

interface Bounds {
  readonly partition: number
  readonly start: number
  readonly end: number
}

// Everything before `next` was read; the range is done when `next` reaches `end`.
interface Range {
  readonly partition: number
  readonly end: number
  next: number
}

const isDone = ({ next, end }: Range): boolean => next >= end

type RangeOptions = Omit<ReadTopicOptions, 'from'>

// Goes on after any error of kafkajs until the time is up: a coordinator that is loading, a leader that
// has just been killed. What was read stays read.
async function readRanges(
  options: RangeOptions,
  toRange: (bounds: Bounds) => Range,
): Promise<KafkaRecord[]> {
  const { brokers, topic, upTo = 'written', timeoutMs = DEFAULT_TIMEOUT_MS } = options
  const deadline = Date.now() + timeoutMs
  const isolationLevel = upTo === 'written' ? READ_UNCOMMITTED : READ_COMMITTED
  const kafka = createMendedKafka(brokers, isolationLevel)
  const records: KafkaRecord[] = []
  let ranges: Map<number, Range> | undefined
  for (;;) {
    try {
      ranges ??= new Map(
        (await fetchBounds(kafka, topic)).map((bounds) => [bounds.partition, toRange(bounds)]),
      )
      await consume(kafka, topic, ranges, records, deadline)
      return records.toSorted((a, b) => a.partition - b.partition || a.offset - b.offset)
    } catch (error) {
      const isOfKafkajs = error instanceof Error && error.name.startsWith('KafkaJS')
      if (!isOfKafkajs || Date.now() >= deadline) throw error
      await pause(RETRY_MS)
    }
  }
}

async function consume(
  kafka: Kafka,
  topic: string,
  ranges: ReadonlyMap<number, Range>,
  records: KafkaRecord[],
  deadline: number,
): Promise<void> {
  const isFinished = (): boolean => [...ranges.values()].every(isDone)
  if (isFinished()) return

  const consumer = kafka.consumer({
    groupId: `reader-${randomUUID()}`,
    maxWaitTimeInMs: MAX_WAIT_MS,
    retry: { ...RETRY, restartOnFailure: async () => false },
  })
  const { promise: finished, resolve, reject } = Promise.withResolvers<void>()
  // It may reject while something else is awaited, which then fails as well.
  finished.catch(() => {})
  const advance = (range: Range, lastOffset: string): void => {
    range.next = Math.max(range.next, Number(lastOffset) + 1)
    if (isFinished()) resolve()
  }
  // Also emitted for batches that hold nothing but markers and aborted records, which eachBatch never
  // sees. lastOffset counts those, so a partition that ends in a marker comes to its end here.
  consumer.on('consumer.end_batch_process', ({ payload }) => {
    const range = ranges.get(payload.partition)
    if (range !== undefined) advance(range, payload.lastOffset)
  })
  consumer.on('consumer.crash', ({ payload }) => reject(payload.error))
  const timer = setTimeout(() => {
    const left = JSON.stringify([...ranges.values()].filter((range) => !isDone(range)))
    reject(new Error(`${topic} was not read in time, or a transaction stays open: ${left}`))
  }, deadline - Date.now())

  try {
    await consumer.connect()
    await consumer.subscribe({ topic, fromBeginning: true })
    await consumer.run({
      autoCommit: false,
      eachBatch: async ({ batch }) => {
        const range = ranges.get(batch.partition)
        if (range === undefined) return
        for (const message of batch.messages) {
          const offset = Number(message.offset)
          // A fetch from the start of the partition may be under way when `seek` takes effect.
          if (offset < range.next || offset >= range.end) continue
          const { key, value, headers = {} } = message
          const timestamp = Number(message.timestamp)
          records.push({ partition: batch.partition, offset, key, value, headers, timestamp })
        }
        advance(range, batch.lastOffset())
      },
    })
    for (const range of ranges.values()) {
      const { partition, next } = range
      if (isDone(range)) consumer.pause([{ topic, partitions: [partition] }])
      else consumer.seek({ topic, partition, offset: String(next) })
    }
    await finished
  } finally {
    clearTimeout(timer)
    // Leaves the group and closes every connection.
    await consumer.disconnect()
  }
}

async function fetchBounds(kafka: Kafka, topic: string): Promise<Bounds[]> {
  const admin = kafka.admin()
  try {
    await admin.connect()
    const offsets = await admin.fetchTopicOffsets(topic)
    return offsets.map(({ partition, low, high }) => ({
      partition,
      start: Number(low),
      end: Number(high),
    }))
  } finally {
    await admin.disconnect()
  }
}

// The parts of kafkajs's inside that the mend touches.
export interface FetchedMessage {
  readonly offset: string
  readonly key: Buffer | null
  readonly isControlRecord: boolean
  readonly batchContext: { readonly producerId: string; readonly inTransaction: boolean }
}

export interface AbortedTransaction {
  readonly firstOffset: string
  readonly producerId: string
}

interface FetchResponse {
  readonly responses: readonly {
    readonly partitions: readonly {
      messages: readonly FetchedMessage[]
      abortedTransactions?: readonly AbortedTransaction[] | null
    }[]
  }[]
}

interface Broker {
  fetch(request: unknown): Promise<FetchResponse>
}

interface Cluster {
  findBroker(query: { nodeId: string }): Promise<Broker>
}

// kafkajs filters aborted records in the constructor of its Batch, out of reach. So the answer of
// each fetch is changed before it gets there: aborted records are marked as control records, which
// Batch drops and counts, and the list of aborted transactions is emptied, which turns the stock
// filter off. The change hangs on this one Kafka object.
function createMendedKafka(brokers: readonly string[], boundsLevel: number): Kafka {
  const { version } = createRequire(import.meta.url)('kafkajs/package.json') as { version: string }
  if (version !== KAFKAJS_VERSION) {
    throw new Error(`The reader is made for kafkajs ${KAFKAJS_VERSION}, not ${version}.`)
  }
  const kafka = new Kafka({
    clientId: 'edgehub-test-reader',
    brokers: [...brokers],
    logLevel: logLevel.NOTHING,
    retry: RETRY,
  })
  const symbol = Object.getOwnPropertySymbols(kafka).find((name) =>
    String(name).includes('createCluster'),
  )
  if (symbol === undefined) throw new Error('kafkajs has no createCluster to mend.')
  const inside = kafka as unknown as Record<symbol, (options: object) => Cluster>
  const createCluster = inside[symbol]
  inside[symbol] = (options) => {
    // A consumer brings its level along; the admin client, which asks for the bounds, does not.
    const cluster = createCluster?.({ isolationLevel: boundsLevel, ...options })
    if (cluster === undefined) throw new Error('kafkajs made no cluster.')
    const findBroker = cluster.findBroker.bind(cluster)
    cluster.findBroker = async (query) => mendBroker(await findBroker(query))
    return cluster
  }
  return kafka
}

function mendBroker(broker: Broker): Broker {
  // The same broker object is found again and again.
  if (Object.hasOwn(broker, 'fetch')) return broker
  const fetch = broker.fetch.bind(broker)
  broker.fetch = async (request) => {
    const response = await fetch(request)
    for (const { partitions } of response.responses) {
      for (const data of partitions) {
        data.messages = markAborted(data.messages, data.abortedTransactions ?? [])
        data.abortedTransactions = []
      }
    }
    return response
  }
  return broker
}

// The rule of Java's consumer: a transaction is aborted from its first offset to the abort marker of
// its producer. The broker lists transactions by their end, and one record may be the first after
// the start of several; kafkajs takes the list as sorted and opens one at most.
export function markAborted(
  messages: readonly FetchedMessage[],
  transactions: readonly AbortedTransaction[],
): FetchedMessage[] {
  const waiting = transactions.toSorted((a, b) => Number(a.firstOffset) - Number(b.firstOffset))
  const aborted = new Set<string>()
  return messages.map((message) => {
    for (
      let first = waiting[0];
      first !== undefined && Number(first.firstOffset) <= Number(message.offset);
      first = waiting[0]
    ) {
      aborted.add(first.producerId)
      waiting.shift()
    }
    const { producerId, inTransaction } = message.batchContext
    if (message.isControlRecord) {
      if (isAbortMarker(message)) aborted.delete(producerId)
      return message
    }
    return inTransaction && aborted.has(producerId)
      ? { ...message, isControlRecord: true }
      : message
  })
}

// Key of a control record: int16 version, int16 type; type 0 is abort, 1 is commit. An ordinary record
// may have the same four bytes for a key, so this is asked of control records only.
function isAbortMarker({ key }: FetchedMessage): boolean {
  return key !== null && key.length >= 4 && key.readInt16BE(2) === 0
}
