// Logs for the reader to read: made by producers that do what Edgehub's own never would (several transactions open at once in one
// partition, aborts in any order, binary everything), and the queries to read them with.
import { randomUUID } from 'node:crypto'
import { inject } from 'vitest'
import { LinkAnswer, type LinkQuery } from '#contract'
import { createTopics } from '../../../dev/kafka/topics.ts'
import { initialise } from '../../../relay/kafka/init.ts'
import { createCluster, raw, type KafkaSettings } from '../../../relay/kafka/kafkajs.ts'
import { createQueries, type Queries, type QueryOptions } from '../../../relay/query/query.ts'
import { withAdmin } from '../../support/admin.ts'

export const kafka: KafkaSettings = { brokers: inject('brokers'), clientId: 'query-test' }

export interface Message {
  key?: Buffer | string | null
  value: Buffer | string | null
  headers?: Record<string, Buffer | string | (Buffer | string)[]>
  timestamp?: number
}

export async function makeTopic(
  partitions = 1,
  config: Record<string, string> = {},
  replicationFactor = 3,
): Promise<string> {
  const topic = `query-${randomUUID().slice(0, 8)}`
  // Times of long ago are no reason to delete a record.
  const configs = { 'retention.ms': '-1', ...config }
  const configEntries = Object.entries(configs).map(([name, value]) => ({ name, value }))
  await createTopics(kafka, [
    { topic, numPartitions: partitions, replicationFactor, configEntries },
  ])
  await eachLeads(topic, partitions)
  return topic
}

// Every broker knows who leads, and those do.
export async function eachLeads(
  topic: string,
  partitions: number,
  settings = kafka,
): Promise<void> {
  for (const broker of settings.brokers) {
    await withAdmin({ ...settings, brokers: [broker] }, async (admin) => {
      const isReady = async () => (await admin.fetchTopicOffsets(topic)).length === partitions
      while (!(await isReady().catch(() => false)));
    })
  }
}

export function makeQueries(options: Partial<QueryOptions> = {}): Queries & {
  ask(query: LinkQuery, withinMs?: number, signal?: AbortSignal): Promise<LinkAnswer>
} {
  const queries = createQueries({
    kafka,
    minInSyncReplicas: 2,
    compresses: false,
    clock: () => performance.now(),
    ...options,
  })
  return {
    ...queries,
    // What goes over the link has the link's form.
    ask: async (query, withinMs = 10_000, signal = new AbortController().signal) =>
      LinkAnswer.parse(await queries.answer(query, { withinMs, signal })),
  }
}

export const deleteBefore = (topic: string, partition: number, offset: bigint | number) =>
  withAdmin(kafka, async (admin) => {
    // It has to know the topic.
    await admin.fetchTopicOffsets(topic)
    await admin.deleteTopicRecords({ topic, partitions: [{ partition, offset: `${offset}` }] })
  })

// A producer whose transactions the test opens and ends; without one it writes plain records.
export interface Writer {
  send(partition: number, messages: readonly Message[], compression?: number): Promise<bigint>
  begin(): void
  commit(): Promise<void>
  abort(): Promise<void>
  // The log goes that far, open transactions included. The answer to an END comes before its marker is written.
  reaches(offset: number): Promise<void>
  close(): Promise<void>
}

const COORDINATOR_TYPE_TRANSACTION = 1
const CONCURRENT_TRANSACTIONS = 51

export async function openWriter(topic: string, settings = kafka): Promise<Writer> {
  const cluster = createCluster(settings)
  await cluster.connect()
  await cluster.addTargetTopic(topic)
  const transactionalId = `query-${randomUUID()}`
  const sequences = new Map<number, number>()
  const added = new Set<number>()
  let identity: { producerId: string; producerEpoch: number } | undefined
  let isOpen = false
  const coordinator = () =>
    cluster.findGroupCoordinator({
      groupId: transactionalId,
      coordinatorType: COORDINATOR_TYPE_TRANSACTION,
    })
  const identify = async () =>
    (identity ??= (await initialise(cluster, { transactionalId, transactionTimeoutMs: 60_000 }))
      .identity)
  const add = async (partition: number) => {
    const { producerId, producerEpoch } = await identify()
    for (;;) {
      const answer = await raw<{ errors: { partitionErrors: { errorCode: number }[] }[] }>(
        await coordinator(),
        'AddPartitionsToTxn',
        {
          transactionalId,
          producerId,
          producerEpoch,
          topics: [{ topic, partitions: [partition] }],
        },
      )
      const code = answer.errors[0]?.partitionErrors[0]?.errorCode
      if (code === 0) break
      if (code !== CONCURRENT_TRANSACTIONS) throw new Error(`ADD answered ${code}`)
    }
    added.add(partition)
  }
  const end = async (transactionResult: boolean) => {
    isOpen = false
    added.clear()
    const { producerId, producerEpoch } = await identify()
    const answer = await raw<{ errorCode: number }>(await coordinator(), 'EndTxn', {
      transactionalId,
      producerId,
      producerEpoch,
      transactionResult,
    })
    if (answer.errorCode !== 0) throw new Error(`END answered ${answer.errorCode}`)
  }
  return {
    begin: () => void (isOpen = true),
    commit: () => end(true),
    abort: () => end(false),
    async send(partition, messages, compression = 0) {
      if (isOpen && !added.has(partition)) await add(partition)
      const firstSequence = isOpen ? (sequences.get(partition) ?? 0) : 0
      const identified = isOpen ? { transactionalId, ...(await identify()) } : {}
      const [leader] = Object.keys(cluster.findLeaderForPartitions(topic, [partition]))
      const answer = await raw<{
        topics: { partitions: { errorCode: number; baseOffset: string }[] }[]
      }>(await cluster.findBroker({ nodeId: Number(leader) }), 'Produce', {
        ...identified,
        acks: -1,
        timeout: 5_000,
        compression,
        topicData: [
          {
            topic,
            partitions: [
              {
                partition,
                firstSequence,
                messages: messages.map((m) => ({
                  key: null,
                  timestamp: Date.now(),
                  headers: {},
                  ...m,
                })),
              },
            ],
          },
        ],
      })
      const stored = answer.topics[0]?.partitions[0]
      if (stored?.errorCode !== 0) throw new Error(`Produce answered ${stored?.errorCode}`)
      if (isOpen) sequences.set(partition, firstSequence + messages.length)
      return BigInt(stored.baseOffset)
    },
    async reaches(offset) {
      const [leader] = Object.keys(cluster.findLeaderForPartitions(topic, [0]))
      const broker = await cluster.findBroker({ nodeId: Number(leader) })
      const topics = [{ topic, partitions: [{ partition: 0, timestamp: -1 }] }]
      for (;;) {
        const answer = await broker.listOffsets({ replicaId: -1, isolationLevel: 0, topics })
        if (Number(answer.responses[0]?.partitions[0]?.offset) >= offset) return
      }
    },
    close: () => cluster.disconnect(),
  }
}
