/**
 * Whether topics can be a task's target: there, for the relay to write to, and with replicas enough. Creates what is missing where that was
 * asked for, and nothing that is Edgehub's or Kafka's own. Says nothing of a topic of which nothing is certain now.
 */
import type { TargetState, TopicToCreate } from '#contract'
import { Code } from '../kafka/codes.ts'
import type { Metadata, TopicMetadata } from '../kafka/metadata.ts'
import { createMissing, type CreationNeeds } from './create.ts'
import type { Source } from './source.ts'

/** As the worker names them: `create` only of topics that are in `topics`. */
export interface WatchedTargets {
  topics: readonly string[]
  create?: readonly TopicToCreate[] | undefined
}

export interface TargetNeeds extends Pick<CreationNeeds, 'onCreation'> {
  isInternal(topic: string): boolean
  /** Of the relay's settings: with fewer replicas it would never send. */
  minInSyncReplicas: number
  /** Then nobody can tell how large a batch will be. */
  compresses: boolean
}

/** org.apache.kafka.common.acl.AclOperation.WRITE */
const WRITE = 1 << 4
const MAX_MESSAGE_BYTES = 'max.message.bytes'

export async function readTargets(
  { topics, create = [] }: WatchedTargets,
  source: Source,
  needs: TargetNeeds,
  signal: AbortSignal,
): Promise<TargetState[]> {
  const names = [...new Set(topics)]
  const asked = names.filter((name) => !needs.isInternal(name))
  if (asked.length === 0) return names.map(notFound)
  const { topics: found, brokers } = await lookUp(asked, source, signal)
  const { minInSyncReplicas, onCreation } = needs
  const states = new Map(found.map((topic) => [topic.name, judge(topic, minInSyncReplicas)]))
  const missing = create.filter(({ topic }) => isNotFound(states.get(topic)))
  if (missing.length > 0) {
    const creating = { brokers: brokers.length, minInSyncReplicas, onCreation }
    const problems = await createMissing(missing, source, creating, signal)
    for (const { topic } of missing) {
      const reason = problems.get(topic)
      // Not every broker has heard of one that was created just now: the next look tells of it.
      states.set(topic, reason && { topic, status: 'unfit', reason })
    }
  }
  const fit = [...states.keys()].filter((name) => states.get(name)?.status === 'fit')
  const sizes =
    needs.compresses || fit.length === 0
      ? new Map<string, number>()
      : await maxBytesOf(fit, source, signal)
  return names.flatMap((name): TargetState[] => {
    if (needs.isInternal(name)) return [notFound(name)]
    const state = states.get(name)
    if (!state) return []
    const maxMessageBytes = sizes.get(name)
    if (state.status === 'unfit' || maxMessageBytes === undefined) return [state]
    return [{ ...state, maxMessageBytes }]
  })
}

/** A broker that has just come up knows no topic, and the last one made is not known everywhere: who is missing is asked for again. */
async function lookUp(
  names: readonly string[],
  source: Source,
  signal: AbortSignal,
): Promise<Metadata> {
  const answer = await source.metadata({ topics: names, withOperations: true }, signal)
  const { topics } = answer
  const isThere = ({ code }: TopicMetadata) => code !== Code.UNKNOWN_TOPIC_OR_PARTITION
  const missing = topics.filter((topic) => !isThere(topic)).map(({ name }) => name)
  if (missing.length === 0) return answer
  const again = await source.metadata({ topics: missing, withOperations: true }, signal)
  return { ...again, topics: [...topics.filter(isThere), ...again.topics] }
}

/** Undefined when nothing is certain. Pure. */
export function judge(
  { name, code, partitions, operations }: TopicMetadata,
  minInSyncReplicas: number,
): TargetState | undefined {
  switch (code) {
    case Code.UNKNOWN_TOPIC_OR_PARTITION:
    case Code.INVALID_TOPIC:
      return notFound(name)
    case Code.TOPIC_AUTHORIZATION_FAILED:
      return { topic: name, status: 'unfit', reason: 'not_authorized' }
    case Code.NONE:
      break
    default:
      return undefined
  }
  if (partitions.length === 0) return undefined
  if (operations !== undefined && (operations & WRITE) === 0) {
    return { topic: name, status: 'unfit', reason: 'not_authorized' }
  }
  // With 1 a single replica will do, and that is what every topic has.
  const replicas = Math.min(...partitions.map((partition) => partition.replicas.length))
  if (replicas < minInSyncReplicas) {
    return { topic: name, status: 'unfit', reason: 'replication_too_low' }
  }
  return { topic: name, status: 'fit', partitions: partitions.length }
}

const notFound = (topic: string): TargetState => ({
  topic,
  status: 'unfit',
  reason: 'topic_not_found',
})

const isNotFound = (state: TargetState | undefined): boolean =>
  state?.status === 'unfit' && state.reason === 'topic_not_found'

async function maxBytesOf(
  topics: readonly string[],
  source: Source,
  signal: AbortSignal,
): Promise<Map<string, number>> {
  try {
    const configs = await source.configs(topics, [MAX_MESSAGE_BYTES], signal)
    return new Map(
      [...configs].flatMap(([topic, config]) => {
        const bytes = Number(config.get(MAX_MESSAGE_BYTES))
        return bytes >= 1 ? [[topic, bytes] as const] : []
      }),
    )
  } catch {
    signal.throwIfAborted()
    return new Map()
  }
}
