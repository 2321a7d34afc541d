// Who among the brokers does what for a stage, and whether they are whole.
import { setTimeout as pause } from 'node:timers/promises'
import { InstanceId, ledgerTopic, transactionalId } from '#contract'
import { createCluster } from '../../relay/kafka/kafkajs.ts'
import { relayGroup } from '../../relay/ownership/group-id.ts'
import { withAdmin } from '../support/admin.ts'
import type { Random } from './random.ts'
import type { Stage } from './stage.ts'

export const ROLES = [
  'data_leader',
  'ledger_leader',
  'transaction_coordinator',
  'group_coordinator',
] as const
export type Role = (typeof ROLES)[number]

type Of = Pick<Stage, 'dev' | 'brokers' | 'topics'>

const POLL_MS = 200
const GROUP = 0
const TRANSACTION = 1

// The broker's id.
export async function brokerOf(of: Of, role: Role, shard: number, random: Random): Promise<number> {
  const instance = InstanceId.parse(of.dev.instanceId)
  switch (role) {
    case 'data_leader':
      return leaderOf(of, random.pick(of.topics), 0)
    case 'ledger_leader':
      return leaderOf(of, ledgerTopic(instance), shard)
    case 'transaction_coordinator':
      return coordinatorOf(of, transactionalId(instance, shard), TRANSACTION)
    case 'group_coordinator':
      return coordinatorOf(of, relayGroup(instance), GROUP)
  }
}

async function leaderOf({ brokers }: Of, topic: string, partition: number): Promise<number> {
  return withAdmin(clientOf(brokers), async (admin) => {
    const [metadata] = (await admin.fetchTopicMetadata({ topics: [topic] })).topics
    return metadata?.partitions.find(({ partitionId }) => partitionId === partition)?.leader ?? -1
  })
}

async function coordinatorOf({ brokers }: Of, name: string, type: 0 | 1): Promise<number> {
  const cluster = createCluster({ brokers: [...brokers], clientId: 'edgehub-crash' })
  await cluster.connect()
  try {
    const found = await cluster.findGroupCoordinator({ groupId: name, coordinatorType: type })
    return found.nodeId
  } finally {
    await cluster.disconnect()
  }
}

// No partition is led by this broker any more, say the others.
export function isDeposed({ brokers }: Of, broker: number, ms: number): Promise<void> {
  return until(`broker ${broker} leads nothing`, ms, () =>
    withAdmin(clientOf(others(brokers, broker)), async (admin) => {
      const { topics } = await admin.fetchTopicMetadata()
      return topics.every(({ partitions }) =>
        partitions.every(({ leader }) => leader !== broker && leader > 0),
      )
    }),
  )
}

// Every partition of every topic is in sync on all its replicas, and each broker says so.
export async function areWhole({ brokers }: Of, ms: number): Promise<void> {
  for (const broker of brokers) {
    await until(`${broker} says that all is in sync`, ms, () =>
      withAdmin(clientOf([broker]), async (admin) => {
        const { topics } = await admin.fetchTopicMetadata()
        return topics.every(({ partitions }) =>
          partitions.every(
            ({ leader, replicas, isr }) => leader > 0 && isr.length === replicas.length,
          ),
        )
      }),
    )
  }
}

const clientOf = (brokers: readonly string[]) => ({
  brokers: [...brokers],
  clientId: 'edgehub-crash',
})

// Broker ids count from 1.
const others = (brokers: readonly string[], id: number) => brokers.filter((_, i) => i + 1 !== id)

async function until(what: string, ms: number, isTrue: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + ms
  while (!(await isTrue().catch(() => false))) {
    if (Date.now() > deadline) throw new Error(`not within ${ms} ms: ${what}`)
    await pause(POLL_MS)
  }
}
