/**
 * Edgehub's own topics: creates what is missing and refuses to run on what can't keep the promise. It never alters a topic that is there.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Admin } from 'kafkajs'
import { deadLetterTopic, ledgerTopic, LEDGER_RETENTION_MS, type InstanceId } from '#contract'
import { Code } from './codes.ts'
import { READABLE_COMPRESSION_TYPES } from './compression.ts'
import { explain } from './explain.ts'
import { createAdmin, errorCode, type KafkaSettings } from './kafkajs.ts'

/** Room for a whole transaction's outcomes in one ledger record, and for a dead letter that was too large for its topic. */
const OWN_TOPIC_MAX_MESSAGE_BYTES = 10_485_760
/** Of Edgehub's own topics, and of those that it creates for tasks. */
export const REPLICATION_FACTOR = 3
const MIN_IN_SYNC_REPLICAS = 2
const RESOURCE_TYPE_TOPIC = 2

/** @throws when the cluster can't be reached; UnfitTopic when one of the topics does not fit */
export async function ensureOwnTopics(
  settings: KafkaSettings,
  instance: InstanceId,
  shards: number,
): Promise<void> {
  const admin = createAdmin(settings)
  try {
    await admin.connect()
    const { brokers } = await admin.describeCluster()
    const replicated = brokers.length >= REPLICATION_FACTOR
    const configEntries = [
      { name: 'cleanup.policy', value: 'delete' },
      { name: 'retention.ms', value: String(LEDGER_RETENTION_MS) },
      { name: 'retention.bytes', value: '-1' },
      { name: 'unclean.leader.election.enable', value: 'false' },
      // Whatever the cluster's default is: what the relay writes it must be able to read.
      { name: 'compression.type', value: 'producer' },
      { name: 'max.message.bytes', value: String(OWN_TOPIC_MAX_MESSAGE_BYTES) },
      // A broker refuses a time that is more than an hour ahead; the relay must boot although its clock is wrong.
      { name: 'message.timestamp.type', value: 'LogAppendTime' },
      ...(replicated ? [{ name: 'min.insync.replicas', value: String(MIN_IN_SYNC_REPLICAS) }] : []),
    ]
    const wanted = [ledgerTopic(instance), deadLetterTopic(instance)]
    const existing = new Set(await admin.listTopics())
    const missing = wanted.filter((topic) => !existing.has(topic))
    if (missing.length > 0) {
      await admin.createTopics({
        // It gives up when one broker has not heard of the topic yet; `describe` waits for it.
        waitForLeaders: false,
        topics: missing.map((topic) => ({
          topic,
          numPartitions: shards,
          replicationFactor: replicated ? REPLICATION_FACTOR : 1,
          configEntries,
        })),
      })
    }
    for (const topic of wanted) {
      const problems = problemsOf(await describe(admin, topic), {
        shards,
        replicated,
        isLedger: topic === ledgerTopic(instance),
      })
      if (problems.length > 0) throw new UnfitTopic(topic, problems)
    }
  } catch (error) {
    throw explain(error)
  } finally {
    await admin.disconnect()
  }
}

/** A topic as it is. Settings by Kafka's names for them. */
export interface OwnTopic {
  partitions: number
  /** Of the partition that has the fewest. */
  replicas: number
  config: ReadonlyMap<string, string>
}

/** Right after a topic is made, another broker may not know it for a moment. */
const KNOWN_AFTER_MS = 5_000
const KNOWN_RETRY_MS = 100

async function describe(admin: Admin, topic: string): Promise<OwnTopic> {
  const deadline = Date.now() + KNOWN_AFTER_MS
  for (;;) {
    try {
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
      const { resources } = await admin.describeConfigs({
        includeSynonyms: false,
        resources: [{ type: RESOURCE_TYPE_TOPIC, name: topic }],
      })
      const partitions = topics[0]?.partitions ?? []
      return {
        partitions: partitions.length,
        replicas: Math.min(...partitions.map(({ replicas }) => replicas.length)),
        config: new Map(
          resources[0]?.configEntries.map((entry) => [entry.configName, entry.configValue]),
        ),
      }
    } catch (error) {
      const isNew = errorCode(error) === Code.UNKNOWN_TOPIC_OR_PARTITION
      if (!isNew || Date.now() > deadline) throw error
      await sleep(KNOWN_RETRY_MS)
    }
  }
}

/**
 * What does not fit, in words. A ledger that forgets, compacts, loses what it acknowledged or has another number of partitions would let a
 * report be sent twice; a topic that refuses a large record of the relay's would stop its shard for good. Pure.
 */
export function problemsOf(
  { partitions, replicas, config }: OwnTopic,
  wanted: { shards: number; replicated: boolean; isLedger: boolean },
): string[] {
  const { shards, replicated, isLedger } = wanted
  const is = (name: string) => config.get(name) ?? 'not known'
  const retention = Number(is('retention.ms'))
  const checks: [holds: boolean, problem: string][] = [
    [
      isLedger ? partitions === shards : partitions >= shards,
      `it has ${partitions} partitions, the relay has ${shards} shards (changing their number needs a drain)`,
    ],
    [
      !replicated || replicas >= REPLICATION_FACTOR,
      `it has ${replicas} replicas, it must have ${REPLICATION_FACTOR} on a cluster of that many brokers`,
    ],
    [
      !replicated || Number(is('min.insync.replicas')) >= MIN_IN_SYNC_REPLICAS,
      `min.insync.replicas is ${is('min.insync.replicas')}, it must be at least ${MIN_IN_SYNC_REPLICAS}`,
    ],
    [
      Number(is('max.message.bytes')) >= OWN_TOPIC_MAX_MESSAGE_BYTES,
      `max.message.bytes is ${is('max.message.bytes')}, it must be at least ${OWN_TOPIC_MAX_MESSAGE_BYTES}`,
    ],
    [
      is('unclean.leader.election.enable') === 'false',
      'unclean.leader.election.enable must be false',
    ],
    [
      !isLedger || is('cleanup.policy') === 'delete',
      `cleanup.policy is ${is('cleanup.policy')}, it must be delete`,
    ],
    [
      !isLedger || retention === -1 || retention >= LEDGER_RETENTION_MS,
      `retention.ms is ${is('retention.ms')}, it must be at least ${LEDGER_RETENTION_MS}`,
    ],
    [
      !isLedger || is('retention.bytes') === '-1',
      `retention.bytes is ${is('retention.bytes')}, it must be -1`,
    ],
    [
      !isLedger || READABLE_COMPRESSION_TYPES.includes(is('compression.type')),
      `compression.type is ${is('compression.type')}, it must be one of ${READABLE_COMPRESSION_TYPES.join(', ')}`,
    ],
  ]
  return checks.filter(([holds]) => !holds).map(([, problem]) => problem)
}

/** Retrying does not help: somebody has to change the topic or the settings. */
export class UnfitTopic extends Error {
  override readonly name = 'UnfitTopic'
  constructor(topic: string, problems: readonly string[]) {
    super(`the topic ${topic} does not fit: ${problems.join('; ')}`)
  }
}
