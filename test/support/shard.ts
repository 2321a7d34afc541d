// One shard of the relay in this process: the real loop, lane and ledger on a real Kafka, with a queue and
// a status store of plain arrays, for tests that need to stand between the parts.
import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import {
  encodeEnvelope,
  envelopeIdOf,
  type Envelope,
  type EnvelopeId,
  type EnvelopeRecord,
  type Outcome,
} from '#contract'
import { Intake } from '../../relay/intake.ts'
import { toItem } from '../../relay/item.ts'
import type { KafkaSettings } from '../../relay/kafka/kafkajs.ts'
import { createAdmin } from '../../relay/kafka/kafkajs.ts'
import { ensureOwnTopics } from '../../relay/kafka/topics.ts'
import { Remembered } from '../../relay/ledger/remembered.ts'
import { runShard } from '../../relay/loop.ts'
import { createObserver } from '../../relay/observer.ts'
import { createLogger } from '../../relay/ops/log.ts'
import { createMetrics } from '../../relay/ops/metrics.ts'
import type { Lease } from '../../relay/queue/client.ts'
import { Settler } from '../../relay/settle.ts'
import { takeOver } from '../../relay/shard-owner.ts'

export interface TestShard {
  topic: string
  instance: string
  outcomes: Map<EnvelopeId, Outcome>
  // Puts a queue message in front of the shard; the same body twice is a redelivery.
  push(body: string, messageId?: string): void
  pushEnvelope(records: EnvelopeRecord[], topic?: string): Envelope
  // Resolves when that many leases were acked in all.
  acked(count: number): Promise<void>
  givenBack: { leaseId: string; delaySeconds: number }[]
  // The queue's ids of the acked messages.
  ackedIds: string[]
  booted: Promise<void>
  metric(name: string): Promise<number>
  stop(): Promise<void>
}

export interface TestShardOptions {
  kafka: KafkaSettings
  topicConfig?: Record<string, string>
  // An earlier shard whose instance and topic are taken over.
  after?: Pick<TestShard, 'instance' | 'topic'>
}

const PARTITIONS = 3

export async function startShard({
  kafka,
  topicConfig = {},
  after,
}: TestShardOptions): Promise<TestShard> {
  const name = randomBytes(4).toString('hex')
  const instance = after?.instance ?? `ckafka-${name}`
  const topic = after?.topic ?? `shard-${name}`
  if (!after) await createTopic(kafka, topic, topicConfig)
  await ensureOwnTopics(kafka, instance, 1)

  const metrics = createMetrics()
  const remembered = new Remembered()
  const outcomes = new Map<EnvelopeId, Outcome>()
  const queue: Lease[] = []
  const ackedIds: string[] = []
  const givenBack: { leaseId: string; delaySeconds: number }[] = []
  const messageOf = new Map<string, string>()
  let acks = 0
  let changed = Promise.withResolvers<void>()
  const booted = Promise.withResolvers<void>()

  const observe = createObserver({
    shard: 0,
    log: createLogger('fatal', 'test'),
    metrics,
    clock: () => performance.now(),
    remembered: () => remembered.size,
  })
  const worker = {
    postOutcomes: async (settled: readonly [EnvelopeId, Outcome][]) => {
      for (const [id, outcome] of settled) if (!outcomes.has(id)) outcomes.set(id, outcome)
      return { taken: new Set(settled.map(([id]) => id)), failed: undefined }
    },
    fetchRecords: async () => ({ status: 'lost' as const, problem: 'this store is empty' }),
    deleteRecords: async () => {},
  }
  const queueClient = {
    settle: async (
      ids: readonly string[],
      retries: readonly { leaseId: string; delaySeconds: number }[],
    ) => {
      acks += ids.length
      ackedIds.push(...ids.map((id) => messageOf.get(id) ?? ''))
      givenBack.push(...retries)
      changed.resolve()
      changed = Promise.withResolvers()
    },
  }
  const clock = {
    now: Date.now,
    random: Math.random,
    sleep: async (ms: number, signal: AbortSignal) => {
      await delay(ms, undefined, { signal }).catch(() => undefined)
    },
  }
  const intake = new Intake(
    {
      ...clock,
      pull: async () => queue.splice(0, 100),
      prepare: (lease) => toItem(lease, { shard: 0, shards: 1, worker }),
      onPulled: (leases) => observe.pulled(leases, Date.now()),
      onPullFailed: (error) => observe.pullFailed(error),
    },
    { maxReports: 2_000, maxBytes: 16_000_000, maxPulls: 1 },
  )
  const settler = new Settler({
    queue: queueClient,
    worker,
    onSettled: observe.settled,
    onNotTaken: observe.notTaken,
    onAckFailed: observe.ackFailed,
    onCleanUpFailed: observe.cleanUpFailed,
  })
  const end = new AbortController()
  const running = runShard(
    {
      ...clock,
      takeOver: () =>
        takeOver({
          kafka,
          instance,
          shard: 0,
          relay: 'test',
          remembered,
          transactionTimeoutMs: 15_000,
          minInSyncReplicas: 2,
          now: Date.now,
        }),
      remembered,
      intake,
      settler,
      queue: queueClient,
      observe: {
        ...observe,
        booted: (found) => {
          observe.booted(found)
          booted.resolve()
        },
      },
    },
    end.signal,
  )

  let leases = 0
  const shard: TestShard = {
    topic,
    instance,
    outcomes,
    givenBack,
    ackedIds,
    booted: booted.promise,
    push(body, messageId = randomBytes(16).toString('hex')) {
      const leaseId = `lease-${++leases}`
      messageOf.set(leaseId, messageId)
      queue.push({ leaseId, messageId, body: Buffer.from(body), attempts: 1, queued: Date.now() })
    },
    pushEnvelope(records, to = topic) {
      const envelope: Envelope = {
        v: 1,
        id: envelopeIdOf(randomBytes(12)),
        datahub: 'datahub-testtest',
        topic: to,
        received: Date.now(),
        records,
      }
      shard.push(encodeEnvelope(envelope))
      return envelope
    },
    async acked(count) {
      while (acks < count) await changed.promise
    },
    async metric(metricName) {
      const metric = await metrics.registry.getSingleMetric(`edgehub_relay_${metricName}`)?.get()
      return metric?.values.reduce((sum, { value }) => sum + value, 0) ?? Number.NaN
    },
    async stop() {
      end.abort()
      await running
    },
  }
  return shard
}

async function createTopic(
  kafka: KafkaSettings,
  topic: string,
  config: Record<string, string>,
): Promise<void> {
  const admin = createAdmin(kafka)
  await admin.connect()
  await admin.createTopics({
    waitForLeaders: true,
    topics: [
      {
        topic,
        numPartitions: PARTITIONS,
        replicationFactor: 3,
        configEntries: Object.entries(config).map(([name, value]) => ({ name, value })),
      },
    ],
  })
  await admin.disconnect()
}
