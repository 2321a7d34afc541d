/**
 * The lane: one transactional id of one shard, on kafkajs's protocol layer. INIT fences every predecessor; then one transaction at a
 * time: ADD the partitions, APPEND data and ledger, COMMIT.
 *
 * It retries exactly two things, because a broker that answers them has not executed the request: INIT and ADD while the transaction
 * before is still being finished. Every other error is a Doubt: whether the transaction is in Kafka is unknown, the lane must be closed
 * and a new one opened, and the ledger read. It never aborts and goes on in the same epoch, and it never resends a batch whose answer
 * is missing, so a sequence number is never used twice.
 *
 * It knows no envelopes, no ledger format and no queue.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import {
  appendAll,
  type Append,
  type AppendResult,
  type ProduceAnswer,
  type ProduceCall,
} from './append.ts'
import { Code, isFenced } from './codes.ts'
import {
  createCluster,
  errorCode,
  errorName,
  raw,
  type Broker,
  type Cluster,
  type KafkaSettings,
  type LaneMessage,
} from './kafkajs.ts'
import { readTopology, type Topology } from './topology.ts'

export interface TopicPartition {
  topic: string
  partition: number
}

/** Something happened after which only the ledger can say what is in Kafka. `fenced`: another owner has taken over the shard. */
export class Doubt extends Error {
  override readonly name = 'Doubt'
  readonly step: string
  readonly fenced: boolean
  constructor(step: string, cause: unknown) {
    super(`${step}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
    this.step = step
    this.fenced = isFenced(errorCode(cause))
  }
}

/** A broker's answer that is an error code and no exception. */
class AnswerError extends Error {
  override readonly name = 'AnswerError'
  readonly code: number
  constructor(code: number, where: string) {
    super(`${errorName(code)} (${code}) ${where}`)
    this.code = code
  }
}

export interface LaneOptions {
  kafka: KafkaSettings
  transactionalId: string
  /** The one topic whose metadata kafkajs itself keeps; a bad data topic must not poison it. */
  ledgerTopic: string
  /** The broker aborts an open transaction after this. */
  transactionTimeoutMs: number
  /** A data partition with fewer in-sync replicas is not written to. */
  minInSyncReplicas: number
  /** Upper bound of one record batch; larger than a topic's `max.message.bytes` only costs a bisection. */
  maxBatchBytes?: number
  /** Called after each step that the crash tests need to see. */
  onStep?: (step: LaneStep) => void
}

export type LaneStep = 'initialised' | 'added' | 'appended' | 'committing' | 'committed'

const COORDINATOR_TYPE_TRANSACTION = 1
const INIT_RETRY_MS = 10
const ADD_RETRY_MS = 2
const INIT_DEADLINE_MS = 30_000
const TOPOLOGY_MAX_AGE_MS = 1_000
const PRODUCE_TIMEOUT_MS = 4_000
const DEFAULT_MAX_BATCH_BYTES = 900_000
const MAX_SEQUENCE = 2 ** 31 - 1
/** A close that takes longer is given up: the sockets are dead, and the fence does not depend on it. */
const CLOSE_DEADLINE_MS = 2_000

interface ProducerIdentity {
  transactionalId: string
  producerId: string
  producerEpoch: number
}

export class Lane {
  readonly cluster: Cluster
  readonly #options: LaneOptions
  readonly #coordinator: Broker
  readonly #identity: ProducerIdentity
  /** Next sequence number of each partition of this epoch. */
  readonly #sequences = new Map<string, number>()
  #topology: Topology = new Map()
  #topologyAt = 0
  #open = false

  private constructor(
    options: LaneOptions,
    cluster: Cluster,
    coordinator: Broker,
    identity: ProducerIdentity,
  ) {
    this.#options = options
    this.cluster = cluster
    this.#coordinator = coordinator
    this.#identity = identity
  }

  /**
   * INIT: a new cluster object, a new epoch. When it returns, no transaction of any predecessor can commit any more.
   * @throws Doubt
   */
  static async open(options: LaneOptions): Promise<Lane> {
    const cluster = createCluster(options.kafka)
    try {
      await cluster.connect()
      await cluster.addTargetTopic(options.ledgerTopic)
      const { coordinator, identity } = await initialise(cluster, options)
      options.onStep?.('initialised')
      return new Lane(options, cluster, coordinator, identity)
    } catch (error) {
      await disconnect(cluster)
      throw new Doubt('init', error)
    }
  }

  /**
   * What the cluster says of these topics: which partitions have a leader and enough in-sync replicas. At most a second old.
   * @throws Doubt
   */
  async topology(topics: readonly string[]): Promise<Topology> {
    const fresh = Date.now() - this.#topologyAt < TOPOLOGY_MAX_AGE_MS
    if (fresh && topics.every((topic) => this.#topology.get(topic)?.status === 'ok')) {
      return this.#topology
    }
    try {
      const broker = await this.cluster.brokerPool.findConnectedBroker()
      this.#topology = await readTopology(
        broker,
        [...topics, this.#options.ledgerTopic],
        this.#options.minInSyncReplicas,
      )
      this.#topologyAt = Date.now()
      return this.#topology
    } catch (error) {
      throw new Doubt('metadata', error)
    }
  }

  /**
   * ADD. Partitions that the coordinator refuses one by one (unknown, not authorised) are left out and returned with their code; all
   * others are in the transaction.
   * @throws Doubt
   */
  async add(partitions: readonly TopicPartition[]): Promise<(TopicPartition & { code: number })[]> {
    const refused: (TopicPartition & { code: number })[] = []
    let rest = [...partitions]
    const deadline = Date.now() + this.#options.transactionTimeoutMs
    try {
      while (rest.length > 0) {
        const codes = await this.#addOnce(rest)
        const bad = rest.map((tp) => ({
          ...tp,
          code: codes.get(nameOf(tp)) ?? Code.UNKNOWN_TO_KAFKAJS,
        }))
        const unexpected = bad.find(({ code }) => !ADD_ANSWERS.has(code))
        if (unexpected) throw new AnswerError(unexpected.code, `for ${nameOf(unexpected)}`)
        if (bad.every(({ code }) => code === Code.NONE)) break
        if (bad.some(({ code }) => code === Code.CONCURRENT_TRANSACTIONS)) {
          if (Date.now() > deadline) {
            throw new AnswerError(Code.CONCURRENT_TRANSACTIONS, 'until the deadline')
          }
          await sleep(ADD_RETRY_MS)
          continue
        }
        // One bad partition keeps all others out of the transaction (55): ask again without it.
        refused.push(...bad.filter(({ code }) => REFUSED_ONE_BY_ONE.has(code)))
        const names = new Set(refused.map(nameOf))
        rest = rest.filter((tp) => !names.has(nameOf(tp)))
      }
      this.#open = true
      this.#options.onStep?.('added')
      return refused
    } catch (error) {
      throw new Doubt('add', error)
    }
  }

  /**
   * APPEND: all leaders in parallel, one request at a time to each. A record that its broker refuses for what it is comes back as
   * refused and costs no other record anything.
   * @throws Doubt
   */
  async append(appends: readonly Append[]): Promise<AppendResult[][]> {
    if (!this.#open) throw new Doubt('append', new Error('no transaction is open'))
    try {
      const results = await appendAll(appends, {
        leaderOf: (append) => this.#leaderOf(append),
        produce: (leader, calls, timestamp) => this.#produce(leader, calls, timestamp),
        maxBatchBytes: this.#options.maxBatchBytes ?? DEFAULT_MAX_BATCH_BYTES,
        now: Date.now,
      })
      this.#options.onStep?.('appended')
      return results
    } catch (error) {
      throw new Doubt('append', error)
    }
  }

  /** COMMIT. When it returns, the transaction is durable. @throws Doubt */
  async commit(): Promise<void> {
    this.#options.onStep?.('committing')
    try {
      const { errorCode: code } = await raw<{ errorCode: number }>(this.#coordinator, 'EndTxn', {
        ...this.#identity,
        transactionResult: true,
      })
      if (code !== Code.NONE) throw new AnswerError(code, 'from EndTxn')
      this.#open = false
    } catch (error) {
      throw new Doubt('commit', error)
    }
    this.#options.onStep?.('committed')
  }

  /** Gives up the connections. Never throws, never waits long. */
  async close(): Promise<void> {
    this.#open = false
    await disconnect(this.cluster)
  }

  async #addOnce(partitions: readonly TopicPartition[]): Promise<Map<string, number>> {
    const topics = Map.groupBy(partitions, (tp) => tp.topic)
    const answer = await raw<AddAnswer>(this.#coordinator, 'AddPartitionsToTxn', {
      ...this.#identity,
      topics: [...topics].map(([topic, of]) => ({
        topic,
        partitions: of.map((tp) => tp.partition),
      })),
    })
    return new Map(
      answer.errors.flatMap(({ topic, partitionErrors }) =>
        partitionErrors.map(
          ({ partition, errorCode: code }) => [nameOf({ topic, partition }), code] as const,
        ),
      ),
    )
  }

  #leaderOf({ topic, partition }: TopicPartition): number {
    const state = this.#topology.get(topic)
    const leader = state?.status === 'ok' ? state.leaders.get(partition) : undefined
    if (leader === undefined) throw new Error(`no leader for ${topic}/${partition}`)
    return leader
  }

  async #produce(
    leader: number,
    calls: readonly ProduceCall[],
    timestamp: number,
  ): Promise<ProduceAnswer[]> {
    const broker = await this.#brokerOf(leader)
    const topics = Map.groupBy(calls, (call) => call.topic)
    const answer = await raw<ProduceResponse>(broker, 'Produce', {
      ...this.#identity,
      acks: -1,
      timeout: PRODUCE_TIMEOUT_MS,
      compression: 0,
      topicData: [...topics].map(([topic, of]) => ({
        topic,
        partitions: of.map((call) => ({
          partition: call.partition,
          firstSequence: this.#firstSequence(call),
          messages: call.stampNow
            ? call.messages.map((m): LaneMessage => ({ ...m, timestamp }))
            : call.messages,
        })),
      })),
    })
    const answered = new Map(
      answer.topics.flatMap(({ topicName, partitions }) =>
        partitions.map((p) => [nameOf({ topic: topicName, partition: p.partition }), p]),
      ),
    )
    return calls.map((call) => {
      const of = answered.get(nameOf(call))
      // An answer that leaves a partition out says nothing about it.
      if (!of) throw new Error(`no answer for ${nameOf(call)}`)
      if (of.errorCode !== Code.NONE) return { code: of.errorCode }
      // Only a stored batch takes sequence numbers: a refused one leaves the counter where it is.
      this.#sequences.set(nameOf(call), this.#firstSequence(call) + call.messages.length)
      return { code: Code.NONE, baseOffset: BigInt(of.baseOffset) }
    })
  }

  #firstSequence(call: ProduceCall): number {
    const sequence = this.#sequences.get(nameOf(call)) ?? 0
    // kafkajs would go on at 0; the broker expects a wrap modulo 2^31. A new epoch starts at 0 for everyone.
    if (sequence + call.messages.length > MAX_SEQUENCE) {
      throw new Error('sequence numbers are used up')
    }
    return sequence
  }

  async #brokerOf(nodeId: number): Promise<Broker> {
    // A leader that came back after kafkajs last looked is unknown to it; nothing was sent yet, so looking again is safe.
    if (!(nodeId in this.cluster.brokerPool.brokers)) await this.cluster.refreshMetadata()
    return this.cluster.findBroker({ nodeId })
  }
}

interface AddAnswer {
  errors: { topic: string; partitionErrors: { partition: number; errorCode: number }[] }[]
}

interface ProduceResponse {
  topics: {
    topicName: string
    partitions: { partition: number; errorCode: number; baseOffset: string }[]
  }[]
}

const REFUSED_ONE_BY_ONE = new Set<number>([
  Code.UNKNOWN_TOPIC_OR_PARTITION,
  Code.TOPIC_AUTHORIZATION_FAILED,
])
const ADD_ANSWERS = new Set<number>([
  ...REFUSED_ONE_BY_ONE,
  Code.NONE,
  Code.CONCURRENT_TRANSACTIONS,
  Code.OPERATION_NOT_ATTEMPTED,
])
/** Nothing was executed: the transaction before is still being ended, or the coordinator is not ready or elsewhere. */
const INIT_AGAIN = new Set<number>([
  Code.CONCURRENT_TRANSACTIONS,
  Code.COORDINATOR_LOAD_IN_PROGRESS,
  Code.COORDINATOR_NOT_AVAILABLE,
  Code.NOT_COORDINATOR,
])

async function initialise(
  cluster: Cluster,
  options: LaneOptions,
): Promise<{ coordinator: Broker; identity: ProducerIdentity }> {
  const { transactionalId, transactionTimeoutMs } = options
  const deadline = Date.now() + INIT_DEADLINE_MS
  for (;;) {
    const coordinator = await cluster.findGroupCoordinator({
      groupId: transactionalId,
      coordinatorType: COORDINATOR_TYPE_TRANSACTION,
    })
    for (;;) {
      const answer = await raw<{ errorCode: number; producerId: string; producerEpoch: number }>(
        coordinator,
        'InitProducerId',
        {
          transactionalId,
          transactionTimeout: transactionTimeoutMs,
        },
      )
      const { errorCode: code, producerId, producerEpoch } = answer
      if (code === Code.NONE) {
        return { coordinator, identity: { transactionalId, producerId, producerEpoch } }
      }
      if (!INIT_AGAIN.has(code) || Date.now() > deadline) {
        throw new AnswerError(code, 'from InitProducerId')
      }
      await sleep(INIT_RETRY_MS)
      if (code === Code.NOT_COORDINATOR || code === Code.COORDINATOR_NOT_AVAILABLE) break
    }
  }
}

async function disconnect(cluster: Cluster): Promise<void> {
  const giveUp = new AbortController()
  await Promise.race([
    cluster.disconnect().catch(() => undefined),
    sleep(CLOSE_DEADLINE_MS, undefined, { signal: giveUp.signal }).catch(() => undefined),
  ])
  giveUp.abort()
}

function nameOf({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`
}
