/**
 * What the questions ask of Kafka: metadata, offsets and record batches, each partition at its leader. Keeps what it knows of a topic for
 * a while. What is in doubt (a connection, who leads a partition) is looked up anew and asked again, a few times, within the question's
 * time; then the trouble is told. Reads without a group, and writes nothing but topics that it is told to create.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { createBrokers } from '../kafka/brokers.ts'
import { Code } from '../kafka/codes.ts'
import { createTopic, type NewTopic, type NewTopicAnswer } from '../kafka/create-topic.ts'
import { MISSING_RIGHT } from '../kafka/explain.ts'
import { fetchBatches, type FetchedPart, type FetchPosition } from '../kafka/fetch.ts'
import {
  createBrokerOpener,
  errorName,
  raw,
  type KafkaSettings,
  type LoneBroker,
} from '../kafka/kafkajs.ts'
import {
  readMetadata,
  type Metadata,
  type MetadataQuestion,
  type TopicMetadata,
} from '../kafka/metadata.ts'
import { listOffsets, type OffsetOf } from '../kafka/offsets.ts'
import { unlessAborted } from './time-left.ts'
import { lasting, OFFSET_OUT_OF_RANGE, passing, QueryTrouble, troubleOf } from './trouble.ts'

export interface FetchSizes {
  maxBytes: number
  maxPartitionBytes: number
}

export interface Source {
  metadata(question: MetadataQuestion, signal: AbortSignal): Promise<Metadata>
  /** As it was known not long ago. @throws QueryTrouble when it is not there, or nothing can be said of it */
  topic(name: string, signal: AbortSignal): Promise<TopicMetadata>
  /** @throws QueryTrouble when one of them can't be told; -1: there is none of this time */
  offsets(
    topic: string,
    partitions: readonly number[],
    of: OffsetOf,
    signal: AbortSignal,
  ): Promise<Map<number, bigint>>
  /**
   * What is at these positions, as far as the sizes reach for each leader. The only error left in the parts is OFFSET_OUT_OF_RANGE.
   * @throws QueryTrouble
   */
  fetch(
    topic: string,
    positions: readonly FetchPosition[],
    sizes: FetchSizes,
    signal: AbortSignal,
  ): Promise<FetchedPart[]>
  /** Topic → its configuration by Kafka's names; without those that the relay may not ask for. */
  configs(
    topics: readonly string[],
    names: readonly string[],
    signal: AbortSignal,
  ): Promise<Map<string, Map<string, string>>>
  /**
   * Asks once for a topic to be created. When the answer comes, some brokers may not know it yet.
   * @throws QueryTrouble when nothing is certain: it may have been created, or be later
   */
  create(topic: NewTopic, signal: AbortSignal): Promise<Creation>
  close(): void
}

export type Creation =
  | { status: 'created' }
  /** Somebody else was first. */
  | { status: 'exists' }
  | { status: 'refused'; reason: 'not_authorized' | 'topic_not_created'; why: string }

const CONNECT_TIMEOUT_MS = 3_000
/** A broker answers at once, or its connection is dead. Below half of a question's time, so that another try fits in. */
const ANSWER_TIMEOUT_MS = 3_000
/** Below it, so that a controller that is late says so itself. */
const CREATE_TIMEOUT_MS = 2_500
/** Leaders that have moved say so; this is for partitions that were added. */
const TOPIC_MAX_AGE_MS = 10_000
/** Topics that were asked for once are not kept for ever. */
const MAX_KNOWN_TOPICS = 1_000
/**
 * Before each try. A leader that hands over is followed in less. One that was elected just now does not know for half a second how far its
 * followers are, and says so (KIP-207). One that died stays leader for seconds, and that is told.
 */
const TRIES_AFTER_MS = [0, 0, 250, 500, 1_000]
const RESOURCE_TYPE_TOPIC = 2

interface Coded {
  partition: number
  code: number
}

export function createSource(kafka: KafkaSettings, clock: () => number): Source {
  const open = createBrokerOpener(kafka, {
    connectMs: CONNECT_TIMEOUT_MS,
    answerMs: ANSWER_TIMEOUT_MS,
  })
  const brokers = createBrokers(open, kafka.brokers.length)
  const known = new Map<string, { topic: TopicMetadata; at: number }>()

  /** An answer, or the connection is not used any more. */
  const ask = async <T>(
    find: () => Promise<LoneBroker>,
    question: (broker: LoneBroker) => Promise<T>,
  ): Promise<T> => {
    const broker = await find()
    try {
      return await question(broker)
    } catch (error) {
      brokers.drop(broker)
      throw error
    }
  }

  const askAny = async <T>(
    where: string,
    signal: AbortSignal,
    question: (broker: LoneBroker) => Promise<T>,
  ): Promise<T> => {
    let trouble: unknown
    for (const afterMs of TRIES_AFTER_MS) {
      if (afterMs > 0) await pause(afterMs, undefined, { signal })
      try {
        return await unlessAborted(signal, () => ask(brokers.any, question))
      } catch (error) {
        signal.throwIfAborted()
        trouble = error
      }
    }
    throw troubleOf(trouble, where)
  }

  const metadata = async (question: MetadataQuestion, signal: AbortSignal): Promise<Metadata> => {
    const answer = await askAny('metadata', signal, (broker) => readMetadata(broker, question))
    brokers.learn(answer.brokers)
    return answer
  }

  const lookUp = async (name: string, signal: AbortSignal): Promise<TopicMetadata> => {
    const { topics } = await metadata({ topics: [name] }, signal)
    const topic = topics.find((t) => t.name === name)
    const code = topic?.code ?? Code.UNKNOWN_TOPIC_OR_PARTITION
    if (topic && code === Code.NONE && topic.partitions.length > 0) return topic
    if (code === Code.UNKNOWN_TOPIC_OR_PARTITION) {
      throw new QueryTrouble('topic_not_found', `there is no topic ${name}`)
    }
    throw lasting(code, name) ?? passing(code, name)
  }

  const topic = async (name: string, signal: AbortSignal): Promise<TopicMetadata> => {
    const before = known.get(name)
    if (before && clock() - before.at < TOPIC_MAX_AGE_MS) return before.topic
    known.delete(name)
    // A broker that has just come up, or a topic that has just been made: another one may know it.
    const found = await lookUp(name, signal).catch((error: unknown) => {
      if (!(error instanceof QueryTrouble) || error.reason === 'not_authorized') throw error
      return lookUp(name, signal)
    })
    known.set(name, { topic: found, at: clock() })
    for (const oldest of known.keys()) {
      if (known.size <= MAX_KNOWN_TOPICS) break
      known.delete(oldest)
    }
    return found
  }

  /** Asks each leader of the partitions, all of them at the same time, until each partition has an answer that stands. */
  const atLeaders = async <T extends Coded>(
    name: string,
    partitions: readonly number[],
    signal: AbortSignal,
    question: (broker: LoneBroker, of: number[]) => Promise<T[]>,
  ): Promise<T[]> => {
    const answers: T[] = []
    let left = [...partitions]
    let trouble: QueryTrouble | undefined
    for (const afterMs of TRIES_AFTER_MS) {
      if (afterMs > 0) await pause(afterMs, undefined, { signal })
      if (trouble) known.delete(name)
      const { partitions: states } = await topic(name, signal)
      const leaders = new Map(states.map((state) => [state.partition, state.leader]))
      const again: number[] = []
      const byLeader = Map.groupBy(left, (partition) => leaders.get(partition))
      const askOne = async (leader: number | undefined, of: number[]) => {
        const where = of.length === 1 ? `${name}/${of[0]}` : name
        if (leader === undefined || leader < 0) {
          again.push(...of)
          const first = `${name}/${of[0]}`
          trouble =
            leader === undefined
              ? new QueryTrouble('partition_not_found', `there is no partition ${first}`)
              : new QueryTrouble('kafka_unavailable', `${first} has no leader now`)
          return
        }
        let parts: T[]
        try {
          parts = await ask(
            () => brokers.withId(leader),
            (broker) => question(broker, of),
          )
        } catch (error) {
          again.push(...of)
          trouble = troubleOf(error, `${where} at broker ${leader}`)
          return
        }
        for (const part of parts) {
          if (part.code === Code.NONE || part.code === OFFSET_OUT_OF_RANGE) answers.push(part)
          else {
            const at = `${name}/${part.partition}`
            trouble = lasting(part.code, at) ?? passing(part.code, `${at} at broker ${leader}`)
            again.push(part.partition)
          }
        }
      }
      trouble = undefined
      await unlessAborted(signal, () => Promise.all([...byLeader].map((each) => askOne(...each))))
      left = again
      if (left.length === 0) return answers
      // The compiler does not see that the function above has set it.
      if ((trouble as QueryTrouble | undefined)?.reason === 'not_authorized') break
    }
    throw trouble ?? new QueryTrouble('kafka_unavailable', `${name} can't be read now`)
  }

  return {
    metadata,
    topic,
    async offsets(name, partitions, of, signal) {
      const answers = await atLeaders(name, partitions, signal, (broker, asked) =>
        listOffsets(broker, name, asked, of),
      )
      return new Map(answers.map(({ partition, offset }) => [partition, offset]))
    },
    async fetch(name, positions, sizes, signal) {
      const at = new Map(positions.map((position) => [position.partition, position]))
      return atLeaders(name, [...at.keys()], signal, (broker, of) =>
        fetchBatches(broker, {
          topic: name,
          positions: of.flatMap((partition) => at.get(partition) ?? []),
          ...sizes,
        }),
      )
    },
    async configs(topics, names, signal) {
      const answer = await askAny('configurations', signal, (broker) =>
        raw<ConfigsAnswer>(broker, 'DescribeConfigs', {
          resources: topics.map((name) => ({
            type: RESOURCE_TYPE_TOPIC,
            name,
            configNames: [...names],
          })),
        }),
      )
      return new Map(
        answer.resources
          .filter(({ errorCode }) => errorCode === Code.NONE)
          .map(({ resourceName, configEntries }) => [resourceName, configOf(configEntries)]),
      )
    },
    async create(topic, signal) {
      const { controller } = await metadata({ topics: [] }, signal)
      const where = `the creation of ${topic.name}`
      const asked = () =>
        ask(
          () => (controller < 0 ? brokers.any() : brokers.withId(controller)),
          (broker) => createTopic(broker, topic, CREATE_TIMEOUT_MS),
        )
      const answer = await unlessAborted(signal, asked).catch((error: unknown) => {
        throw troubleOf(error, where)
      })
      const creation = creationOf(answer)
      if (!creation) throw passing(answer.code, where)
      return creation
    },
    close: () => brokers.close(),
  }
}

/** Undefined when nothing is certain. Pure. */
export function creationOf({ code, message }: NewTopicAnswer): Creation | undefined {
  const why = `${errorName(code)} (${code})${message === undefined ? '' : `: ${message}`}`
  switch (code) {
    case Code.NONE:
      return { status: 'created' }
    case Code.TOPIC_ALREADY_EXISTS:
      return { status: 'exists' }
    case Code.TOPIC_AUTHORIZATION_FAILED:
    case Code.CLUSTER_AUTHORIZATION_FAILED:
      return { status: 'refused', reason: 'not_authorized', why: `${why}; ${MISSING_RIGHT}` }
    case Code.REQUEST_TIMED_OUT:
    case Code.NOT_CONTROLLER:
    case Code.THROTTLING_QUOTA_EXCEEDED:
      return undefined
    default:
      // Too many partitions, a policy, a name that collides, … Somebody has to see it, also what nobody has thought of here.
      return { status: 'refused', reason: 'topic_not_created', why }
  }
}

interface ConfigsAnswer {
  resources: {
    errorCode: number
    resourceName: string
    /** A secret has no value. */
    configEntries: { configName: string; configValue: string | null }[]
  }[]
}

function configOf(entries: ConfigsAnswer['resources'][number]['configEntries']) {
  return new Map(
    entries.flatMap(({ configName, configValue }) =>
      configValue === null ? [] : [[configName, configValue] as const],
    ),
  )
}
