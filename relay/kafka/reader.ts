/**
 * Reads one partition in order, read_committed, over a cluster object that somebody else owns. No consumer group, no position kept by the
 * broker. Control records and aborted records are passed over; the reader says how far it has read all the same.
 */
import type { Cluster, FetchedMessage } from './kafkajs.ts'
import { readBatch } from './kafkajs.ts'

const MAX_WAIT_MS = 100
const FETCH_BYTES = 4 * 1024 * 1024
const ISOLATION_READ_COMMITTED = 1
const EARLIEST = -2

export interface ReadFrom {
  topic: string
  partition: number
  /** First offset to read; undefined: the log's start. */
  from: bigint | undefined
  /** The last offset to read. */
  through: bigint
  /** Gives up when this much time passes without any progress, ms. */
  stallMs: number
}

/**
 * Calls `visit` for each committed record from `from` through `through`, and returns the first offset not read.
 * @throws when the partition can't be read, or stalls
 */
export async function readPartition(
  cluster: Cluster,
  { topic, partition, from, through, stallMs }: ReadFrom,
  visit: (message: FetchedMessage) => void,
): Promise<bigint> {
  const broker = await leaderOf(cluster, topic, partition)
  let next = from ?? (await logStart(broker, topic, partition))
  let progressed = Date.now()
  while (next <= through) {
    const answer = await broker.fetch({
      replicaId: -1,
      isolationLevel: ISOLATION_READ_COMMITTED,
      maxWaitTime: MAX_WAIT_MS,
      minBytes: 1,
      maxBytes: FETCH_BYTES,
      topics: [
        {
          topic,
          partitions: [
            {
              partition,
              fetchOffset: next.toString(),
              currentLeaderEpoch: -1,
              maxBytes: FETCH_BYTES,
            },
          ],
        },
      ],
    })
    const data = answer.responses[0]?.partitions[0]
    // At the end of what is committed a fetch brings nothing; it must not move the position.
    if (!data || data.messages.length === 0) {
      if (Date.now() - progressed > stallMs) {
        throw new Error(`${topic}/${partition} stalls at offset ${next}, ${through} was to be read`)
      }
      continue
    }
    progressed = Date.now()
    const batch = readBatch(topic, next.toString(), data)
    for (const message of batch.messages) if (BigInt(message.offset) <= through) visit(message)
    next = batch.last + 1n
  }
  return next
}

async function leaderOf(cluster: Cluster, topic: string, partition: number) {
  await cluster.addTargetTopic(topic)
  await cluster.refreshMetadata()
  const [nodeId] = Object.keys(cluster.findLeaderForPartitions(topic, [partition]))
  if (nodeId === undefined) throw new Error(`${topic}/${partition} has no leader`)
  return cluster.findBroker({ nodeId: Number(nodeId) })
}

async function logStart(
  broker: Awaited<ReturnType<typeof leaderOf>>,
  topic: string,
  partition: number,
): Promise<bigint> {
  const answer = await broker.listOffsets({
    replicaId: -1,
    isolationLevel: ISOLATION_READ_COMMITTED,
    topics: [{ topic, partitions: [{ partition, timestamp: EARLIEST }] }],
  })
  const offset = answer.responses[0]?.partitions[0]?.offset
  if (offset === undefined) {
    throw new Error(`${topic}/${partition} does not say where its log starts`)
  }
  return BigInt(offset)
}
