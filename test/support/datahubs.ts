// Datahubs and their topics, as a user and an operator make them.
import { setTimeout as pause } from 'node:timers/promises'
import type { DevJson } from '../../dev/dev-json.ts'
import { createAdmin } from '../../relay/kafka/kafkajs.ts'

const ASK_AGAIN_MS = 50
const RESOURCE_TYPE_TOPIC = 2
export const MESSAGE_LIMIT = 'max.message.bytes'

export interface NewTopic {
  topic: string
  partitions?: number
  config?: Readonly<Record<string, string>>
}

export async function makeTopic(
  brokers: readonly string[],
  { topic, partitions = 3, config = {} }: NewTopic,
): Promise<void> {
  await asAdmin(brokers, (admin) =>
    admin.createTopics({
      waitForLeaders: true,
      topics: [
        {
          topic,
          numPartitions: partitions,
          replicationFactor: 3,
          configEntries: Object.entries(config).map(([name, value]) => ({ name, value })),
        },
      ],
    }),
  )
}

export async function setTopicConfig(
  brokers: readonly string[],
  topic: string,
  config: Readonly<Record<string, string>>,
): Promise<void> {
  const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }))
  await asAdmin(brokers, (admin) =>
    admin.alterConfigs({
      validateOnly: false,
      resources: [{ type: RESOURCE_TYPE_TOPIC, name: topic, configEntries }],
    }),
  )
}

// A task of the topic's name. Resolves when a relay has found the topic and the task takes reports; the test's time limit bounds it.
export async function makeDatahub(dev: DevJson, topic: string): Promise<DevJson> {
  const { datahubId } = await asOperator<{ datahubId: string }>(dev, 'POST', { name: topic, topic })
  for (;;) {
    const { datahubs } = await asOperator<Listed>(dev, 'GET')
    const made = datahubs.find((datahub) => datahub.datahubId === datahubId)
    if (made?.status === 1) return { ...dev, datahubId, topic }
    if (made?.status === -1) throw new Error(`${topic} is no target: ${made.problem}`)
    await pause(ASK_AGAIN_MS)
  }
}

interface Listed {
  datahubs: { datahubId: string; status: number; problem?: string }[]
}

async function asOperator<T>(dev: DevJson, method: 'GET' | 'POST', body?: unknown): Promise<T> {
  const response = await fetch(`${dev.api}/v1/datahubs`, {
    method,
    headers: { authorization: `Bearer ${dev.adminToken}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`)
  return (await response.json()) as T
}

async function asAdmin<T>(
  brokers: readonly string[],
  use: (admin: ReturnType<typeof createAdmin>) => Promise<T>,
): Promise<T> {
  const admin = createAdmin({ brokers: [...brokers], clientId: 'edgehub-test' })
  await admin.connect()
  try {
    return await use(admin)
  } finally {
    await admin.disconnect()
  }
}
