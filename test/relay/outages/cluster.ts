// Topics and instances placed on chosen brokers, so that a test knows what it takes away with one of them.
import { randomBytes } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import type { Admin } from 'kafkajs'
import { deadLetterTopic, InstanceId, ledgerTopic, transactionalId } from '#contract'
import { createCluster, type KafkaSettings } from '../../../relay/kafka/kafkajs.ts'
import { ensureOwnTopics } from '../../../relay/kafka/topics.ts'
import { withAdmin } from '../../support/admin.ts'

const POLL_MS = 100
const TRANSACTION = 1

// The other two brokers of three are its followers, so every partition has a replica on each.
const replicasFrom = (leader: number): number[] => [0, 1, 2].map((i) => ((leader - 1 + i) % 3) + 1)

// Partition i is led by leaders[i].
export async function createPlacedTopic(
  kafka: KafkaSettings,
  leaders: readonly number[],
  config: Record<string, string> = {},
  topic = `outage-${randomBytes(4).toString('hex')}`,
): Promise<string> {
  await withAdmin(kafka, async (admin) => {
    await admin.createTopics({
      // It gives up when one broker has not heard of the topic yet.
      waitForLeaders: false,
      topics: [
        {
          topic,
          replicaAssignment: leaders.map((leader, partition) => ({
            partition,
            replicas: replicasFrom(leader),
          })),
          configEntries: Object.entries(config).map(([name, value]) => ({ name, value })),
        },
      ],
    })
  })
  await known(kafka, [topic])
  return topic
}

// Gone for every broker.
export async function deleteTopic(kafka: KafkaSettings, topic: string): Promise<void> {
  await withAdmin(kafka, (admin) => admin.deleteTopics({ topics: [topic] }))
  await onEachBroker(kafka, async (admin) => !(await admin.listTopics()).includes(topic))
}

export interface Place {
  // Broker ids.
  ledgerLeader: number
  coordinator: number
}

// An instance whose ledger and transaction coordinator are where they are wanted.
export async function createPlacedInstance(
  kafka: KafkaSettings,
  { ledgerLeader, coordinator }: Place,
): Promise<InstanceId> {
  const instance = await drawInstance(kafka, coordinator)
  await createOwnTopics(kafka, instance)
  await moveLeader(kafka, ledgerTopic(instance), 0, ledgerLeader)
  return instance
}

// The coordinator is found by a hash of the transactional id.
async function drawInstance(kafka: KafkaSettings, coordinator: number): Promise<InstanceId> {
  const cluster = createCluster(kafka)
  await cluster.connect()
  try {
    for (;;) {
      const instance = InstanceId.parse(`ckafka-${randomBytes(4).toString('hex')}`)
      const found = await cluster.findGroupCoordinator({
        groupId: transactionalId(instance, 0),
        coordinatorType: TRANSACTION,
      })
      if (found.nodeId === coordinator) return instance
    }
  } finally {
    await cluster.disconnect()
  }
}

// Takes the partition from its leader and gives it to another broker; the replicas end as they were.
export async function moveLeader(
  kafka: KafkaSettings,
  topic: string,
  partition: number,
  to: number,
): Promise<void> {
  await withAdmin(kafka, async (admin) => {
    // A leader that is no replica any more has to hand over. Two stay in sync all the time.
    const [before] = (await admin.fetchTopicMetadata({ topics: [topic] })).topics
    const from = before?.partitions.find(({ partitionId }) => partitionId === partition)?.leader
    if (from === to) return
    const replicas = replicasFrom(to)
    for (const wanted of [replicas.filter((id) => id !== from), replicas]) {
      await admin.alterPartitionReassignments({
        topics: [{ topic, partitionAssignment: [{ partition, replicas: wanted }] }],
      })
      await until(async () => {
        const [state] = (await admin.fetchTopicMetadata({ topics: [topic] })).topics
        const at = state?.partitions.find(({ partitionId }) => partitionId === partition)
        return at?.leader === to && at.isr.length === wanted.length
      })
    }
  })
}

// Every partition of every topic is in sync on all its replicas, and all brokers say so.
export async function healed(kafka: KafkaSettings): Promise<void> {
  await onEachBroker(kafka, async (admin) => {
    const { topics } = await admin.fetchTopicMetadata()
    return topics.every(({ partitions }) =>
      partitions.every(({ leader, replicas, isr }) => leader > 0 && isr.length === replicas.length),
    )
  })
}

async function onEachBroker(
  kafka: KafkaSettings,
  isTrue: (admin: Admin) => Promise<boolean>,
): Promise<void> {
  for (const broker of kafka.brokers) {
    await withAdmin({ ...kafka, brokers: [broker] }, (admin) => until(() => isTrue(admin)))
  }
}

// Another broker may not know a topic yet that was just made.
export async function createOwnTopics(kafka: KafkaSettings, instance: InstanceId): Promise<void> {
  await until(() => ensureOwnTopics(kafka, instance, 1).then(() => true))
  await known(kafka, [ledgerTopic(instance), deadLetterTopic(instance)])
}

// Each broker names a leader for all of them.
async function known(kafka: KafkaSettings, topics: string[]): Promise<void> {
  await onEachBroker(kafka, async (admin) => {
    const answer = await admin.fetchTopicMetadata({ topics })
    return answer.topics.every(({ partitions }) => partitions.every(({ leader }) => leader > 0))
  })
}

async function until(isDone: () => Promise<boolean>): Promise<void> {
  while (!(await isDone().catch(() => false))) await pause(POLL_MS)
}
