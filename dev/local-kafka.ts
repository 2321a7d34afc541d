/** The stack's Kafka: the cluster of KAFKA_BROKERS as it is, or brokers of its own. A broker of its own that dies is started again. */
import { join } from 'node:path'
import process from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'
import { createAdmin } from '../relay/kafka/kafkajs.ts'
import type { Flags } from './flags.ts'
import { startKafka, type KafkaCluster } from './kafka/cluster.ts'
import { isKafkaCached } from './kafka/fetch.ts'
import { checkRequirements, formatProblems } from './kafka/requirements.ts'
import { checkPorts, Refusal } from './refusal.ts'

export interface DevKafka {
  brokers: readonly string[]
  /** What the relay may ask of a partition here. */
  minInSyncReplicas: number
  /** The shortest session that the brokers' groups allow, ms; undefined: what brokers allow by default. */
  groupSessionTimeoutMs?: number
  /** Of the stack's own brokers. */
  pids(): number[]
  stop(): Promise<void>
}

export interface LocalKafkaOptions {
  state: string
  flags: Flags
  say(line: string): void
  onChange(): void
  onDeath(how: string, final: boolean): void
}

const RESTART_DELAY_MS = 1_000
/** Long enough for a machine that is busy with all of the stack. */
const LOCAL_SESSION_TIMEOUT_MS = 3_000

/** @throws Refusal */
export async function openKafka(options: LocalKafkaOptions): Promise<DevKafka> {
  const own = process.env['KAFKA_BROKERS']?.trim()
  return own ? useCluster(own.split(',').map((broker) => broker.trim())) : startOwn(options)
}

async function useCluster(brokers: string[]): Promise<DevKafka> {
  const admin = createAdmin({ brokers, clientId: 'edgehub-dev' })
  let size: number
  try {
    await admin.connect()
    size = (await admin.describeCluster()).brokers.length
  } catch (error) {
    throw new Refusal(
      `No Kafka answers at KAFKA_BROKERS=${brokers.join(',')}: ${error instanceof Error ? error.message : String(error)}`,
    )
  } finally {
    await admin.disconnect()
  }
  return { brokers, minInSyncReplicas: size >= 3 ? 2 : 1, pids: () => [], stop: async () => {} }
}

async function startOwn({
  state,
  flags,
  say,
  onChange,
  onDeath,
}: LocalKafkaOptions): Promise<DevKafka> {
  const problems = await checkRequirements({ maven: !(await isKafkaCached()) })
  if (problems.length > 0) throw new Refusal(formatProblems(problems))
  const wanted = Array.from({ length: flags.brokers }, (_, i) => flags.kafkaPort + 10 * i).flatMap(
    (port, i) => [
      { port, flag: '--kafka-port', what: `Kafka broker ${i + 1}` },
      { port: port + 1, flag: '--kafka-port', what: `Kafka controller ${i + 1}` },
    ],
  )
  await checkPorts(wanted)
  const cluster = await startKafka({
    dir: join(state, 'kafka'),
    brokers: flags.brokers,
    basePort: flags.kafkaPort,
    log: say,
  })
  const stop = new AbortController()
  if (!flags.noRestart) {
    for (const node of cluster.nodes) void keepUp(node, cluster, stop.signal, onChange, onDeath)
  }
  return {
    brokers: cluster.brokers,
    minInSyncReplicas: flags.brokers === 3 ? 2 : 1,
    groupSessionTimeoutMs: LOCAL_SESSION_TIMEOUT_MS,
    pids: () => cluster.pids(),
    async stop() {
      stop.abort()
      await cluster.stop()
    },
  }
}

async function keepUp(
  node: KafkaCluster['nodes'][number],
  cluster: KafkaCluster,
  signal: AbortSignal,
  onChange: () => void,
  onDeath: (how: string, final: boolean) => void,
): Promise<void> {
  for (;;) {
    await node.down
    if (signal.aborted) return
    onDeath(`broker ${node.id}`, false)
    onChange()
    await delay(RESTART_DELAY_MS, undefined, { signal }).catch(() => undefined)
    if (signal.aborted) return
    await node.start(cluster.nodes.map(({ id }) => id)).catch(() => undefined)
    onChange()
  }
}
