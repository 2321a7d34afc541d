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
      isr: number[]
    }[]
  }[]
}

export async function readTopology(
  broker: Broker,
  topics: readonly string[],
  minInSyncReplicas: number,
): Promise<Topology> {
  // Never with an empty list: that asks for all topics.
  const answer = await raw<MetadataAnswer>(broker, 'Metadata', {
    topics: [...new Set(topics)],
    allowAutoTopicCreation: false,
  })
  return new Map(
    answer.topicMetadata.map((topic) => [topic.topic, stateOf(topic, minInSyncReplicas)]),
  )
}

function stateOf(
  topic: MetadataAnswer['topicMetadata'][number],
  minInSyncReplicas: number,
): TopicState {
  const partitions = topic.partitionMetadata
  if (topic.topicErrorCode !== Code.NONE && topic.topicErrorCode !== Code.LEADER_NOT_AVAILABLE) {
    return { status: 'unavailable', code: topic.topicErrorCode }
  }
  if (partitions.length === 0) return { status: 'unavailable', code: Code.LEADER_NOT_AVAILABLE }
  const writable = partitions.filter((p) => p.leader >= 0 && p.isr.length >= minInSyncReplicas)
  return {
    status: 'ok',
    partitions: partitions.length,
    leaders: new Map(writable.map((p) => [p.partitionId, p.leader])),
  }
}
