/**
 * The topic that is asked for: record n has the number n, is in partition n modulo PARTITIONS, and is n ms younger than the first one. So
 * whoever asks knows what has to come. Written by a plain kafkajs producer, in one go.
 */
import { Kafka, logLevel, Partitioners } from 'kafkajs'
import { createTopics } from '../../dev/kafka/topics.ts'
import { createAdmin } from '../../relay/kafka/kafkajs.ts'
import { ACKS } from './load.ts'

export const PARTITIONS = 6
export const VALUE_BYTES = 100
export const BATCH_RECORDS = 5_000

export interface KnownTopic {
  topic: string
  records: number
  /** Of record 0, Unix ms. */
  since: number
}

export interface FillOptions {
  brokers: string[]
  topic: string
  records: number
  signal: AbortSignal
}

/** @throws when the topic does not have each record once, at its place */
export async function fillTopic(options: FillOptions): Promise<KnownTopic> {
  const { brokers, topic, records, signal } = options
  const settings = { brokers, clientId: 'edgehub-bench' }
  const partitions = { numPartitions: PARTITIONS, replicationFactor: 1 }
  await createTopics(settings, [{ topic, ...partitions }])
  // The last one is not of the future.
  const since = Date.now() - records
  // One that is sent again could be there twice, and all others after it would be somewhere else.
  const retry = { retries: 0 }
  const kafka = new Kafka({ ...settings, retry, logLevel: logLevel.NOTHING })
  const producer = kafka.producer({
    createPartitioner: Partitioners.DefaultPartitioner,
    allowAutoTopicCreation: false,
  })
  await producer.connect()
  try {
    for (let first = 0; first < records; first += BATCH_RECORDS) {
      signal.throwIfAborted()
      const length = Math.min(BATCH_RECORDS, records - first)
      const messages = Array.from({ length }, (_, i) => messageOf(first + i, since))
      await producer.sendBatch({ acks: ACKS, topicMessages: [{ topic, messages }] })
    }
  } finally {
    await producer.disconnect()
  }
  const filled = { topic, records, since }
  await check(settings, filled)
  return filled
}

const messageOf = (n: number, since: number) => ({
  partition: n % PARTITIONS,
  timestamp: String(since + n),
  key: null,
  value: `record ${n} `.padEnd(VALUE_BYTES, 'x'),
})

async function check(
  settings: { brokers: string[]; clientId: string },
  { topic, records }: KnownTopic,
): Promise<void> {
  const admin = createAdmin(settings)
  await admin.connect()
  try {
    for (const { partition, low, high } of await admin.fetchTopicOffsets(topic)) {
      const wanted = Math.ceil((records - partition) / PARTITIONS)
      if (low !== '0' || Number(high) !== wanted) {
        throw new Error(`${topic}/${partition} has offsets ${low} to ${high}, not 0 to ${wanted}`)
      }
    }
  } finally {
    await admin.disconnect()
  }
}
