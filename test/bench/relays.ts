/** Relay processes of a bench: what they are told, and what they say, line by line. */
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { InstanceId, ShardCount } from '#contract'
import { LOCAL_ACCOUNT_ID, LOCAL_QUEUES } from '../../dev/queue-pull/queues.ts'
import { RELAY_NODE_FLAGS, relayRuntime } from '../../dev/relay-runtime.ts'
import type { LogLine } from '../support/relay-log.ts'
import { spawnNode, type BenchChild } from './child.ts'
import type { BenchKafka } from './kafka.ts'

export const TOKEN = 'bench-token-of-no-worth'
const ROOT = fileURLToPath(new URL('../..', import.meta.url))
/** How a relay is run: Node's arguments, and its part of the environment. */
export const RELAY = [...RELAY_NODE_FLAGS, join(ROOT, 'relay/main.ts')]
export const RELAY_RUNTIME = relayRuntime(ROOT)

const SAYS_DEADLINE_MS = 60_000

export function queueIds(shards: ShardCount): { QUEUE_IDS: string; DEAD_LETTER_QUEUE_IDS: string } {
  const queues = LOCAL_QUEUES.slice(0, shards)
  return {
    QUEUE_IDS: queues.map(({ id }) => id).join(','),
    DEAD_LETTER_QUEUE_IDS: queues.map(({ deadLetter }) => deadLetter.id).join(','),
  }
}

export interface TalkingRelay extends Pick<BenchChild, 'kill' | 'end'> {
  /** As soon as something is found in all that it has said. @throws when it ends, or does not say it in time */
  until<T>(find: (lines: readonly LogLine[]) => T | undefined): Promise<T>
}

export interface TalkingRelayOptions {
  kafka: BenchKafka
  instance: InstanceId
  shards: ShardCount
  queueUrl: string
  workerUrl: string
  name: string
  logLevel: 'info' | 'debug'
  signal: AbortSignal
}

export function startTalkingRelay(options: TalkingRelayOptions): TalkingRelay {
  const { kafka, instance, shards, queueUrl, workerUrl, name, logLevel, signal } = options
  const lines: LogLine[] = []
  const waiters = new Set<() => void>()
  const child = spawnNode(
    RELAY,
    {
      ...RELAY_RUNTIME,
      ...queueIds(shards),
      INSTANCE_ID: instance,
      QUEUE_API_URL: queueUrl,
      QUEUE_API_TOKEN: TOKEN,
      ACCOUNT_ID: LOCAL_ACCOUNT_ID,
      WORKER_URL: workerUrl,
      RELAY_TOKEN: TOKEN,
      KAFKA_BROKERS: kafka.brokers.join(','),
      MIN_IN_SYNC_REPLICAS: String(kafka.minInSyncReplicas),
      RELAY_ID: name,
      OPS_PORT: '0',
      LOG_LEVEL: logLevel,
    },
    signal,
    (line) => {
      if (!line.startsWith('{')) return
      lines.push(JSON.parse(line) as LogLine)
      for (const waiter of waiters) waiter()
    },
  )
  return {
    kill: child.kill,
    end: child.end,
    async until<T>(find: (lines: readonly LogLine[]) => T | undefined): Promise<T> {
      const said = Promise.withResolvers<T>()
      const look = () => {
        const found = find(lines)
        if (found !== undefined) said.resolve(found)
      }
      const late = () => said.reject(new Error(`${name} did not say it in time`))
      const timer = setTimeout(late, SAYS_DEADLINE_MS)
      waiters.add(look)
      look()
      try {
        return await Promise.race([said.promise, child.gone])
      } finally {
        clearTimeout(timer)
        waiters.delete(look)
      }
    },
  }
}
