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
import { setImmediate as nextRound, setTimeout as sleep } from 'node:timers/promises'
import type { Reach } from '../failpoints.ts'
import {
  appendAll,
  AppendError,
  type Append,
  type AppendResult,
  type ProduceAnswer,
  type ProduceCall,
} from './append.ts'
import { Code } from './codes.ts'
import { compressionCode } from './compression.ts'
import { AnswerError, Doubt, messageOf, type TopicPartition } from './doubt.ts'
import { explain } from './explain.ts'
import { initialise, type ProducerIdentity } from './init.ts'
import {
  compressionOf,
  createCluster,
  errorCode,
  raw,
  type Broker,
  type Cluster,
  type KafkaSettings,
  type LaneMessage,
} from './kafkajs.ts'
import { encodeProduce } from './produce.ts'
import { describeProducers } from './producers.ts'
import { committedOffset, logStart, readPartition } from './reader.ts'
import { encodeBatch } from './record-batch.ts'
import { readMinInSyncReplicas, readTopology, type Topology } from './topology.ts'

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
  /** Passed at each moment that the crash tests need. */
  reach?: Reach
}

const ADD_RETRY_MS = 2
const TOPOLOGY_MAX_AGE_MS = 1_000
const CONFIG_MAX_AGE_MS = 60_000
const PRODUCE_TIMEOUT_MS = 4_000
const ACKS_ALL = -1
const DEFAULT_MAX_BATCH_BYTES = 900_000
/** A ledger read that brings nothing new for this long is given up, and the boot begun again. */
const READ_STALL_MS = 15_000
const MAX_SEQUENCE = 2 ** 31 - 1
/** org.apache.kafka.common.record.RecordBatch.NO_TIMESTAMP */
const NO_TIMESTAMP = -1
/** A close that takes longer is given up: the sockets are dead, and the fence does not depend on it. */
const CLOSE_DEADLINE_MS = 2_000

export { Doubt, type TopicPartition }

/** What a shard asks of its lane: the public half of `Lane`, so that a model can stand in for Kafka. */
export type LanePort = Pick<
  Lane,
  'topology' | 'hanging' | 'add' | 'append' | 'commit' | 'readLedger' | 'ledgerBounds' | 'close'
>

export class Lane {
  readonly cluster: Cluster
  readonly #options: LaneOptions
  readonly #coordinator: Broker
  readonly #identity: ProducerIdentity
  /** Next sequence number of each partition of this epoch. */
  readonly #sequences = new Map<string, number>()
  /** Partitions that no transaction of an earlier epoch hangs in. */
  readonly #checked = new Set<string>()
  #topology: Topology = new Map()
  #topologyAt = -TOPOLOGY_MAX_AGE_MS
  /** What each topic asks for itself: a partition with fewer refuses the records, and then the end marker as well. */
  readonly #minInSyncReplicas = new Map<string, number>()
  readonly #learned = new Map<string, number>()
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
      await options.reach?.('initialised')
      return new Lane(options, cluster, coordinator, identity)
    } catch (error) {
      await disconnect(cluster)
      throw new Doubt('init', explain(error))
    }
  }

  /**
   * What the cluster says of these topics: which partitions have a leader and enough in-sync replicas. At most a second old.
   * @throws Doubt
   */
  async topology(topics: readonly string[]): Promise<Topology> {
    const fresh = performance.now() - this.#topologyAt < TOPOLOGY_MAX_AGE_MS
    if (fresh && topics.every((topic) => this.#topology.get(topic)?.status === 'ok')) {
      return this.#topology
    }
    try {
      const broker = await this.cluster.brokerPool.findConnectedBroker()
      const all = [...topics, this.#options.ledgerTopic]
      await this.#learnMinInSyncReplicas(broker, all)
      this.#topology = await readTopology(broker, all, {
        least: this.#options.minInSyncReplicas,
        ofTopic: this.#minInSyncReplicas,
      })
      this.#topologyAt = performance.now()
      return this.#topology
    } catch (error) {
      throw new Doubt('metadata', error)
    }
  }

  /**
   * Which of these partitions may not be written to in this epoch, because a transaction of an earlier epoch was never ended there:
   * Kafka drops the end marker of a partition that has no leader at that moment (KAFKA-20734), and the next commit would make what was
   * aborted visible. Each partition is asked about once in an epoch, before its first ADD. Where the relay may not ask, nothing is held
   * back, and `unchecked` says so.
   * @throws Doubt
   */
  async hanging(
    partitions: readonly TopicPartition[],
  ): Promise<{ hanging: TopicPartition[]; unchecked: TopicPartition[] }> {
    const asked = partitions.filter((tp) => !this.#checked.has(nameOf(tp)))
    if (asked.length === 0) return { hanging: [], unchecked: [] }
    const hanging: TopicPartition[] = []
    const unchecked: TopicPartition[] = []
    try {
      const byLeader = Map.groupBy(asked, (tp) => this.#leaderOf(tp))
      for (const [leader, of] of byLeader) {
        const answers = await describeProducers(await this.#brokerOf(leader), of)
        for (const { topic, partition, code, open } of answers) {
          const tp = { topic, partition }
          const isOpen = open.includes(this.#identity.producerId)
          if (code === Code.NONE && isOpen) hanging.push(tp)
          else {
            this.#checked.add(nameOf(tp))
            if (code !== Code.NONE) unchecked.push(tp)
          }
        }
      }
    } catch (error) {
      if (!(error instanceof Error) || error.name !== 'KafkaJSServerDoesNotSupportApiKey') {
        throw new Doubt(
          'producers',
          new AppendError(messageOf(error), asked, errorCode(error), error),
        )
      }
      for (const tp of asked) this.#checked.add(nameOf(tp))
      unchecked.push(...asked)
    }
    return { hanging, unchecked }
  }

  /**
   * ADD. Partitions that the coordinator refuses one by one (unknown, not authorised) are left out and returned with their code; all
   * others are in the transaction.
   * @throws Doubt
   */
  async add(partitions: readonly TopicPartition[]): Promise<(TopicPartition & { code: number })[]> {
    const refused: (TopicPartition & { code: number })[] = []
    let rest = [...partitions]
    const deadline = performance.now() + this.#options.transactionTimeoutMs
    try {
      while (rest.length > 0) {
        const codes = await this.#addOnce(rest)
        const answers = rest.map((tp) => ({
          ...tp,
          code: codes.get(nameOf(tp)) ?? Code.UNKNOWN_TO_KAFKAJS,
        }))
        const unexpected = answers.find(({ code }) => !ADD_ANSWERS.has(code))
        if (unexpected) throw new AnswerError(unexpected.code, `for ${nameOf(unexpected)}`)
        if (answers.every(({ code }) => code === Code.NONE)) break
        // One bad partition keeps all others out of the transaction (55): ask again without it.
        const bad = answers.filter(({ code }) => REFUSED_ONE_BY_ONE.has(code))
        refused.push(...bad)
        const names = new Set(bad.map(nameOf))
        rest = rest.filter((tp) => !names.has(nameOf(tp)))
        if (bad.length > 0) continue
        // The markers of the transaction before are still being written (51); or a 55 that names no culprit.
        if (performance.now() > deadline) {
          throw new AnswerError(answers[0]?.code ?? Code.UNKNOWN_TO_KAFKAJS, 'until the deadline')
        }
        await sleep(ADD_RETRY_MS)
      }
      this.#open = true
      await this.#options.reach?.('added')
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
      return results
    } catch (error) {
      throw new Doubt('append', error)
    }
  }

  /** COMMIT. When it returns, the transaction is durable. @throws Doubt */
  async commit(): Promise<void> {
    try {
      const answer = raw<{ errorCode: number }>(this.#coordinator, 'EndTxn', {
        ...this.#identity,
        transactionResult: true,
      })
      // Whichever of the two fails first is the one that is told.
      const [{ errorCode: code }] = await Promise.all([answer, this.#afterWrite()])
      await this.#options.reach?.('endtxn_answered')
      if (code !== Code.NONE) throw new AnswerError(code, 'from EndTxn')
      this.#open = false
    } catch (error) {
      throw new Doubt('commit', error)
    }
  }

  /**
   * The ledger partition's committed records from `from` through `through`; returns the first offset not read.
   * @throws Doubt
   */
  async readLedger(
    range: { partition: number; from: bigint; through: bigint },
    visit: (record: { offset: bigint; value: Buffer | null }) => void,
  ): Promise<bigint> {
    try {
      return await readPartition(
        this.cluster,
        { topic: this.#options.ledgerTopic, ...range, stallMs: READ_STALL_MS },
        ({ offset, value }) => visit({ offset: BigInt(offset), value }),
      )
    } catch (error) {
      throw new Doubt('ledger', error)
    }
  }

  /**
   * Where the ledger partition's log starts, and the offset that the relays' group has committed for it, if any.
   * @throws Doubt
   */
  async ledgerBounds(
    partition: number,
    groupId: string,
  ): Promise<{ start: bigint; committed: bigint | undefined }> {
    const { ledgerTopic } = this.#options
    try {
      return {
        start: await logStart(this.cluster, ledgerTopic, partition),
        committed: await committedOffset(this.cluster, { groupId, topic: ledgerTopic, partition }),
      }
    } catch (error) {
      throw new Doubt('ledger', error)
    }
  }

  /** Gives up the connections. Never throws, never waits long. */
  async close(): Promise<void> {
    this.#open = false
    await disconnect(this.cluster)
  }

  async #learnMinInSyncReplicas(broker: Broker, topics: readonly string[]): Promise<void> {
    const now = performance.now()
    const asked = [...new Set(topics)].filter(
      (topic) => now - (this.#learned.get(topic) ?? -CONFIG_MAX_AGE_MS) >= CONFIG_MAX_AGE_MS,
    )
    if (asked.length === 0) return
    const found = await readMinInSyncReplicas(broker, asked)
    for (const topic of asked) this.#learned.set(topic, now)
    for (const [topic, replicas] of found) this.#minInSyncReplicas.set(topic, replicas)
  }

  /** The request is handed to the socket in the turns that follow the call, before the next round of I/O. */
  async #afterWrite(): Promise<void> {
    await nextRound()
    await this.#options.reach?.('endtxn_sent')
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
    const compression = compressionOf(this.#options.kafka.compression ?? compressionCode('none'))
    const batchOf = async (call: ProduceCall) => ({
      partition: call.partition,
      batch: await encodeBatch(
        stamped(call, timestamp),
        { ...this.#identity, firstSequence: this.#firstSequence(call) },
        compression,
      ),
    })
    const body = encodeProduce({
      transactionalId: this.#identity.transactionalId,
      acks: ACKS_ALL,
      timeoutMs: PRODUCE_TIMEOUT_MS,
      topics: await Promise.all(
        [...topics].map(async ([topic, of]) => ({
          topic,
          partitions: await Promise.all(of.map(batchOf)),
        })),
      ),
    })
    const answer = await raw<ProduceResponse>(broker, 'Produce', { topicData: [] }, body)
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
async function disconnect(cluster: Cluster): Promise<void> {
  const giveUp = new AbortController()
  await Promise.race([
    cluster.disconnect().catch(() => undefined),
    sleep(CLOSE_DEADLINE_MS, undefined, { signal: giveUp.signal }).catch(() => undefined),
  ])
  giveUp.abort()
}

function stamped({ messages, stamp }: ProduceCall, now: number): LaneMessage[] {
  if (stamp === 'own') return messages
  return messages.map((message) => ({
    ...message,
    timestamp: stamp === 'now' ? now : NO_TIMESTAMP,
  }))
}

function nameOf({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`
}
