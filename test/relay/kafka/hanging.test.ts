import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, it } from 'vitest'
import { startKafka, type KafkaCluster } from '../../../dev/kafka/cluster.ts'
import { createTopics } from '../../../dev/kafka/topics.ts'
import { createAdmin, type LaneMessage } from '../../../relay/kafka/kafkajs.ts'
import { Lane } from '../../../relay/kafka/lane.ts'

const LEDGER = 'hanging-ledger'
const DATA = 'hanging-data'

let dir: string
let cluster: KafkaCluster

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'edgehub-hanging-'))
  cluster = await startKafka({ dir, brokers: 3, quickFailover: true })
})
afterAll(async () => {
  await cluster.kill()
  await rm(dir, { recursive: true, force: true })
})

const kafka = () => ({ brokers: [...cluster.brokers], clientId: 'hanging-test' })

const openLane = () =>
  Lane.open({
    kafka: kafka(),
    transactionalId: 'hanging',
    ledgerTopic: LEDGER,
    transactionTimeoutMs: 15_000,
    minInSyncReplicas: 1,
  })

const text = (value: string): LaneMessage => ({
  key: null,
  value: Buffer.from(value),
  timestamp: Date.now(),
})

// The partition of each broker, as long as it is up: there is one replica of each.
async function makeTopics(): Promise<Map<number, number>> {
  await createTopics(kafka(), [
    { topic: LEDGER, numPartitions: 1, replicationFactor: 3 },
    { topic: DATA, numPartitions: 3, replicationFactor: 1 },
  ])
  const admin = createAdmin(kafka())
  await admin.connect()
  const { topics } = await admin.fetchTopicMetadata({ topics: [DATA] })
  await admin.disconnect()
  return new Map(topics[0]?.partitions.map((p) => [p.leader, p.partitionId]))
}

async function coordinatorOf(lane: Lane): Promise<number> {
  const { nodeId } = await lane.cluster.findGroupCoordinator({
    groupId: 'hanging',
    coordinatorType: 1,
  })
  return nodeId
}

it('a partition that lost its leader before the end marker of an aborted transaction is not written to again, and no other is held back', async ({
  expect,
}) => {
  const partitions = await makeTopics()
  const first = await openLane()
  const coordinator = await coordinatorOf(first)
  const victim = [...partitions.keys()].find((node) => node !== coordinator) ?? 0
  const hit = { topic: DATA, partition: partitions.get(victim) ?? 0 }
  const other = { topic: DATA, partition: partitions.get(coordinator) ?? 0 }
  await first.topology([DATA])
  expect(await first.hanging([hit, other])).toEqual({ hanging: [], unchecked: [] })
  await first.add([hit, other, { topic: LEDGER, partition: 0 }])
  await first.append([
    { ...hit, messages: [text('aborted')] },
    { ...other, messages: [text('aborted')] },
  ])

  const node = cluster.nodes.find(({ id }) => id === victim)
  await node?.kill()
  // INIT ends the transaction of its predecessor, and answers when it is ended everywhere where there is a leader.
  const second = await openLane()
  await node?.start(cluster.nodes.map(({ id }) => id))
  await expect.poll(async () => leads(second, hit.partition), { timeout: 30_000 }).toBe(true)

  expect(await second.hanging([hit, other])).toEqual({ hanging: [hit], unchecked: [] })
  await second.add([other])
  await second.append([{ ...other, messages: [text('committed')] }])
  await second.commit()
  await first.close()
  await second.close()
})

async function leads(lane: Lane, partition: number): Promise<boolean> {
  const state = (await lane.topology([DATA])).get(DATA)
  return state?.status === 'ok' && state.leaders.has(partition)
}
