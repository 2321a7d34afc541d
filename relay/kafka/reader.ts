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
const COORDINATOR_TYPE_GROUP = 0

export interface ReadFrom {
  topic: string
  partition: number
  /** First offset to read. */
  from: bigint
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
  let next = from
  let progressed = performance.now()
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
      if (performance.now() - progressed > stallMs) {
        throw new Error(`${topic}/${partition} stalls at offset ${next}, ${through} was to be read`)
      }
      continue
    }
    progressed = performance.now()
    const batch = readBatch(topic, next.toString(), data)
    for (const message of batch.messages) if (BigInt(message.offset) <= through) visit(message)
    // What was fetched beyond it was not visited, and counts as not read: a successor may have written it.
    next = (batch.last < through ? batch.last : through) + 1n
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

/** The first offset that the log still has. @throws when the partition can't be asked */
export async function logStart(
  cluster: Cluster,
  topic: string,
  partition: number,
): Promise<bigint> {
  const broker = await leaderOf(cluster, topic, partition)
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

/** What a consumer group has committed for a partition; undefined: nothing. @throws when its coordinator can't be asked */
export async function committedOffset(
  cluster: Cluster,
  { groupId, topic, partition }: { groupId: string; topic: string; partition: number },
): Promise<bigint | undefined> {
  const coordinator = await cluster.findGroupCoordinator({
    groupId,
    coordinatorType: COORDINATOR_TYPE_GROUP,
  })
  const answer = await coordinator.offsetFetch({
    groupId,
    topics: [{ topic, partitions: [{ partition }] }],
  })
  const offset = answer.responses[0]?.partitions[0]?.offset
  if (offset === undefined) throw new Error(`${groupId} does not say what it has committed`)
  return BigInt(offset) < 0n ? undefined : BigInt(offset)
}
