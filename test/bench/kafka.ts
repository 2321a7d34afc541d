/** The broker of a bench, in a folder that goes with it, or the cluster of KAFKA_BROKERS; and the topics that a run needs. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'
import { deadLetterTopic, ledgerTopic, type InstanceId } from '#contract'
import { startKafka } from '../../dev/kafka/cluster.ts'
import { KAFKA_VERSION } from '../../dev/kafka/fetch.ts'
import { createAdmin } from '../../relay/kafka/kafkajs.ts'
import { PARTITIONS } from './load.ts'

export interface BenchKafka {
  brokers: string[]
  description: string
  minInSyncReplicas: number
  createTopic(topic: string): Promise<void>
  /** Records and transaction markers together. */
  offsetsOf(topic: string): Promise<number>
  /** Frees the disk: a round writes gigabytes. */
  deleteTopics(instance: InstanceId, ...topics: string[]): Promise<void>
  close(): Promise<void>
}

const MAX_REPLICATION_FACTOR = 3
const ADMIN_DEADLINE_MS = 10_000
const ADMIN_RETRY_MS = 100

export async function openKafka(): Promise<BenchKafka> {
  const own = process.env['KAFKA_BROKERS']?.trim()
  const { brokers, description, close } = own
    ? {
        brokers: own.split(',').map((b) => b.trim()),
        description: 'the cluster of KAFKA_BROKERS',
        close: async () => {},
      }
    : await startOwn()
  const admin = createAdmin({ brokers, clientId: 'edgehub-bench' })
  const closeAll = async () => {
    await admin.disconnect().catch(() => undefined)
    await close()
  }
  try {
    await admin.connect()
    const nodes = (await admin.describeCluster()).brokers.length
    const replicationFactor = Math.min(nodes, MAX_REPLICATION_FACTOR)
    return {
      brokers,
      description,
      minInSyncReplicas: replicationFactor < MAX_REPLICATION_FACTOR ? 1 : 2,
      async createTopic(topic) {
        const topics = [{ topic, numPartitions: PARTITIONS, replicationFactor }]
        await insist(() => admin.createTopics({ waitForLeaders: true, topics }))
        await insist(() => admin.fetchTopicMetadata({ topics: [topic] }))
      },
      async offsetsOf(topic) {
        const offsets = await insist(() => admin.fetchTopicOffsets(topic))
        return offsets.reduce((sum, { high, low }) => sum + Number(high) - Number(low), 0)
      },
      async deleteTopics(instance, ...topics) {
        const wanted = [...topics, ledgerTopic(instance), deadLetterTopic(instance)]
        await insist(async () => {
          const there = new Set(await admin.listTopics())
          await admin.deleteTopics({ topics: wanted.filter((name) => there.has(name)) })
        })
      },
      close: closeAll,
    }
  } catch (error) {
    await closeAll()
    throw error
  }
}

/**
 * kafkajs's admin asks for the metadata of all topics before most things, and fails when one of them has just been created or deleted
 * and not every part of the broker knows.
 */
async function insist<T>(act: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + ADMIN_DEADLINE_MS
  for (;;) {
    try {
      return await act()
    } catch (error) {
      if (Date.now() > deadline) throw error
      await delay(ADMIN_RETRY_MS)
    }
  }
}

async function startOwn() {
  const dir = await mkdtemp(join(tmpdir(), 'edgehub-bench-'))
  const remove = () => rm(dir, { recursive: true, force: true })
  try {
    const log = (line: string) => process.stderr.write(`${line}\n`)
    const cluster = await startKafka({ dir, brokers: 1, forThroughput: true, log })
    return {
      brokers: [...cluster.brokers],
      description: `Apache Kafka ${KAFKA_VERSION}, one broker (C2, 1 GB heap) on the same machine`,
      close: async () => {
        await cluster.kill()
        await remove()
      },
    }
  } catch (error) {
    await remove()
    throw error
  }
}
