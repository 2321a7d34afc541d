// One shard of the relay in this process: the real loop, lane and ledger on a real Kafka, with a queue and
// a status store of plain arrays, for tests that need to stand between the parts.
import { randomBytes } from 'node:crypto'
import process from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'
import {
  claimObjectName,
  encodeEnvelope,
  envelopeIdOf,
  InstanceId,
  ledgerTopic,
  transactionalId,
  type Envelope,
  type EnvelopeId,
  type EnvelopeRecord,
  type Outcome,
} from '#contract'
import { createTopics } from '../../dev/kafka/topics.ts'
import type { Point, Reach } from '../../relay/failpoints.ts'
import type { SourceName } from '../../relay/item.ts'
import type { KafkaSettings } from '../../relay/kafka/kafkajs.ts'
import { Lane } from '../../relay/kafka/lane.ts'
import { ensureOwnTopics } from '../../relay/kafka/topics.ts'
import { createObserver } from '../../relay/observer.ts'
import { createLogger, type Logger } from '../../relay/ops/log.ts'
import { createMetrics, type Metrics } from '../../relay/ops/metrics.ts'
import { relayGroup } from '../../relay/ownership/group-id.ts'
import type { Lease, QueueClient } from '../../relay/queue/client.ts'
import { createShard, type ShardPorts } from '../../relay/shard.ts'
import type { WorkerClient } from '../../relay/status/worker-client.ts'

export interface TestShard {
  topic: string
  instance: InstanceId
  // The status store: what it has taken.
  outcomes: Map<EnvelopeId, Outcome>
  // What is wrong with the worker from now on: all its calls fail; its outcomes are not taken.
  worker: { away: boolean; takesNothing: boolean }
  // Puts a queue message in front of the shard; the same body twice is a redelivery.
  push(body: string, options?: PushOptions): void
  // `as: 'claim'`: its records are in an object, which this store does not have.
  pushEnvelope(
    records: EnvelopeRecord[],
    topic?: string,
    options?: PushOptions,
    fields?: Partial<Pick<Envelope, 'received' | 'receipt' | 'digest'>>,
    as?: 'claim',
  ): Envelope
  createTopic(topic: string): Promise<void>
  // Each resolves when there were that many in all: leases acked, leases handed back, outcomes taken.
  acked(count: number): Promise<void>
  handedBack(count: number): Promise<void>
  settled(count: number): Promise<void>
  givenBack: { leaseId: string; delaySeconds: number }[]
  // The queue's ids of the acked messages.
  ackedIds: string[]
  booted: Promise<void>
  // Resolves when the moment is passed the next time.
  passed(point: Point): Promise<void>
  // Sum over all labels, or of those that fit.
  metric(name: string, labels?: Record<string, string>): Promise<number>
  stop(): Promise<void>
}

export interface PushOptions {
  messageId?: string
  source?: SourceName
  attempts?: number
}

export interface TestShardOptions {
  kafka: KafkaSettings
  topicConfig?: Record<string, string>
  // Ids remembered beyond need; 0: every repeat is a look-up.
  keptIds?: number
  maxUnsettled?: number
  leaseMs?: number
  now?: () => number
  reach?: Reach
  // Ownership: what the group says to a fenced owner. Without it: at once, and yes.
  confirm?: (signal: AbortSignal) => Promise<boolean>
  // An other status store than the shard's own.
  outcomes?: Map<EnvelopeId, Outcome>
  // From the start.
  workerAway?: boolean
  // What is handed back comes again at once, whatever its delay. Without it the test pushes it again.
  redelivers?: boolean
  // An earlier shard whose instance and topic are taken over.
  after?: Pick<TestShard, 'instance' | 'topic'>
  // In place of the arrays.
  ports?: Partial<Pick<ShardPorts, 'queues' | 'worker' | 'workerWatch'>>
  log?: Logger
  metrics?: Metrics
}

const PARTITIONS = 3

export async function startShard(options: TestShardOptions): Promise<TestShard> {
  const { kafka, topicConfig = {}, after, leaseMs = 60_000, now = Date.now } = options
  const name = randomBytes(4).toString('hex')
  const instance = after?.instance ?? InstanceId.parse(`ckafka-${name}`)
  const topic = after?.topic ?? `shard-${name}`
  if (!after) await createTopic(kafka, topic, topicConfig)
  await ensureOwnTopics(kafka, instance, 1)

  const metrics = options.metrics ?? createMetrics()
  const outcomes = options.outcomes ?? new Map<EnvelopeId, Outcome>()
  const waiting: Record<SourceName, Lease[]> = { queue: [], dead_letter_queue: [] }
  const ackedIds: string[] = []
  const givenBack: { leaseId: string; delaySeconds: number }[] = []
  const messageOf = new Map<string, string>()
  const leased = new Map<string, Lease>()
  const trouble = { away: options.workerAway ?? false, takesNothing: false }
  let acks = 0
  let changed = Promise.withResolvers<void>()
  const changes = () => {
    changed.resolve()
    changed = Promise.withResolvers()
  }
  const booted = Promise.withResolvers<void>()
  let passing: { point: Point; resolve: () => void }[] = []

  const observe = createObserver({
    shard: 0,
    log: options.log ?? createLogger(process.env['TEST_LOG_LEVEL'] ?? 'fatal', 'test'),
    metrics,
    clock: () => performance.now(),
  })
  const worker: WorkerClient = {
    async postOutcomes(settled) {
      if (trouble.away || trouble.takesNothing) {
        return { taken: new Set(), failed: new Error('the worker is away') }
      }
      for (const [id, outcome] of settled) if (!outcomes.has(id)) outcomes.set(id, outcome)
      changes()
      return { taken: new Set(settled.map(([id]) => id)), failed: undefined }
    },
    async lookUp(ids) {
      if (trouble.away) throw new Error('the worker is away')
      return {
        found: new Set(ids.filter((id) => outcomes.has(id))),
        absent: new Set(ids.filter((id) => !outcomes.has(id))),
      }
    },
    fetchRecords: async () => ({ status: 'lost', problem: 'this store is empty' }),
    deleteRecords: async () => {},
  }
  const clientOf = (source: SourceName): QueueClient => ({
    async pull(limit) {
      const pulled = waiting[source].splice(0, limit)
      for (const lease of pulled) leased.set(lease.leaseId, lease)
      return pulled
    },
    async settle(ids, retries) {
      acks += ids.length
      ackedIds.push(...ids.map((id) => messageOf.get(id) ?? ''))
      givenBack.push(...retries)
      if (options.redelivers) {
        for (const { leaseId } of retries) {
          const lease = leased.get(leaseId)
          if (lease) waiting[source].push({ ...lease, attempts: lease.attempts + 1 })
        }
      }
      changes()
    },
  })
  const reach: Reach = (point) => {
    for (const { resolve } of passing.filter((p) => p.point === point)) resolve()
    passing = passing.filter((p) => p.point !== point)
    return options.reach?.(point)
  }
  const end = new AbortController()
  const shard0 = createShard(
    {
      instance,
      shard: 0,
      shards: 1,
      groupId: relayGroup(instance),
      relay: 'test',
      leaseMs,
      transactionTimeoutMs: 15_000,
      maxTransactionReports: 2_000,
      maxTransactionBytes: 8_000_000,
      maxPulls: 1,
      keptIds: options.keptIds ?? 0,
      maxUnsettled: options.maxUnsettled ?? 100_000,
    },
    {
      openLane: () =>
        Lane.open({
          kafka,
          transactionalId: transactionalId(instance, 0),
          ledgerTopic: ledgerTopic(instance),
          transactionTimeoutMs: 15_000,
          minInSyncReplicas: 2,
          reach,
        }),
      queues: { queue: clientOf('queue'), dead_letter_queue: clientOf('dead_letter_queue') },
      worker,
      workerWatch: { isAway: false, onChange: () => () => {} },
      ...options.ports,
      confirm: options.confirm ?? (async (signal) => !signal.aborted),
      now,
      clock: () => performance.now(),
      random: Math.random,
      sleep: async (ms, signal) => {
        await delay(ms, undefined, { signal }).catch(() => undefined)
      },
      reach,
      observe: {
        ...observe,
        booted() {
          observe.booted()
          booted.resolve()
        },
      },
    },
  )
  const running = shard0.run(end.signal)
  running.catch((error: unknown) => booted.reject(error))

  let leases = 0
  const shard: TestShard = {
    topic,
    instance,
    outcomes,
    worker: trouble,
    givenBack,
    ackedIds,
    booted: booted.promise,
    passed: (point) => new Promise((resolve) => passing.push({ point, resolve })),
    push(body, push = {}) {
      const { messageId = randomBytes(16).toString('hex'), source = 'queue', attempts = 1 } = push
      const leaseId = `lease-${++leases}`
      messageOf.set(leaseId, messageId)
      const queued = Date.now()
      waiting[source].push({ leaseId, messageId, body: Buffer.from(body), attempts, queued })
    },
    pushEnvelope(records, to = topic, push = {}, fields = {}, as) {
      const head = {
        v: 1 as const,
        id: envelopeIdOf(randomBytes(12)),
        datahub: 'datahub-testtest',
        topic: to,
        received: Date.now(),
        ...fields,
      }
      const object = claimObjectName(head.id, 'a'.repeat(64))
      const envelope: Envelope =
        as === 'claim'
          ? { ...head, claim: { object, bytes: 100, count: records.length } }
          : { ...head, records }
      shard.push(encodeEnvelope(envelope), push)
      return envelope
    },
    createTopic: (name) => createTopic(kafka, name, {}),
    async acked(count) {
      while (acks < count) await changed.promise
    },
    async handedBack(count) {
      while (givenBack.length < count) await changed.promise
    },
    async settled(count) {
      while (outcomes.size < count) await changed.promise
    },
    async metric(metricName, labels = {}) {
      const metric = await metrics.registry.getSingleMetric(`edgehub_relay_${metricName}`)?.get()
      const fits = metric?.values.filter((v) =>
        Object.entries(labels).every(([label, value]) => v.labels[label] === value),
      )
      return fits?.reduce((sum, { value }) => sum + value, 0) ?? Number.NaN
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
  await createTopics(kafka, [
    {
      topic,
      numPartitions: PARTITIONS,
      replicationFactor: 3,
      configEntries: Object.entries(config).map(([name, value]) => ({ name, value })),
    },
  ])
}
