/**
 * Answers the questions of the relay link from Kafka, over connections of its own: read_committed, without a group, nothing is written
 * but target topics that are to be created. So many questions read at once, the others wait in line; a question ends with its time, or
 * when nobody waits any more. Whatever happens becomes an answer. Topics that are Edgehub's or Kafka's own are not there for it.
 */
import {
  isReservedTopic,
  MAX_LINK_QUERIES,
  type LinkAnswer,
  type LinkQuery,
  type TargetState,
} from '#contract'
import type { KafkaSettings } from '../kafka/kafkajs.ts'
import { describeCluster, describeTopic, describeTopics } from './describe.ts'
import { createLine, type Line } from './line.ts'
import { listByOffset, listByTime } from './list.ts'
import { answerRecord } from './record.ts'
import { createSource, type Source } from './source.ts'
import { readTargets, type TargetNeeds, type WatchedTargets } from './targets.ts'
import { within, type TimeLeft } from './time-left.ts'
import { QueryTrouble, troubleOf } from './trouble.ts'

export interface QueryOptions {
  kafka: KafkaSettings
  /** Topics that must not be read. */
  isInternal?: (topic: string) => boolean
  minInSyncReplicas: number
  /** The relay compresses what it writes. */
  compresses: boolean
  /** After each try to create a target topic. */
  onCreation?: TargetNeeds['onCreation']
  /** Ms, monotonic. */
  clock: () => number
}

export interface Queries {
  /** Never throws. */
  answer(query: LinkQuery, options: AnswerOptions): Promise<LinkAnswer>
  /** In the order asked; without those of which nothing can be said now, which may be all of them. @throws the signal's reason */
  targets(watched: WatchedTargets, signal: AbortSignal): Promise<TargetState[]>
  close(): void
}

export interface AnswerOptions {
  withinMs: number
  signal: AbortSignal
}

const MAX_READING = 8

export function createQueries({
  kafka,
  isInternal = isReservedTopic,
  minInSyncReplicas,
  compresses,
  onCreation = () => undefined,
  clock,
}: QueryOptions): Queries {
  const source = createSource(kafka, clock)
  const line = createLine(MAX_READING)
  const deps = { source, line, isInternal }
  const closing = new AbortController()
  let questions = 0
  return {
    async answer(query, { withinMs, signal }) {
      if (questions >= MAX_LINK_QUERIES) {
        return failed(new QueryTrouble('busy', `${questions} questions are being answered already`))
      }
      questions++
      try {
        if ('topic' in query && isInternal(query.topic)) {
          throw new QueryTrouble('topic_not_found', `there is no topic ${query.topic}`)
        }
        const ended = AbortSignal.any([signal, closing.signal])
        return await within(withinMs, ended, (time) => answerOne(query, deps, time))
      } catch (error) {
        return failed(troubleOf(error, whereOf(query)))
      } finally {
        questions--
      }
    },
    async targets(watched, signal) {
      try {
        return await readTargets(
          watched,
          source,
          { isInternal, minInSyncReplicas, compresses, onCreation },
          AbortSignal.any([signal, closing.signal]),
        )
      } catch {
        signal.throwIfAborted()
        return []
      }
    },
    close() {
      closing.abort()
      source.close()
    },
  }
}

interface Deps {
  source: Source
  line: Line
  isInternal: (topic: string) => boolean
}

async function answerOne(query: LinkQuery, deps: Deps, time: TimeLeft): Promise<LinkAnswer> {
  const { source, line, isInternal } = deps
  const { signal } = time
  // It leaves the line while it waits for a transaction to end.
  if (query.op === 'record') return answerRecord(query, { source, line }, time)
  const leave = await line.enter(signal)
  try {
    switch (query.op) {
      case 'records_by_offset':
        return await listByOffset(query, source, time)
      case 'records_by_time':
        return await listByTime(query, source, time)
      case 'topics':
        return await describeTopics(query.names, source, isInternal, signal)
      case 'topic':
        return await describeTopic(query.topic, source, signal)
      case 'cluster':
        return await describeCluster(source, signal)
    }
  } finally {
    leave()
  }
}

function whereOf(query: LinkQuery): string {
  if (!('topic' in query)) return 'the cluster'
  const { topic } = query
  return 'partition' in query && query.partition !== undefined
    ? `${topic}/${query.partition}`
    : topic
}

function failed({ reason, message }: QueryTrouble): LinkAnswer {
  return { status: 'failed', reason, problem: message }
}
