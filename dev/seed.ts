/**
 * The demo: a topic, a datahub and a credential, made through the same calls that a user makes, once. Its secret key is shown only at
 * creation, so it is kept in the state folder.
 */
import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import * as z from 'zod'
import { createAdmin } from '../relay/kafka/kafkajs.ts'
import { isErrno, writeAtomically } from './files.ts'
import { createTopics } from './kafka/topics.ts'

const Demo = z.object({
  datahubId: z.string(),
  topic: z.string(),
  secretId: z.string(),
  secretKey: z.string(),
})
export type Demo = z.infer<typeof Demo>

const DEMO_TOPIC = 'demo'
const DEMO_PARTITIONS = 3

export interface SeedOptions {
  /** Where the demo's names and secret are kept. */
  path: string
  api: string
  adminToken: string
  brokers: readonly string[]
}

/** @throws with a sentence when Kafka or the API does not do its part */
export async function seedDemo({ path, api, adminToken, brokers }: SeedOptions): Promise<Demo> {
  await ensureTopic(brokers)
  const before = await readDemo(path)
  if (before) return before
  const datahub = z.object({ datahubId: z.string(), topic: z.string() })
  const credential = z.object({ secretId: z.string(), secretKey: z.string() })
  const { datahubId, topic } = datahub.parse(
    await post('/v1/datahubs', { name: 'demo', topic: DEMO_TOPIC }),
  )
  const { secretId, secretKey } = credential.parse(
    await post('/v1/credentials', { scopes: ['send', 'query', 'manage'], datahubs: 'all' }),
  )
  const demo = { datahubId, topic, secretId, secretKey }
  await writeAtomically(path, `${JSON.stringify(demo, undefined, 2)}\n`)
  return demo

  async function post(route: string, body: unknown): Promise<unknown> {
    const response = await fetch(new URL(route, api), {
      method: 'POST',
      headers: { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    const text = await response.text()
    if (response.status !== 201) {
      throw new Error(`POST ${route} answers ${response.status}: ${text}`)
    }
    return JSON.parse(text)
  }
}

const ASK_AGAIN_MS = 50
const CONFIRMED_WITHIN_MS = 30_000

/** Resolves when a relay has found the task's topic, so that reports are taken. @throws when none does in time */
export async function taskRuns(
  { datahubId, topic }: Pick<Demo, 'datahubId' | 'topic'>,
  { api, adminToken }: Pick<SeedOptions, 'api' | 'adminToken'>,
): Promise<void> {
  const datahub = z.object({ status: z.int(), problem: z.string().optional() })
  const deadline = Date.now() + CONFIRMED_WITHIN_MS
  for (;;) {
    const route = `/v1/datahubs/${datahubId}`
    const response = await fetch(new URL(route, api), {
      headers: { authorization: `Bearer ${adminToken}` },
    })
    const text = await response.text()
    if (!response.ok) throw new Error(`GET ${route} answers ${response.status}: ${text}`)
    const task = datahub.parse(JSON.parse(text))
    if (task.status === 1) return
    if (Date.now() > deadline) {
      throw new Error(
        `no relay says that it can write to the topic ${topic}: ${task.problem ?? 'none has looked'}`,
      )
    }
    await delay(ASK_AGAIN_MS)
  }
}

async function readDemo(path: string): Promise<Demo | undefined> {
  try {
    return Demo.parse(JSON.parse(await readFile(path, 'utf8')))
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined
    throw error
  }
}

/** @throws when the cluster can't be reached */
async function ensureTopic(brokers: readonly string[]): Promise<void> {
  const kafka = { brokers: [...brokers], clientId: 'edgehub-dev' }
  const admin = createAdmin(kafka)
  await admin.connect()
  let size: number
  try {
    if ((await admin.listTopics()).includes(DEMO_TOPIC)) return
    size = (await admin.describeCluster()).brokers.length
  } finally {
    await admin.disconnect()
  }
  const replicationFactor = Math.min(size, 3)
  await createTopics(kafka, [
    { topic: DEMO_TOPIC, numPartitions: DEMO_PARTITIONS, replicationFactor },
  ])
}
