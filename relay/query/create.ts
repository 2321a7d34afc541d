/**
 * Creates target topics that are not there, for the tasks that ask for it. Each topic has a request of its own: one that Kafka refuses
 * must not hold up the others. It sets no configuration: all but partitions and replicas is as the brokers give it.
 */
import type { TargetProblem, TopicToCreate } from '#contract'
import { REPLICATION_FACTOR } from '../kafka/topics.ts'
import type { Creation, Source } from './source.ts'
import { troubleOf } from './trouble.ts'

/** How it ended; unclear: it may have been created, or be later. */
export type CreationEnd = Creation | { status: 'unclear'; why: string }

export interface CreationNeeds {
  /** That are up: a topic can't have more replicas. */
  brokers: number
  minInSyncReplicas: number
  onCreation(topic: string, end: CreationEnd): void
}

/** For all of them. What is left is done at the next look; the topics that are there must not wait for long until they are told. */
const CREATE_WITHIN_MS = 5_000

/**
 * Answers what is wrong with which topics. Those that it does not name are there now, or nothing is certain of them.
 * @throws the signal's reason
 */
export async function createMissing(
  topics: readonly TopicToCreate[],
  source: Pick<Source, 'create'>,
  { brokers, minInSyncReplicas, onCreation }: CreationNeeds,
  signal: AbortSignal,
): Promise<Map<string, TargetProblem>> {
  const problems = new Map<string, TargetProblem>()
  const replicationFactor = Math.min(REPLICATION_FACTOR, brokers)
  const inTime = AbortSignal.any([signal, AbortSignal.timeout(CREATE_WITHIN_MS)])
  for (const { topic, partitions } of topics) {
    const end =
      replicationFactor < minInSyncReplicas
        ? tooFewBrokers(replicationFactor, minInSyncReplicas)
        : await source
            .create({ name: topic, partitions, replicationFactor }, inTime)
            .catch((error: unknown): CreationEnd => {
              signal.throwIfAborted()
              return { status: 'unclear', why: troubleOf(error, topic).message }
            })
    onCreation(topic, end)
    // What keeps Kafka from answering would do so for the others as well.
    if (end.status === 'unclear') break
    if (end.status === 'refused') problems.set(topic, end.reason)
  }
  return problems
}

/** It would be there for good, and never fit. */
const tooFewBrokers = (replicas: number, minInSyncReplicas: number): CreationEnd => ({
  status: 'refused',
  reason: 'topic_not_created',
  why: `MIN_IN_SYNC_REPLICAS is ${minInSyncReplicas}, and a topic would get ${replicas} replicas`,
})
