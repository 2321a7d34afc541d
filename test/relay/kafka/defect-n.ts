/**
 * Why the lane exists: puts kafkajs's own producer in its place and counts what it doubles. Not part of `npm test`, because it is a race:
 *
 *     node test/relay/kafka/defect-n.ts [transactions]
 *
 * Three brokers, one topic with a partition on each, a loop of transactions whose `sendBatch` covers all three. The first broker that
 * answers CONCURRENT_TRANSACTIONS makes kafkajs send the batches of the other two again, with new sequence numbers, while the first
 * requests for them are still under way. Exits 0 when records were found twice, 1 when this run happened to show none.
 */
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { Kafka, logLevel, Partitioners } from 'kafkajs'
import { startKafka } from '../../../dev/kafka/cluster.ts'
import { readTopic } from '../../support/kafka-reader.ts'

const PARTITIONS = [0, 1, 2]
const MAX_ROUNDS = 20
const perRound = Number(process.argv[2] ?? 300)

const dir = await mkdtemp(join(tmpdir(), 'edgehub-defect-n-'))
const cluster = await startKafka({ dir, brokers: 3, log: (line) => console.log(line) })
try {
  const kafka = new Kafka({
    brokers: [...cluster.brokers],
    clientId: 'defect-n',
    logLevel: logLevel.NOTHING,
  })
  let doubled = 0
  for (let round = 1; round <= MAX_ROUNDS && doubled === 0; round++) {
    doubled = await runRound(kafka, round)
  }
  process.exitCode = doubled > 0 ? 0 : 1
} finally {
  await cluster.kill()
  await rm(dir, { recursive: true, force: true })
}

async function runRound(kafka: Kafka, round: number): Promise<number> {
  const topic = `defect-n-${randomUUID().slice(0, 8)}`
  const admin = kafka.admin()
  await admin.connect()
  await admin.createTopics({
    waitForLeaders: true,
    topics: [
      {
        topic,
        replicaAssignment: PARTITIONS.map((p) => ({
          partition: p,
          replicas: [1, 2, 3].map((b) => ((b + p - 1) % 3) + 1),
        })),
      },
    ],
  })
  await admin.disconnect()
  const producer = kafka.producer({
    transactionalId: topic,
    idempotent: true,
    maxInFlightRequests: 1,
    createPartitioner: Partitioners.DefaultPartitioner,
    retry: { initialRetryTime: 10, maxRetryTime: 500, retries: 8 },
  })
  await producer.connect()
  for (let n = 0; n < perRound; n++) {
    const transaction = await producer.transaction()
    const messages = PARTITIONS.flatMap((partition) =>
      ['a', 'b', 'c'].map((x) => ({ partition, value: `${n}.${partition}.${x}` })),
    )
    await transaction.sendBatch({ topicMessages: [{ topic, messages }] })
    await transaction.commit()
  }
  await producer.disconnect()
  const values = (await readTopic({ brokers: cluster.brokers, topic })).map(
    (r) => r.value?.toString() ?? '',
  )
  const doubled = values.length - new Set(values).size
  console.log(
    `round ${round}: ${perRound} transactions, ${perRound * 9} records sent, ${values.length} read back, ${doubled} doubled`,
  )
  return doubled
}
