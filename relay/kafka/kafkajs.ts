/**
 * The only door to kafkajs, and to the parts of it that it does not export: its cluster and broker objects, the protocol's request and
 * response pairs, its batch reader. Those parts are sound; its producer is not (docs/decisions/0002), and nothing in the relay uses it.
 *
 * Deep access is safe because the version is pinned, and asserted before anything is touched. The timer patch stops an endless 1 ms loop
 * on every idle connection (kafkajs issues 1751 and 1704).
 */
import { createRequire } from 'node:module'
import type { Socket } from 'node:net'
import type {
  Admin,
  AssignerProtocol,
  Consumer,
  ConsumerConfig,
  ISocketFactory,
  Kafka as KafkaClient,
  KafkaConfig,
} from 'kafkajs'
import { zstdCodec, ZSTD_CODE, type Codec, type CompressionCode } from './compression.ts'
import type { BatchCompression, LaneMessage } from './record-batch.ts'

export type { LaneMessage }

const KAFKAJS_VERSION = '2.2.4'
const require = createRequire(import.meta.url)

export type ApiName =
  | 'Produce'
  | 'Fetch'
  | 'ListOffsets'
  | 'Metadata'
  | 'AddPartitionsToTxn'
  | 'EndTxn'
  | 'InitProducerId'
  | 'DescribeConfigs'

export interface RequestPair {
  request: unknown
  response: { decode(raw: unknown): Promise<unknown>; parse(decoded: unknown): Promise<unknown> }
}

/** kafkajs's Broker, as far as the relay uses it. */
export interface Broker {
  nodeId: number
  lookupRequest(apiKey: number, definition: unknown): (args: unknown) => RequestPair
  connectionPool: { send(pair: RequestPair): Promise<unknown> }
  fetch(args: unknown): Promise<FetchResponse>
  listOffsets(args: unknown): Promise<ListOffsetsResponse>
  offsetFetch(args: unknown): Promise<OffsetFetchResponse>
}

/** kafkajs's Cluster, as far as the relay uses it. */
export interface Cluster {
  connect(): Promise<void>
  disconnect(): Promise<void>
  addTargetTopic(topic: string): Promise<void>
  refreshMetadata(): Promise<void>
  findBroker(to: { nodeId: number }): Promise<Broker>
  findGroupCoordinator(of: { groupId: string; coordinatorType: number }): Promise<Broker>
  findLeaderForPartitions(topic: string, partitions: number[]): Record<string, number[]>
  brokerPool: { findConnectedBroker(): Promise<Broker>; brokers: Record<string, Broker> }
}

export interface FetchedPartition {
  partition: number
  errorCode: number
  highWatermark: string
  lastStableOffset: string
  messages: unknown[]
}

export interface FetchResponse {
  responses: { topicName: string; partitions: FetchedPartition[] }[]
}

interface OffsetFetchResponse {
  responses: { topic: string; partitions: { partition: number; offset: string }[] }[]
}

interface ListOffsetsResponse {
  responses: { topic: string; partitions: { partition: number; offset: string }[] }[]
}

export interface FetchedMessage {
  offset: string
  key: Buffer | null
  value: Buffer | null
}

interface FetchedBatch {
  messages: FetchedMessage[]
  lastOffset(): string
}

/** kafkajs's writer and reader of Kafka's primitive types, as far as the relay uses them. `UVarInt` are the compact forms of KIP-482. */
export interface Encoder {
  writeInt8(n: number): Encoder
  writeInt16(n: number): Encoder
  writeInt32(n: number): Encoder
  writeInt64(n: bigint): Encoder
  writeBoolean(is: boolean): Encoder
  writeString(text: string): Encoder
  writeArray(items: Encoder[], type: 'object'): Encoder
  writeBuffer(bytes: Buffer): Encoder
  writeUVarInt(n: number): Encoder
  writeUVarIntString(text: string): Encoder
  writeUVarIntArray(items: Encoder[], type: 'object'): Encoder
}
export interface Decoder {
  readInt8(): number
  readInt16(): number
  readInt32(): number
  readInt64(): { toString(): string }
  readBoolean(): boolean
  readString(): string | null
  /** Without a length: it stands before them. The bytes are a view of the answer. */
  readBytes(length?: number): Buffer | null
  readArray<T>(read: (decoder: Decoder) => T): T[]
  readUVarIntString(): string | null
  readUVarIntArray<T>(read: (decoder: Decoder) => T): T[] | null
  readTaggedFields(): unknown
}

interface Internals {
  requests: Record<ApiName, unknown>
  apiKeys: Record<ApiName, number>
  Batch: new (topic: string, fetchOffset: string, data: FetchedPartition) => FetchedBatch
  createErrorFromCode(code: number): Error & { type: string; code: number }
  Encoder: new () => Encoder
  Decoder: new (bytes: Buffer) => Decoder
  createSocketFactory(): ISocketFactory
}

interface KafkaJs {
  Kafka: typeof KafkaClient
  AssignerProtocol: typeof AssignerProtocol
  CompressionCodecs: Record<number, () => Codec>
  logLevel: { NOTHING: number }
}

export interface KafkaSettings {
  brokers: string[]
  clientId: string
  ssl?: NonNullable<KafkaConfig['ssl']>
  sasl?: NonNullable<KafkaConfig['sasl']>
  /** Of the batches that the lane writes; not compressed when left out. Everything offered can be read whatever stands here. */
  compression?: CompressionCode
  /** Tests put faults on the wire with it. */
  socketFactory?: ISocketFactory
}

/** Longest wait for one answer of a broker. Above the produce time-out, below the transaction time-out. */
export const REQUEST_TIMEOUT_MS = 5_000
const CONNECTION_TIMEOUT_MS = 5_000
const METADATA_MAX_AGE_MS = 300_000

const loaded = load()

/** The wire form of what group members tell each other: kafkajs's own encoders. */
export const { AssignerProtocol: assignerProtocol } = loaded

function load(): KafkaJs & { internals: Internals } {
  const { version } = require('kafkajs/package.json') as { version: string }
  if (version !== KAFKAJS_VERSION) {
    throw new Error(
      `kafkajs ${version} is installed; the relay reaches into ${KAFKAJS_VERSION} and was proved with that version only`,
    )
  }
  patchTimer()
  const kafkajs = require('kafkajs') as KafkaJs
  // kafkajs leaves zstd to a plug-in, for writing and for reading. The registry is one for the whole process.
  kafkajs.CompressionCodecs[ZSTD_CODE] = () => zstdCodec
  return {
    ...kafkajs,
    internals: {
      requests: (require('kafkajs/src/protocol/requests') as { requests: Record<ApiName, unknown> })
        .requests,
      apiKeys: require('kafkajs/src/protocol/requests/apiKeys') as Record<ApiName, number>,
      Batch: require('kafkajs/src/consumer/batch') as Internals['Batch'],
      createErrorFromCode: (
        require('kafkajs/src/protocol/error') as Pick<Internals, 'createErrorFromCode'>
      ).createErrorFromCode,
      Encoder: require('kafkajs/src/protocol/encoder') as Internals['Encoder'],
      Decoder: require('kafkajs/src/protocol/decoder') as Internals['Decoder'],
      createSocketFactory:
        require('kafkajs/src/network/socketFactory') as Internals['createSocketFactory'],
    },
  }
}

interface RequestQueue {
  throttleCheckTimeoutId: NodeJS.Timeout | null
  throttledUntil: number
  pending: unknown[]
  checkPendingRequests(): void
  scheduleCheckPendingRequests(): void
}

/**
 * kafkajs arms a timer with a negative delay whenever nothing is pending; Node fires it after 1 ms and it arms itself again, for ever.
 * Nothing is lost without that timer: a push arms it, and every response checks the queue anyway.
 */
function patchTimer(): void {
  const queue = (require('kafkajs/src/network/requestQueue') as { prototype: RequestQueue })
    .prototype
  const pendingCheckMs = 10
  queue.scheduleCheckPendingRequests = function scheduleCheckPendingRequests(this: RequestQueue) {
    if (this.throttleCheckTimeoutId || this.pending.length === 0) return
    const wait = Math.max(this.throttledUntil - Date.now(), 0) || pendingCheckMs
    this.throttleCheckTimeoutId = setTimeout(() => {
      this.throttleCheckTimeoutId = null
      this.checkPendingRequests()
    }, wait)
  }
}

type Timeouts = Pick<KafkaConfig, 'connectionTimeout' | 'requestTimeout'>

function createKafka(settings: KafkaSettings & Timeouts): KafkaClient {
  return new loaded.Kafka({
    connectionTimeout: CONNECTION_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    ...settings,
    enforceRequestTimeout: true,
    retry: { initialRetryTime: 10, maxRetryTime: 500, retries: 8 },
    // What kafkajs would log, the relay knows from the error and logs once, with its own context.
    logLevel: loaded.logLevel.NOTHING,
  })
}

export function createAdmin(settings: KafkaSettings): Admin {
  return createKafka(settings).admin()
}

/** A consumer, and the only sure way to be rid of it. */
export interface CuttableConsumer {
  consumer: Consumer
  /**
   * Destroys its connections and lets it open no more. kafkajs can't be told to give up: a consumer that is disconnected while it joins
   * joins nevertheless, by new connections, and then heartbeats for ever out of anybody's reach.
   */
  cut(): void
}

export function createConsumer(settings: KafkaSettings, config: ConsumerConfig): CuttableConsumer {
  const open = settings.socketFactory ?? loaded.internals.createSocketFactory()
  const sockets = new Set<Socket>()
  let isCut = false
  const socketFactory: ISocketFactory = (args) => {
    if (isCut) throw new Error('this consumer was cut off')
    const socket = open(args)
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    return socket
  }
  return {
    consumer: createKafka({ ...settings, socketFactory }).consumer(config),
    cut() {
      isCut = true
      // Not without an error: kafkajs lets go of the requests in flight at 'error' and 'end' only.
      for (const socket of sockets) socket.destroy(new Error('this consumer was cut off'))
    },
  }
}

/** A cluster object of its own: its own connections and metadata, dropped whole at the first doubt. */
export function createCluster(settings: KafkaSettings & Timeouts): Cluster {
  const kafka = createKafka(settings)
  const symbol = Object.getOwnPropertySymbols(kafka).find((s) =>
    String(s).includes('createCluster'),
  )
  if (!symbol) throw new Error('kafkajs has no createCluster')
  const create = (kafka as unknown as Record<symbol, (options: object) => Cluster>)[symbol]
  if (!create) throw new Error('kafkajs has no createCluster')
  return create.call(kafka, {
    allowAutoTopicCreation: false,
    metadataMaxAge: METADATA_MAX_AGE_MS,
    isolationLevel: 1,
  })
}

/** A broker that is in no cluster object: whoever opened it ends it. */
export interface LoneBroker extends Broker {
  /** API key → what it speaks; once it is connected. */
  versions: Readonly<Record<number, { maxVersion: number }>> | null
  connect(): Promise<void>
  disconnect(): Promise<void>
  connectionPool: Broker['connectionPool'] & {
    host: string
    port: number
    /** Connects it when it is not. There are two, of which Fetch has the second for itself. */
    getConnection(index: number): Promise<unknown>
  }
}

export interface BrokerAddress {
  nodeId: number
  host: string
  port: number
}

/** Makes a broker at an address; without one, at the next of the bootstrap servers. Not connected yet. */
export type OpenBroker = (at?: BrokerAddress) => Promise<LoneBroker>

/**
 * Brokers without a cluster object around them. kafkajs's own keeps metadata of all its topics together, and refuses all of them for one
 * that is gone; and it drops a broker only with all others.
 */
export function createBrokerOpener(
  settings: KafkaSettings,
  timeouts: { connectMs: number; answerMs: number },
): OpenBroker {
  const { connectMs: connectionTimeout, answerMs: requestTimeout } = timeouts
  const inside = createCluster({ ...settings, connectionTimeout, requestTimeout }) as unknown as {
    rootLogger?: unknown
    connectionPoolBuilder?: { build(at?: object): Promise<unknown> }
    brokerPool: { createBroker?(options: object): LoneBroker }
  }
  return async (at) => {
    const connectionPool = await inside.connectionPoolBuilder?.build(at)
    const logger = inside.rootLogger
    const nodeId = at?.nodeId ?? null
    const broker = inside.brokerPool.createBroker?.({ connectionPool, logger, nodeId })
    if (!broker) throw new Error('kafkajs makes no broker')
    return broker
  }
}

/**
 * Sends one request and returns the whole decoded answer. kafkajs's own `parse` would throw the first partition's error for all of them;
 * here each partition's code is the caller's to judge. Nothing is retried.
 */
export async function raw<T>(
  broker: Broker,
  api: ApiName,
  args: unknown,
  /** The request's body, in place of what kafkajs would make of the arguments. */
  body?: Buffer,
): Promise<T> {
  const { internals } = loaded
  const { request, response } = broker.lookupRequest(
    internals.apiKeys[api],
    internals.requests[api],
  )(args)
  const pair = {
    request:
      body === undefined
        ? request
        : { ...(request as object), encode: async () => createEncoder().writeBuffer(body) },
    response: { decode: response.decode, parse: async (decoded: unknown) => decoded },
  }
  return (await broker.connectionPool.send(pair)) as T
}

/** How batches are compressed; undefined when they are not. */
export function compressionOf(code: CompressionCode): BatchCompression | undefined {
  const codec = code === 0 ? undefined : loaded.CompressionCodecs[code]?.()
  return codec && { code, compress: (records) => codec.compress({ buffer: records }) }
}

/** A request that kafkajs does not have. */
export interface OwnRequest<T> {
  apiKey: number
  apiName: string
  apiVersion: number
  encode(): Encoder
  decode(decoder: Decoder): T
}

/** @throws also when the broker does not know the request in this version */
export async function send<T>(broker: Broker, own: OwnRequest<T>): Promise<T> {
  const { apiKey, apiName, apiVersion } = own
  const pair: RequestPair = {
    request: { apiKey, apiName, apiVersion, encode: async () => own.encode() },
    response: {
      decode: async (bytes) => own.decode(new loaded.internals.Decoder(bytes as Buffer)),
      parse: async (decoded) => decoded,
    },
  }
  // kafkajs looks up whether the broker knows it.
  broker.lookupRequest(apiKey, { versions: [apiVersion], protocol: () => () => pair })
  return (await broker.connectionPool.send(pair)) as T
}

export function createEncoder(): Encoder {
  return new loaded.internals.Encoder()
}

/** The read_committed messages of a fetched partition, without control records, and the last offset that the fetch covered. */
export function readBatch(
  topic: string,
  fetchOffset: string,
  data: FetchedPartition,
): { messages: FetchedMessage[]; last: bigint } {
  const batch = new loaded.internals.Batch(topic, fetchOffset, data)
  return { messages: batch.messages, last: BigInt(batch.lastOffset()) }
}

/** Kafka's name for an error code, for logs and messages. */
export function errorName(code: number): string {
  return loaded.internals.createErrorFromCode(code).type
}

/** The protocol error code that kafkajs put on an error, if any. */
export function errorCode(error: unknown): number | undefined {
  const code =
    typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined
  return typeof code === 'number' ? code : undefined
}
