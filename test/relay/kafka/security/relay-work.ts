// Everything that a relay asks of Kafka, once, step by step in the order of its life, with the relay's own
// parts; so that a missing right shows at the step that needs it.
import { Kafka, logLevel } from 'kafkajs'
import { deadLetterTopic, InstanceId, ledgerTopic, transactionalId } from '#contract'
import type { KafkaSettings } from '../../../../relay/kafka/kafkajs.ts'
import { Lane } from '../../../../relay/kafka/lane.ts'
import { ensureOwnTopics } from '../../../../relay/kafka/topics.ts'
import { readMinInSyncReplicas } from '../../../../relay/kafka/topology.ts'
import { createSource } from '../../../../relay/query/source.ts'

export type Step =
  | 'own topics'
  | 'group'
  | 'transactional id'
  | 'claim in the ledger'
  | 'ledger bounds'
  | 'ledger read'
  | 'target topic'
  | 'open transactions'
  | 'replicas asked for'
  | 'dead letters'
  | 'creation of a target topic'

export interface Work {
  readonly kafka: KafkaSettings
  readonly instance: string
  readonly topic: string
}

const SHARD = 0

// The first step that failed, with its error; undefined when all went well.
export async function failingStep(work: Work): Promise<{ step: Step; error: Error } | undefined> {
  const instance = InstanceId.parse(work.instance)
  const { kafka, topic } = work
  const ledger = { topic: ledgerTopic(instance), partition: SHARD }
  const deadLetters = { topic: deadLetterTopic(instance), partition: SHARD }
  const groupId = `edgehub-${instance}-relays`
  let step: Step = 'own topics'
  let lane: Lane | undefined
  try {
    await ensureOwnTopics(kafka, instance, 1)

    step = 'group'
    await joinAndCommit(kafka, groupId, ledger)

    step = 'transactional id'
    lane = await openLane(kafka, transactionalId(instance, SHARD), ledger.topic)

    step = 'claim in the ledger'
    const claim = await send(lane, ledger, 'claim', ledger)

    step = 'ledger bounds'
    const { start, committed } = await lane.ledgerBounds(SHARD, groupId)
    if (committed !== 0n) throw new Error(`the group has committed ${committed}`)

    step = 'ledger read'
    const values: string[] = []
    await lane.readLedger({ partition: SHARD, from: start, through: claim }, ({ value }) =>
      values.push(String(value)),
    )
    if (values.at(-1) !== 'claim') throw new Error(`the ledger holds ${values.join()}`)

    step = 'target topic'
    await send(lane, { topic, partition: 0 }, `of ${instance}`, ledger)

    step = 'open transactions'
    const { unchecked } = await lane.hanging([{ topic, partition: 0 }])
    if (unchecked.length > 0) throw new Error('not authorized to ask what is open there')

    step = 'replicas asked for'
    const broker = await lane.cluster.brokerPool.findConnectedBroker()
    const replicas = await readMinInSyncReplicas(broker, [topic])
    if (!replicas.has(topic)) throw new Error('not authorized to ask what the topic needs')

    step = 'dead letters'
    await send(lane, deadLetters, 'letter', ledger)

    step = 'creation of a target topic'
    await createTarget(kafka, topic)
    return undefined
  } catch (error) {
    return { step, error: error instanceof Error ? error : new Error(String(error)) }
  } finally {
    await lane?.close()
  }
}

// Whether it may is asked before whether the topic is there, which it is.
async function createTarget(kafka: KafkaSettings, name: string): Promise<void> {
  const source = createSource(kafka, () => performance.now())
  try {
    const topic = { name, partitions: undefined, replicationFactor: 1 }
    const creation = await source.create(topic, new AbortController().signal)
    if (creation.status === 'refused') throw new Error(creation.why)
  } finally {
    source.close()
  }
}

export function openLane(kafka: KafkaSettings, id: string, ledger: string): Promise<Lane> {
  return Lane.open({
    kafka,
    transactionalId: id,
    ledgerTopic: ledger,
    transactionTimeoutMs: 15_000,
    minInSyncReplicas: 1,
  })
}

// One transaction: a record to `to`, and its entry in the ledger. Returns the offset of the record.
export async function send(
  lane: Lane,
  to: { topic: string; partition: number },
  value: string,
  ledger: { topic: string; partition: number },
): Promise<bigint> {
  const state = (await lane.topology([to.topic])).get(to.topic)
  if (state?.status !== 'ok') throw new Error(`${to.topic} is unavailable: ${state?.code}`)
  const message = { key: null, value: Buffer.from(value), timestamp: Date.now() }
  const appends = [{ ...to, messages: [message] }]
  if (to !== ledger) appends.push({ ...ledger, messages: [message] })
  const [refused] = await lane.add(appends.map(({ topic, partition }) => ({ topic, partition })))
  if (refused) throw new Error(`${refused.topic} is refused: ${refused.code}`)
  const [[result] = []] = await lane.append(appends)
  if (result?.status !== 'stored') throw new Error(`${to.topic} has not stored the record`)
  await lane.commit()
  return result.offset
}

// Ownership of shards is membership of this group, and what it commits is where the ledger is read from.
async function joinAndCommit(
  settings: KafkaSettings,
  groupId: string,
  ledger: { topic: string; partition: number },
): Promise<void> {
  const kafka = new Kafka({ ...settings, logLevel: logLevel.NOTHING })
  const consumer = kafka.consumer({
    groupId,
    maxWaitTimeInMs: 50,
    retry: { initialRetryTime: 20, restartOnFailure: async (error) => isLoading(error) },
  })
  const { promise: joined, resolve, reject } = Promise.withResolvers<void>()
  joined.catch(() => {})
  consumer.on('consumer.group_join', () => resolve())
  consumer.on('consumer.crash', ({ payload }) => {
    if (!payload.restart) reject(payload.error)
  })
  try {
    await consumer.connect()
    await consumer.subscribe({ topic: ledger.topic, fromBeginning: true })
    await consumer.run({ autoCommit: false, eachBatch: async () => {} })
    await joined
    await consumer.commitOffsets([{ ...ledger, offset: '0' }])
  } finally {
    await consumer.disconnect()
  }
}

// The coordinator of a new cluster is loading for a moment, which kafkajs does not wait for.
function isLoading(error: Error): boolean {
  return 'type' in error && error.type === 'GROUP_LOAD_IN_PROGRESS'
}
