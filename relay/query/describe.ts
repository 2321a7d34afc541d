/** What the cluster says of itself and of its topics. Topics that are Edgehub's or Kafka's own are not told of. */
import type { LinkAnswer, TopicDetail, TopicSummary } from '#contract'
import { Code } from '../kafka/codes.ts'
import type { TopicMetadata } from '../kafka/metadata.ts'
import type { Source } from './source.ts'
import { QueryTrouble } from './trouble.ts'

type Answer<S extends LinkAnswer['status']> = Extract<LinkAnswer, { status: S }>

export async function describeCluster(
  source: Source,
  signal: AbortSignal,
): Promise<Answer<'cluster'>> {
  const { clusterId, brokers } = await source.metadata({ topics: [] }, signal)
  if (clusterId === undefined) {
    throw new QueryTrouble('kafka_unavailable', 'the cluster does not say what its id is')
  }
  return { status: 'cluster', clusterId, brokers: brokers.length }
}

export async function describeTopics(
  names: readonly string[] | undefined,
  source: Source,
  isInternal: (topic: string) => boolean,
  signal: AbortSignal,
): Promise<Answer<'topics'>> {
  const asked = names && [...new Set(names)].filter((name) => !isInternal(name))
  const { topics } = await source.metadata({ topics: asked }, signal)
  const summaries = topics
    .filter(({ code, name, partitions }) => {
      return code === Code.NONE && partitions.length > 0 && !isInternal(name)
    })
    .map(summaryOf)
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
  return { status: 'topics', topics: summaries }
}

export async function describeTopic(
  name: string,
  source: Source,
  signal: AbortSignal,
): Promise<Answer<'topic'>> {
  const topic = await source.topic(name, signal)
  const [starts, ends, config] = await Promise.all([
    offsetsOf(topic, 'start', source, signal),
    offsetsOf(topic, 'decided', source, signal),
    configOf(name, source, signal),
  ])
  const partitionStates = topic.partitions.map((state): TopicDetail['partitionStates'][number] => {
    const { partition, leader, replicas, inSync } = state
    const start = starts.get(partition)
    const end = ends.get(partition)
    return {
      partition,
      ...(leader < 0 ? {} : { leader }),
      replicas: replicas.length,
      inSync: inSync.length,
      ...(start === undefined ? {} : { start: `${start}` }),
      ...(end === undefined ? {} : { end: `${end}` }),
    }
  })
  return {
    status: 'topic',
    topic: {
      ...summaryOf(topic),
      ...(topic.id === undefined ? {} : { id: topic.id }),
      partitionStates,
      ...(config ? { config } : {}),
    },
  }
}

function summaryOf({ name, partitions }: TopicMetadata): TopicSummary {
  return { name, partitions: partitions.length, replicas: partitions[0]?.replicas.length ?? 0 }
}

/** Leader by leader, so that one that doesn't answer leaves out its own partitions only. */
async function offsetsOf(
  { name, partitions }: TopicMetadata,
  of: 'start' | 'decided',
  source: Source,
  signal: AbortSignal,
): Promise<Map<number, bigint>> {
  const byLeader = Map.groupBy(
    partitions.filter(({ leader }) => leader >= 0),
    ({ leader }) => leader,
  )
  const answers = await Promise.all(
    [...byLeader.values()].map(async (led) => {
      try {
        const asked = led.map(({ partition }) => partition)
        return [...(await source.offsets(name, asked, of, signal))]
      } catch {
        signal.throwIfAborted()
        return []
      }
    }),
  )
  return new Map(answers.flat())
}

/** Undefined when the relay may not read it, or nobody tells it now. */
async function configOf(
  name: string,
  source: Source,
  signal: AbortSignal,
): Promise<Record<string, string> | undefined> {
  try {
    const config = (await source.configs([name], [], signal)).get(name)
    return config && Object.fromEntries(config)
  } catch {
    signal.throwIfAborted()
    return undefined
  }
}
