/**
 * The lane's own view of topics, from one raw Metadata answer. kafkajs's cached metadata fails for all topics when one is bad, so it is
 * asked for the ledger alone.
 */
import { Code } from './codes.ts'
import { raw, type Broker } from './kafkajs.ts'

export type TopicState =
  | {
      status: 'ok'
      partitions: number
      /** Partition → broker id, only for partitions that may be written to now: a leader, and enough in-sync replicas. */
      leaders: ReadonlyMap<number, number>
    }
  /** `code`: unknown or deleted, invalid name, not authorised. */
  | { status: 'unavailable'; code: number }

export type Topology = ReadonlyMap<string, TopicState>

interface MetadataAnswer {
  topicMetadata: {
    topicErrorCode: number
    topic: string
    partitionMetadata: {
      partitionErrorCode: number
      partitionId: number
      leader: number
      replicas: number[]
      isr: number[]
    }[]
  }[]
}

export interface InSyncNeeds {
  /** Of every partition. */
  least: number
  /** A topic's own `min.insync.replicas`, where it is known. Kafka asks for no more of a partition than it has replicas. */
  ofTopic?: ReadonlyMap<string, number>
}

export async function readTopology(
  broker: Broker,
  topics: readonly string[],
  needs: InSyncNeeds,
): Promise<Topology> {
  // Never with an empty list: that asks for all topics.
  const answer = await raw<MetadataAnswer>(broker, 'Metadata', {
    topics: [...new Set(topics)],
    allowAutoTopicCreation: false,
  })
  return new Map(answer.topicMetadata.map((topic) => [topic.topic, stateOf(topic, needs)]))
}

interface ConfigsAnswer {
  resources: {
    errorCode: number
    resourceName: string
    configEntries: { configName: string; configValue: string }[]
  }[]
}

const RESOURCE_TYPE_TOPIC = 2
const MIN_IN_SYNC_REPLICAS = 'min.insync.replicas'

/** Each topic's own `min.insync.replicas`; left out where the relay may not ask for it. */
export async function readMinInSyncReplicas(
  broker: Broker,
  topics: readonly string[],
): Promise<Map<string, number>> {
  const answer = await raw<ConfigsAnswer>(broker, 'DescribeConfigs', {
    resources: topics.map((name) => ({
      type: RESOURCE_TYPE_TOPIC,
      name,
      configNames: [MIN_IN_SYNC_REPLICAS],
    })),
  })
  return new Map(
    answer.resources.flatMap(({ errorCode, resourceName, configEntries }) => {
      const entry = configEntries.find(({ configName }) => configName === MIN_IN_SYNC_REPLICAS)
      return errorCode === Code.NONE && entry ? [[resourceName, Number(entry.configValue)]] : []
    }),
  )
}

function stateOf(
  topic: MetadataAnswer['topicMetadata'][number],
  { least, ofTopic }: InSyncNeeds,
): TopicState {
  const partitions = topic.partitionMetadata
  if (topic.topicErrorCode !== Code.NONE && topic.topicErrorCode !== Code.LEADER_NOT_AVAILABLE) {
    return { status: 'unavailable', code: topic.topicErrorCode }
  }
  if (partitions.length === 0) return { status: 'unavailable', code: Code.LEADER_NOT_AVAILABLE }
  const own = ofTopic?.get(topic.topic) ?? 0
  const writable = partitions.filter(
    ({ leader, isr, replicas }) =>
      leader >= 0 && isr.length >= Math.max(least, Math.min(own, replicas.length)),
  )
  return {
    status: 'ok',
    partitions: partitions.length,
    leaders: new Map(writable.map((p) => [p.partitionId, p.leader])),
  }
}
