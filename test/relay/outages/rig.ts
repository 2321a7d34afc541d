// One shard between a real Kafka, the pull API in memory and a stand-in worker, both over HTTP through the relay's own clients: what an
// outage test breaks, sends through, and looks at afterwards.
import { createHash, randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { Pool } from 'undici'
import {
  claimObjectName,
  encodeEnvelope,
  envelopeIdOf,
  InstanceId,
  unpackRuns,
  type Envelope,
  type EnvelopeId,
  type EnvelopeRecord,
} from '#contract'
import type { Fault } from '../../../dev/queue-pull/faults.ts'
import {
  createQueuePullServer,
  type QueuePullServer,
} from '../../../dev/queue-pull/node/memory-server.ts'
import { LOCAL_ACCOUNT_ID, LOCAL_QUEUES } from '../../../dev/queue-pull/queues.ts'
import type { SourceName } from '../../../relay/item.ts'
import { createWorkerObserver } from '../../../relay/observer.ts'
import { createMetrics } from '../../../relay/ops/metrics.ts'
import { createQueueClient, type QueueClient } from '../../../relay/queue/client.ts'
import { createWorkerClient } from '../../../relay/status/worker-client.ts'
import { watchWorker } from '../../../relay/status/worker-watch.ts'
import { readTopic } from '../../support/kafka-reader.ts'
import { startShard, type TestShard, type TestShardOptions } from '../../support/shard.ts'
import { startStandInWorker, type StandInWorker } from '../../support/stand-in-worker.ts'
import { createOwnTopics, createPlacedTopic } from './cluster.ts'
import { captureLog, MSG, says, type LogLines } from './log-lines.ts'

// Without a part in what a test does to the clock of the relay.
const rightNow = Date.now
const TOKEN = 'token-of-the-outage-tests'
const [QUEUE = { id: '', name: '', deadLetter: { id: '', name: '' } }] = LOCAL_QUEUES

export interface SendOptions {
  topic?: string
  id?: EnvelopeId
  // When the edge says that it accepted it, Unix ms.
  received?: number
  // The records lie in the object store.
  claim?: boolean
}

export interface QueueState {
  acked: number
  leased: number
  delayed: number
  ready: number
}

export interface Rig {
  shard: TestShard
  worker: StandInWorker
  log: LogLines
  // Calls to the pull API so far, by queue.
  pulls: Record<SourceName, number>
  // When the next pull has been answered.
  pulled(): Promise<void>
  send(records: EnvelopeRecord[], options?: SendOptions): Envelope
  // So many unkeyed envelopes of one report.
  sendSome(count: number, options?: SendOptions): Envelope[]
  // When everything sent so far is acked.
  allAcked(): Promise<void>
  // When so many messages are.
  acked(count: number): Promise<void>
  order(on: 'pull' | 'ack', fault: Fault, times?: number): Promise<void>
  state(): Promise<QueueState>
  // The queue's clock goes on by this at once: delays and leases end.
  skip(ms: number): void
  metric: TestShard['metric']
  // Of all that was sent: what is not in Kafka exactly once, where its outcome says. Each envelope is final then.
  problems(): Promise<string[]>
  // What was sent so far is not looked at any more.
  forget(): void
  stop(): Promise<void>
}

export interface RigOptions extends Omit<TestShardOptions, 'ports' | 'log' | 'metrics'> {
  callTimeoutMs?: number
}

export async function startRig(options: RigOptions): Promise<Rig> {
  const { kafka, leaseMs = 60_000, callTimeoutMs = 15_000 } = options
  let skipped = 0
  const server = await createQueuePullServer({ token: TOKEN, now: () => rightNow() + skipped })
  const worker = await startStandInWorker(TOKEN)
  const log = captureLog()
  const metrics = createMetrics()
  const pools = [new Pool(server.url, { connections: 6 }), new Pool(worker.url, { connections: 6 })]
  const [queuePool, workerPool] = pools as [Pool, Pool]
  const pulls: Record<SourceName, number> = { queue: 0, dead_letter_queue: 0 }
  let pulled = Promise.withResolvers<void>()
  const clientOf = (source: SourceName, queueId: string): QueueClient => {
    const client = createQueueClient({
      pool: queuePool,
      accountId: LOCAL_ACCOUNT_ID,
      queueId,
      token: TOKEN,
      leaseMs,
      timeoutMs: callTimeoutMs,
    })
    return {
      ...client,
      async pull(limit) {
        pulls[source]++
        try {
          return await client.pull(limit)
        } finally {
          pulled.resolve()
          pulled = Promise.withResolvers()
        }
      },
    }
  }
  const watched = watchWorker(
    createWorkerClient({ pool: workerPool, token: TOKEN, timeoutMs: callTimeoutMs }),
    {
      random: Math.random,
      sleep: async (ms, signal) => {
        await delay(ms, undefined, { signal }).catch(() => undefined)
      },
      ...createWorkerObserver(log.logger, metrics),
    },
  )
  const shard = await startShard({
    ...options,
    after: options.after ?? (await createPlace(kafka)),
    log: log.logger,
    metrics,
    ports: {
      queues: {
        queue: clientOf('queue', QUEUE.id),
        dead_letter_queue: clientOf('dead_letter_queue', QUEUE.deadLetter.id),
      },
      worker: watched,
      workerWatch: watched.watch,
    },
  })
  let sent: { envelope: Envelope; records: EnvelopeRecord[] }[] = []
  let forgotten = 0

  const rig: Rig = {
    shard,
    worker,
    log,
    pulls,
    pulled: () => pulled.promise,
    metric: shard.metric,
    send(records, send = {}) {
      const { topic = shard.topic, id = randomId(), received = rightNow(), claim = false } = send
      const head = { v: 1 as const, id, datahub: 'datahub-testtest', topic, received }
      const envelope: Envelope = claim
        ? { ...head, claim: store(worker, id, records) }
        : { ...head, records }
      sent.push({ envelope, records })
      server.push(QUEUE.name, encodeEnvelope(envelope))
      return envelope
    },
    sendSome: (count, send) =>
      Array.from({ length: count }, () => rig.send([{ value: `v${sent.length}` }], send)),
    allAcked: () => rig.acked(forgotten + sent.length),
    forget() {
      forgotten += sent.length
      sent = []
    },
    async acked(count) {
      for (;;) {
        // A late ack is not told to anybody; pulls go on in any case.
        const change = Promise.race([log.next(says(MSG.acked)), rig.pulled()])
        if ((await rig.state()).acked >= count) return
        await change
      }
    },
    async order(on, fault, times = 1) {
      await switchOf(server, 'POST', 'faults', { on, fault, times })
    },
    async state() {
      return ((await switchOf(server, 'GET', 'state')) as { queue: QueueState }).queue
    },
    skip: (ms) => void (skipped += ms),
    problems: () => problemsOf(kafka.brokers, worker, sent),
    async stop() {
      // Whatever still waits for it is told.
      await worker.heal()
      await shard.stop()
      await watched.watch.stop()
      await worker.close()
      await server.close()
      await Promise.all(pools.map((pool) => pool.destroy()))
    },
  }
  return rig
}

async function createPlace(kafka: TestShardOptions['kafka']) {
  const instance = InstanceId.parse(`ckafka-${randomBytes(4).toString('hex')}`)
  await createOwnTopics(kafka, instance)
  return { instance, topic: await createPlacedTopic(kafka, [1, 2, 3]) }
}

const randomId = () => envelopeIdOf(randomBytes(12))

function store(worker: StandInWorker, id: EnvelopeId, records: EnvelopeRecord[]) {
  const text = JSON.stringify(records)
  const object = claimObjectName(id, createHash('sha256').update(text).digest('hex'))
  worker.objects.set(object, text)
  return { object, bytes: Buffer.byteLength(text), count: records.length }
}

async function switchOf(
  server: QueuePullServer,
  method: 'GET' | 'POST',
  name: string,
  body?: unknown,
): Promise<unknown> {
  const response = await fetch(`${server.url}/__queue-pull/${QUEUE.name}/${name}`, {
    method,
    headers: { authorization: `Bearer ${TOKEN}` },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const answer = (await response.json()) as { success: boolean; result: unknown }
  if (!answer.success) throw new Error(JSON.stringify(answer))
  return answer.result
}

async function problemsOf(
  brokers: readonly string[],
  worker: StandInWorker,
  sent: readonly { envelope: Envelope; records: EnvelopeRecord[] }[],
): Promise<string[]> {
  const problems: string[] = []
  const byTopic = Map.groupBy(sent, ({ envelope }) => envelope.topic)
  for (const [topic, of] of byTopic) {
    const records = await readTopic({ brokers, topic })
    const copies = Map.groupBy(records, (r) => r.headers['edgehub-id']?.toString() ?? '')
    for (const { envelope, records: reports } of of) {
      const outcome = worker.outcomes.get(envelope.id)
      const told = unpackRuns(outcome?.runs ?? [])
      for (const [i, report] of reports.entries()) {
        const id = `${envelope.id}.${i}`
        const stored = copies.get(id) ?? []
        copies.delete(id)
        const [first] = stored
        const at = told[i]
        const isRight =
          stored.length === 1 &&
          at?.status === 'delivered' &&
          first?.partition === at.partition &&
          first.offset === Number(at.offset) &&
          first.value?.toString() === report.value
        if (!isRight) {
          const places = stored.map((r) => `${r.partition}/${r.offset}`).join(' ')
          problems.push(`${topic} ${id}: told ${JSON.stringify(at)}, stored at [${places}]`)
        }
      }
    }
    problems.push(...[...copies.keys()].map((id) => `${topic} ${id}: not sent`))
  }
  return problems
}
