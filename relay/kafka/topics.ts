/**
 * Edgehub's own topics: creates what is missing and refuses to run on what can't keep the promise. It never alters a topic that is there.
 */
import type { Admin } from 'kafkajs'
import { deadLetterTopic, ledgerTopic, LEDGER_RETENTION_MS, type InstanceId } from '#contract'
import { createAdmin, type KafkaSettings } from './kafkajs.ts'

/** Room for a whole transaction's outcomes in one ledger record, and for a dead letter that was too large for its topic. */
const OWN_TOPIC_MAX_MESSAGE_BYTES = 10_485_760
const REPLICATION_FACTOR = 3
const MIN_IN_SYNC_REPLICAS = 2
const RESOURCE_TYPE_TOPIC = 2

/** @throws when the cluster can't be reached, or an existing ledger does not fit */
export async function ensureOwnTopics(
  settings: KafkaSettings,
  instance: InstanceId,
  shards: number,
): Promise<void> {
  const admin = createAdmin(settings)
  await admin.connect()
  try {
    const { brokers } = await admin.describeCluster()
    const replicated = brokers.length >= REPLICATION_FACTOR
    const configEntries = [
      { name: 'cleanup.policy', value: 'delete' },
      { name: 'retention.ms', value: String(LEDGER_RETENTION_MS) },
      { name: 'retention.bytes', value: '-1' },
      { name: 'unclean.leader.election.enable', value: 'false' },
      { name: 'max.message.bytes', value: String(OWN_TOPIC_MAX_MESSAGE_BYTES) },
      ...(replicated ? [{ name: 'min.insync.replicas', value: String(MIN_IN_SYNC_REPLICAS) }] : []),
    ]
    const wanted = [ledgerTopic(instance), deadLetterTopic(instance)]
    const existing = new Set(await admin.listTopics())
    const missing = wanted.filter((topic) => !existing.has(topic))
    if (missing.length > 0) {
      await admin.createTopics({
        waitForLeaders: true,
        topics: missing.map((topic) => ({
          topic,
          numPartitions: shards,
          replicationFactor: replicated ? REPLICATION_FACTOR : 1,
          configEntries,
        })),
      })
    }
    await assertLedger(admin, ledgerTopic(instance), shards)
  } finally {
    await admin.disconnect()
  }
}

/** A ledger that forgets, compacts or has another number of partitions would let a report be sent twice. */
async function assertLedger(admin: Admin, topic: string, shards: number): Promise<void> {
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
  const partitions = topics[0]?.partitions.length ?? 0
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: [{ type: RESOURCE_TYPE_TOPIC, name: topic }],
  })
  const config = new Map(
    resources[0]?.configEntries.map((entry) => [entry.configName, entry.configValue]),
  )
  const retention = Number(config.get('retention.ms'))
  const problems = [
    partitions === shards
      ? undefined
      : `it has ${partitions} partitions, the relay has ${shards} shards (changing their number needs a drain)`,
    config.get('cleanup.policy') === 'delete'
      ? undefined
      : `cleanup.policy is ${config.get('cleanup.policy')}, it must be delete`,
    retention === -1 || retention >= LEDGER_RETENTION_MS
      ? undefined
      : `retention.ms is ${retention}, it must be at least ${LEDGER_RETENTION_MS}`,
    config.get('retention.bytes') === '-1'
      ? undefined
      : `retention.bytes is ${config.get('retention.bytes')}, it must be -1`,
    config.get('unclean.leader.election.enable') === 'false'
      ? undefined
      : 'unclean.leader.election.enable must be false',
  ].filter((problem) => problem !== undefined)
  if (problems.length > 0) throw new UnfitLedger(topic, problems)
}

/** Retrying does not help: somebody has to change the topic or the settings. */
export class UnfitLedger extends Error {
  override readonly name = 'UnfitLedger'
  constructor(topic: string, problems: readonly string[]) {
    super(`the ledger topic ${topic} does not fit: ${problems.join('; ')}`)
  }
}
