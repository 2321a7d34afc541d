// Makes topics, and resolves only when every broker knows them. kafkajs's own wait asks one broker and throws when that one has not heard
// of a topic yet, which happens on a busy machine.
import { setTimeout as pause } from 'node:timers/promises'
import type { ITopicConfig } from 'kafkajs'
import { createAdmin, type KafkaSettings } from '../../relay/kafka/kafkajs.ts'

const POLL_MS = 20

export async function createTopics(
  kafka: KafkaSettings,
  topics: readonly ITopicConfig[],
): Promise<void> {
  const admin = createAdmin(kafka)
  await admin.connect()
  try {
    await admin.createTopics({ waitForLeaders: false, topics: [...topics] })
  } finally {
    await admin.disconnect()
  }
  for (const broker of kafka.brokers) await knows(kafka, broker, topics)
}

async function knows(
  kafka: KafkaSettings,
  broker: string,
  topics: readonly ITopicConfig[],
): Promise<void> {
  const admin = createAdmin({ ...kafka, brokers: [broker] })
  await admin.connect()
  try {
    for (;;) {
      const known = new Set(await admin.listTopics())
      if (topics.every(({ topic }) => known.has(topic))) return
      await pause(POLL_MS)
    }
  } finally {
    await admin.disconnect()
  }
}
