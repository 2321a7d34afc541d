/** One run of a case: a fresh topic, fresh processes, and the proof that every report is there exactly once. */
import { randomBytes } from 'node:crypto'
import { InstanceId, type ShardCount } from '#contract'
import { findFreePorts } from '../../dev/kafka/ports.ts'
import { LOCAL_ACCOUNT_ID } from '../../dev/queue-pull/queues.ts'
import { readTopic } from '../support/kafka-reader.ts'
import { forkChild, spawnNode } from './child.ts'
import type { Figures } from './figures.ts'
import type { BenchKafka } from './kafka.ts'
import type { PlainOptions } from './plain-child.ts'
import { queueIds, RELAY, RELAY_RUNTIME, TOKEN } from './relays.ts'
import type { Listening, StandInsOptions } from './stand-ins.ts'

export type Case = { shards: ShardCount; batch: number } & (
  | { side: 'plain' }
  /** `post`: reports in one POST. */
  | { side: 'relay'; post: number }
)

export interface RunOptions {
  kafka: BenchKafka
  reports: number
  /** Count the records themselves, too: takes about as long as writing them. */
  read: boolean
  profile: string | undefined
  signal: AbortSignal
}

const START_DEADLINE_MS = 30_000
const RUN_DEADLINE_MS = 90_000
/** The relay gives up after 9 s by itself. */
const STOP_GRACE_MS = 12_000

export async function run(which: Case, options: RunOptions): Promise<Figures> {
  const { kafka, reports, read } = options
  const name = randomBytes(4).toString('hex')
  const topic = `bench-${name}`
  const instance = InstanceId.parse(`ckafka-${name}`)
  options.signal.throwIfAborted()
  await kafka.createTopic(topic)
  try {
    const figures =
      which.side === 'plain'
        ? await runPlain(which, topic, options)
        : await runRelay(which, topic, instance, options)
    // Plain writes no markers, so there offsets count records. What the relay wrote is known from the outcomes.
    if (which.side === 'plain') assertCount(await kafka.offsetsOf(topic), reports, topic)
    if (read) {
      const records = await readTopic({ brokers: kafka.brokers, topic })
      assertCount(records.length, reports, topic)
    }
    return figures
  } finally {
    await kafka.deleteTopics(instance, topic)
  }
}

function assertCount(found: number, expected: number, topic: string): void {
  if (found !== expected) throw new Error(`${topic} holds ${found} records, not ${expected}`)
}

async function runPlain(
  { shards, batch }: Case,
  topic: string,
  { kafka: { brokers }, reports, signal }: RunOptions,
): Promise<Figures> {
  const options: PlainOptions = { brokers, topic, reports, batch, inFlight: shards }
  const child = forkChild('./plain-child.ts', options, signal)
  try {
    return await child.message<Figures>(RUN_DEADLINE_MS)
  } finally {
    await child.end(START_DEADLINE_MS)
  }
}

async function runRelay(
  { shards, batch, post }: Case & { side: 'relay' },
  topic: string,
  instance: InstanceId,
  { kafka, reports, profile, signal }: RunOptions,
): Promise<Figures> {
  const [opsPort = 0] = await findFreePorts(1)
  const opsUrl = `http://127.0.0.1:${opsPort}`
  const options: StandInsOptions = { topic, shards, post, reports, token: TOKEN, opsUrl }
  const standIns = forkChild('./stand-ins.ts', options, signal)
  try {
    const { queueUrl, workerUrl } = await standIns.message<Listening>(START_DEADLINE_MS)
    const finished = standIns.message<Figures>(RUN_DEADLINE_MS)
    const profiling = profile === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', profile]
    const relay = spawnNode(
      [...profiling, ...RELAY],
      {
        ...RELAY_RUNTIME,
        INSTANCE_ID: instance,
        QUEUE_API_URL: queueUrl,
        QUEUE_API_TOKEN: TOKEN,
        ACCOUNT_ID: LOCAL_ACCOUNT_ID,
        ...queueIds(shards),
        WORKER_URL: workerUrl,
        RELAY_TOKEN: TOKEN,
        KAFKA_BROKERS: kafka.brokers.join(','),
        MIN_IN_SYNC_REPLICAS: String(kafka.minInSyncReplicas),
        MAX_TRANSACTION_REPORTS: String(batch),
        OPS_PORT: String(opsPort),
      },
      signal,
    )
    try {
      return await Promise.race([finished, relay.gone])
    } finally {
      await relay.end(STOP_GRACE_MS)
    }
  } finally {
    await standIns.end(0)
  }
}
