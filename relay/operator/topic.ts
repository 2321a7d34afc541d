/**
 * Reads topics over a cluster object of the command's own: read_committed, as a stream, without a group. It commits no position and writes
 * nothing. What a broker says in passing (it is no leader any more, it can't be reached) is tried again; the reading goes on where it was.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { IHeaders } from 'kafkajs'
import { Code } from '../kafka/codes.ts'
import { explain } from '../kafka/explain.ts'
import {
  createCluster,
  errorCode,
  errorName,
  raw,
  type Broker,
  type Cluster,
  type FetchedMessage,
  type KafkaSettings,
} from '../kafka/kafkajs.ts'
import { readPartition } from '../kafka/reader.ts'
import { readTopology } from '../kafka/topology.ts'
import { mendAborted } from './mend-aborted.ts'
import { Trouble } from './trouble.ts'

const STALL_MS = 15_000
const READ_UNCOMMITTED = 0
const READ_COMMITTED = 1
const LATEST = -1
const EARLIEST = -2
const TRIES = 6
const TRY_AGAIN_MS = 500
const OFFSET_OUT_OF_RANGE = 1

/** A fetched record with all that kafkajs decodes of it. */
export interface FetchedRecord extends FetchedMessage {
  headers?: IHeaders
  /** Unix ms, decimal. */
  timestamp: string
}

/** A part of a partition. */
export interface Range {
  partition: number
  from: bigint
  through: bigint
}

export interface Topic {
  name: string
  /** Partition → broker id of its leader, in order. */
  leaders: ReadonlyMap<number, number>
  start(partition: number): Promise<bigint>
  /**
   * The offset behind its last record: of what is `decided`, which is committed or aborted, or of all that is `written`, transactions that
   * are open now included.
   */
  end(partition: number, of: 'decided' | 'written'): Promise<bigint>
  /** The first offset with this timestamp or a later one, Unix ms; undefined when there is none. */
  offsetAt(partition: number, timestamp: number): Promise<bigint | undefined>
  /**
   * Visits what is committed, in order. Beyond what is decided it waits. What expires while it reads is passed over, and told.
   * @throws Stalled when nothing new can be read for `stallMs`
   */
  read(range: Range, visit: (record: FetchedRecord) => void, options?: ReadOptions): Promise<void>
}

/** Beyond some offset nothing is decided: a transaction is open there. */
export class Stalled extends Trouble {}

export interface ReadOptions {
  stallMs?: number
  /** The log begins here now, behind where it was to be read. */
  onExpired?: (start: bigint) => void
}

/** @throws Trouble when the cluster can't be reached */
export async function connectTo(settings: KafkaSettings): Promise<Cluster> {
  const cluster = createCluster(settings)
  mendAborted(cluster)
  try {
    await cluster.connect()
    return cluster
  } catch (error) {
    await cluster.disconnect()
    const explained = explain(error)
    const said = explained instanceof Error ? explained.message : String(error)
    throw new Trouble(`Kafka can't be reached at ${settings.brokers.join(', ')}: ${said}`)
  }
}

/** One of Edgehub's own topics. @throws Trouble when it is not there, or can't be read whole */
export async function openOwnTopic(cluster: Cluster, name: string): Promise<Topic> {
  const topic = await openTopic(cluster, name)
  if (topic) return topic
  throw new Trouble(
    `There is no topic ${name} on this cluster: INSTANCE_ID is another one's, or its relay has never run here.`,
  )
}

/** Undefined when there is none of this name. @throws Trouble when it can't be read whole */
export async function openTopic(cluster: Cluster, name: string): Promise<Topic | undefined> {
  const broker = await cluster.brokerPool.findConnectedBroker()
  const state = (await readTopology(broker, [name], { least: 0 })).get(name)
  if (state?.status !== 'ok') {
    const code = state?.code ?? Code.UNKNOWN_TOPIC_OR_PARTITION
    if (code === Code.UNKNOWN_TOPIC_OR_PARTITION) return undefined
    throw new Trouble(
      code === Code.TOPIC_AUTHORIZATION_FAILED
        ? `The Kafka user needs the rights Describe and Read on the topic ${name}.`
        : `The topic ${name} can't be read now: ${errorName(code)}.`,
    )
  }
  if (state.leaders.size < state.partitions) {
    throw new Trouble(
      `Only ${state.leaders.size} of ${state.partitions} partitions of ${name} have a leader now.`,
    )
  }
  // So that kafkajs knows the brokers by their ids.
  await cluster.addTargetTopic(name)
  return topicOf(cluster, name, new Map([...state.leaders].toSorted(([a], [b]) => a - b)))
}

function topicOf(cluster: Cluster, name: string, leaders: ReadonlyMap<number, number>): Topic {
  const ask = async (partition: number, timestamp: number, isolationLevel = READ_COMMITTED) => {
    const topics = [{ topic: name, partitions: [{ partition, timestamp }] }]
    const answer = await withLeader(cluster, { name, leaders, partition }, (broker) =>
      broker.listOffsets({ replicaId: -1, isolationLevel, topics }),
    )
    const offset = BigInt(answer.responses[0]?.partitions[0]?.offset ?? -1)
    return offset < 0n ? undefined : offset
  }
  const start = async (partition: number) => (await ask(partition, EARLIEST)) ?? 0n
  return {
    name,
    leaders,
    start,
    end: async (partition, of) =>
      (await ask(partition, LATEST, of === 'written' ? READ_UNCOMMITTED : READ_COMMITTED)) ?? 0n,
    offsetAt: (partition, timestamp) => ask(partition, timestamp),
    async read({ partition, from, through }, visit, { stallMs = STALL_MS, onExpired } = {}) {
      let next = from
      let failures = 0
      while (next <= through) {
        try {
          await readPartition(
            cluster,
            { topic: name, partition, from: next, through, stallMs },
            (message) => {
              next = BigInt(message.offset) + 1n
              failures = 0
              // kafkajs decodes headers and timestamp as well; the relay's own reading has no use for them.
              visit(message as FetchedRecord)
            },
          )
          return
        } catch (error) {
          if (error instanceof Error && / stalls at offset /.test(error.message)) {
            throw new Stalled(error.message)
          }
          const begin = errorCode(error) === OFFSET_OUT_OF_RANGE ? await start(partition) : next
          if (begin > next) {
            next = begin
            onExpired?.(begin)
          } else if (!isPassing(error) || ++failures === TRIES) throw error
          else await delay(TRY_AGAIN_MS)
        }
      }
    },
  }
}

/** Asks the leader that is known; when that fails in passing, the one that the cluster names then. */
async function withLeader<T>(
  cluster: Cluster,
  of: { name: string; leaders: ReadonlyMap<number, number>; partition: number },
  ask: (broker: Broker) => Promise<T>,
): Promise<T> {
  let nodeId = of.leaders.get(of.partition) ?? -1
  for (let failures = 0; ;) {
    try {
      return await ask(await cluster.findBroker({ nodeId }))
    } catch (error) {
      if (!isPassing(error) || ++failures === TRIES) throw error
      await delay(TRY_AGAIN_MS)
      await cluster.refreshMetadata()
      const [leader] = Object.keys(cluster.findLeaderForPartitions(of.name, [of.partition]))
      if (leader !== undefined) nodeId = Number(leader)
    }
  }
}

function isPassing(error: unknown): boolean {
  return error instanceof Error && 'retriable' in error && error.retriable === true
}

const RESOURCE_TYPE_TOPIC = 2
const CLEANUP_POLICY = 'cleanup.policy'

/** Its `cleanup.policy`; undefined when the user may not ask. */
export async function cleanupPolicyOf(cluster: Cluster, name: string): Promise<string | undefined> {
  const broker = await cluster.brokerPool.findConnectedBroker()
  const answer = await raw<{
    resources: { errorCode: number; configEntries: { configName: string; configValue: string }[] }[]
  }>(broker, 'DescribeConfigs', {
    resources: [{ type: RESOURCE_TYPE_TOPIC, name, configNames: [CLEANUP_POLICY] }],
  })
  return answer.resources[0]?.configEntries.find((e) => e.configName === CLEANUP_POLICY)
    ?.configValue
}
