/** A link object of the test's own, the relays connected to it, and tasks whose topics they are told. */
import { env } from 'cloudflare:workers'
import type { RelayLink } from '../../../worker/link/relay-link.ts'
import { REGISTRY_NAME } from '../../../worker/registry/registry.ts'
import { relayOf, type TestRelay } from './relay.ts'

export type Link = DurableObjectStub<RelayLink>

export const newLink = (): Link => env.RELAY_LINK.getByName(crypto.randomUUID())

export async function connect(link: Link): Promise<TestRelay> {
  return relayOf(await link.fetch('https://link.test/', { headers: { Upgrade: 'websocket' } }))
}

/** Connected, greeted, and told what to watch. */
export async function greeted(link: Link, name = 'r1'): Promise<TestRelay> {
  const relay = await connect(link)
  relay.hello(name)
  await relay.next()
  await relay.next()
  return relay
}

/** A task whose topic nobody else has. */
export async function newTask(createTopic?: {
  partitions?: number
}): Promise<{ datahub: string; topic: string }> {
  const random = crypto.randomUUID().slice(0, 8)
  const [datahub, topic] = [`datahub-${random}`, `topic-${random}`]
  const [taskId, name] = [`task-${random}`, `link-${random}`]
  const more = { instance: 'ckafka-devlocal', description: '', qpsLimit: 2_000 }
  const task = { datahub, taskId, name, topic, createTopic, ...more }
  await env.REGISTRY.getByName(REGISTRY_NAME).createTask('admin', task)
  return { datahub, topic }
}
