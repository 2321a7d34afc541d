/**
 * The relay link: what the worker and a relay say to each other over the WebSocket that the relay opens to `/internal/link`. Frames are
 * JSON texts. The relay begins with `hello`; the worker answers `welcome` or closes. Then the worker asks, each question with an id and
 * the time left for it, and the relay answers each id once, in any order. Offsets are decimal texts: they exceed a JSON number.
 *
 * Besides, the relay sends the text `ping` when it has been silent for a while; the platform answers `pong` without waking the worker.
 */
import * as z from 'zod/mini'
import { MAX_LIST_RECORDS, MAX_TASKS } from './limits.ts'
import { InstanceId, TopicName } from './names.ts'

export const LINK_VERSION = 1
export const LINK_PING = 'ping'
export const LINK_PONG = 'pong'

/** Close codes of the worker's side (4000 to 4999 are an application's: RFC 6455 section 7.4.2). */
export const LINK_CLOSE = {
  /** A frame that is no frame, or comes at the wrong time. */
  badFrame: 4400,
  /** The hello names a version that this worker does not speak. */
  badVersion: 4426,
  /** The hello names another instance: relay and worker do not belong together. */
  badInstance: 4421,
} as const

const Offset = z.string().check(z.regex(/^\d{1,19}$/))
const Partition = z.int().check(z.minimum(0), z.maximum(2_147_483_647))
const Count = z.int().check(z.minimum(0))
/** Unix ms. */
const Time = z.int().check(z.minimum(0))
export const PartitionOffset = z.strictObject({ partition: Partition, offset: Offset })
export type PartitionOffset = z.infer<typeof PartitionOffset>

const Limit = z.int().check(z.minimum(1), z.maximum(MAX_LIST_RECORDS))

/** What the worker may ask. */
export const LinkQuery = z.union([
  /** One record with key and value. */
  z.strictObject({
    op: z.literal('record'),
    topic: TopicName,
    partition: Partition,
    offset: Offset,
    /** A record whose key, value and headers have more bytes than this is not sent. */
    maxBytes: z.int().check(z.minimum(1)),
  }),
  /** Up to `limit` records of one partition from `offset` on. */
  z.strictObject({
    op: z.literal('records_by_offset'),
    topic: TopicName,
    partition: Partition,
    offset: Offset,
    limit: Limit,
    /** With keys, values and headers. */
    values: z.boolean(),
  }),
  /** Records with a timestamp of `from` or later, merged by time over the partitions; each partition's own order is kept. */
  z.strictObject({
    op: z.literal('records_by_time'),
    topic: TopicName,
    from: Time,
    /** Only this partition. */
    partition: z.optional(Partition),
    /** Where to go on: the `next` of the answer before. */
    next: z.optional(z.array(PartitionOffset)),
    limit: Limit,
    /** Whether `limit` counts for each partition of a page or for all together; MAX_LIST_RECORDS holds for all in either case. */
    limitOf: z.enum(['partition', 'all']),
    values: z.boolean(),
  }),
  /** All topics but internal ones, or those of these names that exist. */
  z.strictObject({
    op: z.literal('topics'),
    names: z.optional(z.array(TopicName).check(z.maxLength(MAX_TASKS))),
  }),
  /** One topic with all that is known of it. */
  z.strictObject({ op: z.literal('topic'), topic: TopicName }),
  z.strictObject({ op: z.literal('cluster') }),
])
export type LinkQuery = z.infer<typeof LinkQuery>
export type LinkOp = LinkQuery['op']

const Header = z.union([
  z.strictObject({ name: z.string(), value: z.nullable(z.string()) }),
  z.strictObject({ name: z.string(), base64: z.string() }),
])

/**
 * A record as it is in Kafka. Key and value are text where the bytes are UTF-8, else base64; null is Kafka's null. All of them are
 * absent where the record is listed without its content.
 */
export const StoredRecord = z.strictObject({
  partition: Partition,
  offset: Offset,
  /** Unix ms; -1: the record has none. */
  timestamp: z.int(),
  /** Bytes of key, value and headers. */
  bytes: Count,
  key: z.optional(z.nullable(z.string())),
  keyBase64: z.optional(z.string()),
  value: z.optional(z.nullable(z.string())),
  base64: z.optional(z.string()),
  headers: z.optional(z.array(Header)),
})
export type StoredRecord = z.infer<typeof StoredRecord>

/** Why there is no record at an offset. */
export const AbsentReason = z.enum([
  /** Nothing was written there yet. */
  'beyond_end',
  /** Something is written there, and its transaction was still open when the time was over. */
  'undecided',
  /** The end marker of a transaction. */
  'control',
  /** A record of a transaction that was aborted. */
  'aborted',
  /** The log goes on behind it, but it is not there any more. */
  'compacted',
  /** Before the log's start: deleted by retention, or by somebody. */
  'expired',
  /** It is there, and larger than `maxBytes`. */
  'too_large',
])
export type AbsentReason = z.infer<typeof AbsentReason>

const TopicSummary = z.strictObject({
  name: TopicName,
  partitions: Count,
  /** Replicas of each partition; of its first one, where they differ. */
  replicas: Count,
})
export type TopicSummary = z.infer<typeof TopicSummary>

export const TopicDetail = z.extend(TopicSummary, {
  /** Kafka's own id of the topic, where the cluster gives one. */
  id: z.optional(z.string()),
  partitionStates: z.array(
    z.strictObject({
      partition: Partition,
      /** Broker id; absent: it has no leader now. */
      leader: z.optional(z.int()),
      replicas: Count,
      inSync: Count,
      /** The first offset that is there, and the first that is not yet (of what is committed); absent where the leader did not say. */
      start: z.optional(Offset),
      end: z.optional(Offset),
    }),
  ),
  /** By Kafka's names, as texts; absent: the relay may not read them. */
  config: z.optional(z.record(z.string(), z.string())),
})
export type TopicDetail = z.infer<typeof TopicDetail>

/** Why a relay could not do what was asked. */
export const LinkFailure = z.enum([
  /** It does not exist, or must not be read. */
  'topic_not_found',
  'partition_not_found',
  'not_authorized',
  /** Kafka did not answer, or answered with an error that may pass. */
  'kafka_unavailable',
  'timed_out',
  /** This relay has as many questions as it takes at once. */
  'busy',
])
export type LinkFailure = z.infer<typeof LinkFailure>

export const LinkAnswer = z.union([
  z.strictObject({ status: z.literal('record'), record: StoredRecord }),
  z.strictObject({
    status: z.literal('absent'),
    reason: AbsentReason,
    /** What the partition has, from `start` to before `end`. */
    start: Offset,
    end: Offset,
    /** Of a record that is too large. */
    bytes: z.optional(Count),
  }),
  z.strictObject({
    status: z.literal('records'),
    records: z.array(StoredRecord),
    /** Where each partition goes on, all of them; absent: everything up to the end was read. */
    next: z.optional(z.array(PartitionOffset)),
  }),
  z.strictObject({ status: z.literal('topics'), topics: z.array(TopicSummary) }),
  z.strictObject({ status: z.literal('topic'), topic: TopicDetail }),
  z.strictObject({ status: z.literal('cluster'), clusterId: z.string(), brokers: Count }),
  z.strictObject({ status: z.literal('failed'), reason: LinkFailure, problem: z.string() }),
])
export type LinkAnswer = z.infer<typeof LinkAnswer>

/** Why a topic can't be a task's target. */
export const TargetProblem = z.enum([
  'topic_not_found',
  /** The relay may not write to it, or not create it. */
  'not_authorized',
  'replication_too_low',
  /** It was to be created, and Kafka refused; the relay's log says why. */
  'topic_not_created',
])
export type TargetProblem = z.infer<typeof TargetProblem>

/** What a relay found of a target topic. One of which nothing can be said now is left out. */
export const TargetState = z.union([
  z.strictObject({
    topic: TopicName,
    status: z.literal('fit'),
    partitions: z.int().check(z.minimum(1)),
    /** Largest record batch of one report that it takes; absent: not known, or the relay compresses. */
    maxMessageBytes: z.optional(z.int().check(z.minimum(1))),
  }),
  z.strictObject({ topic: TopicName, status: z.literal('unfit'), reason: TargetProblem }),
])
export type TargetState = z.infer<typeof TargetState>

/** A topic that is created when it is not there. */
export const TopicToCreate = z.strictObject({
  topic: TopicName,
  /** Absent: as many as the brokers give by default. */
  partitions: z.optional(z.int().check(z.minimum(1), z.maximum(2_147_483_647))),
})
export type TopicToCreate = z.infer<typeof TopicToCreate>

/** A task whose topic is changed has two, until the new one is fit. */
const MAX_TARGETS = 2 * MAX_TASKS

const Id = z.int().check(z.minimum(1))

export const RelayFrame = z.union([
  /** Whatever another version adds to it: the worker has to read which version it is. */
  z.looseObject({
    type: z.literal('hello'),
    v: z.int(),
    instance: InstanceId,
    /** RELAY_ID, for logs. */
    relay: z.string().check(z.maxLength(100)),
  }),
  z.strictObject({ type: z.literal('answer'), id: Id, answer: LinkAnswer }),
  /** All watched topics at first, then those that changed. */
  z.strictObject({
    type: z.literal('targets'),
    targets: z.array(TargetState).check(z.maxLength(MAX_TARGETS)),
  }),
])
export type RelayFrame = z.infer<typeof RelayFrame>

export const WorkerFrame = z.union([
  z.strictObject({ type: z.literal('welcome'), v: z.int() }),
  z.strictObject({
    type: z.literal('query'),
    id: Id,
    /** Time left for the answer, ms. */
    withinMs: z.int().check(z.minimum(1)),
    query: LinkQuery,
  }),
  /** Nobody waits for the answer any more; none is due. */
  z.strictObject({ type: z.literal('cancel'), id: Id }),
  /** The target topics to look at from now on: all of them, each time. */
  z.strictObject({
    type: z.literal('watch'),
    topics: z.array(TopicName).check(z.maxLength(MAX_TARGETS)),
    /** Those of them that are to be created when they are not there. */
    create: z.optional(z.array(TopicToCreate).check(z.maxLength(MAX_TARGETS))),
  }),
  /** Somebody waits for what is in these shards' queues. */
  z.strictObject({
    type: z.literal('wake'),
    shards: z.array(z.int().check(z.minimum(0), z.maximum(7))).check(z.minLength(1)),
  }),
])
export type WorkerFrame = z.infer<typeof WorkerFrame>
