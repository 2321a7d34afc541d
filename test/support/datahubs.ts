// Datahubs and their topics, as a user and an operator make them.
import type { DevJson } from '../../dev/dev-json.ts'
import { createTopics } from '../../dev/kafka/topics.ts'
import { taskRuns } from '../../dev/seed.ts'
import { withAdmin } from './admin.ts'

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
  await createTopics(clientOf(brokers), [
    {
      topic,
      numPartitions: partitions,
      replicationFactor: 3,
      configEntries: Object.entries(config).map(([name, value]) => ({ name, value })),
    },
  ])
}

export async function setTopicConfig(
  brokers: readonly string[],
  topic: string,
  config: Readonly<Record<string, string>>,
): Promise<void> {
  const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }))
  await withAdmin(clientOf(brokers), (admin) =>
    admin.alterConfigs({
      validateOnly: false,
      resources: [{ type: RESOURCE_TYPE_TOPIC, name: topic, configEntries }],
    }),
  )
}

// A task of the topic's name. Resolves when a relay has found the topic and the task takes reports.
export async function makeDatahub(dev: DevJson, topic: string): Promise<DevJson> {
  const { datahubId } = await post<{ datahubId: string }>(dev, '/v1/datahubs', {
    name: topic,
    topic,
  })
  const made = { ...dev, datahubId, topic }
  await taskRuns(made, dev)
  return made
}

export interface Credential {
  secretId: string
  secretKey: string
  // Of a temporary one.
  sessionToken?: string
}

export interface NewCredential {
  scopes: readonly string[]
  datahubs?: 'all' | readonly string[]
  // Makes it a temporary one; it needs `expires`, Unix ms.
  sessionToken?: boolean
  expires?: number
}

export function makeCredential(dev: DevJson, credential: NewCredential): Promise<Credential> {
  return post(dev, '/v1/credentials', { datahubs: 'all', ...credential })
}

async function post<T>(dev: DevJson, path: string, body: unknown): Promise<T> {
  const response = await fetch(`${dev.api}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${dev.adminToken}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  if (response.status !== 201) throw new Error(`${response.status}: ${await response.text()}`)
  return (await response.json()) as T
}

const clientOf = (brokers: readonly string[]) => ({
  brokers: [...brokers],
  clientId: 'edgehub-test',
})
