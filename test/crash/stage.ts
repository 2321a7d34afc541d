// What a campaign plays on: three brokers, a stack of two relays that share two shards and can be made to fail, topics of its own, a
// steady load, and the audit of all of it. Leaves no process and no folder behind, unless it is told to keep the folder as evidence.
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { DevJson } from '../../dev/dev-json.ts'
import { startKafka, type KafkaCluster } from '../../dev/kafka/cluster.ts'
import { makeDatahub, makeTopic } from '../support/datahubs.ts'
import { startStack, type TestStack } from '../support/stack.ts'
import { Audit } from './audit.ts'
import { Load, type LoadDatahub } from './load.ts'
import type { Random } from './random.ts'
import { RelayWatch } from './relay-watch.ts'

export const RELAYS = 2
export const SHARDS = [0, 1] as const
export const LEASE_MS = 3_000
const SESSION_TIMEOUT_MS = 2_000

const ENVIRONMENT = {
  LEASE_MS: String(LEASE_MS),
  TRANSACTION_TIMEOUT_MS: '2000',
  GROUP_SESSION_TIMEOUT_MS: String(SESSION_TIMEOUT_MS),
  // What is settled is forgotten at once, so that every repeat has to be looked up.
  KEPT_IDS: '0',
  // Small transactions: more of them, and more often several messages wait while one is under way.
  MAX_TRANSACTION_REPORTS: '100',
  LOG_LEVEL: 'debug',
}
// The second is compacted and so refuses what has no key: there are dead letters. Nothing is compacted away before the end.
const COMPACTED = { 'cleanup.policy': 'compact', 'min.compaction.lag.ms': '86400000' }
const TOPICS = [
  { partitions: 3, needsKey: false },
  { partitions: 2, needsKey: true },
]

export interface Stage {
  dev: DevJson
  stack: TestStack
  // Its own brokers; undefined on a shared cluster.
  cluster: KafkaCluster | undefined
  brokers: readonly string[]
  datahubs: readonly LoadDatahub[]
  topics: readonly string[]
  // Holds the logs of all processes.
  folder: string
  relays: RelayWatch
  load: Load
  audit: Audit
  // `keep`: leave the folder where it is.
  close(keep?: boolean): Promise<void>
}

export interface StageOptions {
  random: Random
  // A cluster of three that is up; without it, brokers of its own are started.
  brokers?: readonly string[]
  posters?: number
  log?: (line: string) => void
}

export async function openStage({ random, brokers, posters, log }: StageOptions): Promise<Stage> {
  const folder = await mkdtemp(join(tmpdir(), 'edgehub-crash-'))
  const closing: (() => Promise<void> | void)[] = []
  const close = async (keep = false): Promise<void> => {
    try {
      for (const end of closing.splice(0).reverse()) await end()
    } finally {
      if (!keep) await rm(folder, { recursive: true, force: true })
    }
  }
  try {
    const cluster = brokers ? undefined : await startOwn(folder, log)
    if (cluster) closing.push(() => cluster.kill())
    const bootstrap = brokers ?? cluster?.brokers ?? []
    const stack = await startStack({
      brokers: bootstrap,
      state: join(folder, 'state'),
      args: ['--relays', `${RELAYS}`, '--shards', `${SHARDS.length}`, '--failpoints'],
      env: ENVIRONMENT,
    })
    closing.push(() => stack.stop().then(() => undefined))
    const { dev, state } = stack
    const datahubs = await createDatahubs(dev, bootstrap)
    const topics = datahubs.map(({ topic }) => topic)
    const relays = await RelayWatch.open(state, RELAYS)
    closing.push(() => relays.close())
    const audit = await Audit.begin(dev, topics)
    const load = new Load({
      dev,
      datahubs,
      random: random.fork('load'),
      ...(posters === undefined ? {} : { posters }),
    })
    closing.push(() => load.end())
    return {
      dev,
      stack,
      cluster,
      brokers: bootstrap,
      datahubs,
      topics,
      folder,
      relays,
      load,
      audit,
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

function startOwn(folder: string, log?: (line: string) => void): Promise<KafkaCluster> {
  return startKafka({
    dir: join(folder, 'kafka'),
    brokers: 3,
    quickFailover: true,
    ...(log ? { log } : {}),
  })
}

async function createDatahubs(dev: DevJson, brokers: readonly string[]): Promise<LoadDatahub[]> {
  // Of a cluster that others use as well.
  const topics = TOPICS.map((of) => ({ ...of, topic: `crash-${randomBytes(4).toString('hex')}` }))
  for (const { topic, partitions, needsKey } of topics) {
    await makeTopic(brokers, { topic, partitions, config: needsKey ? COMPACTED : {} })
  }
  return Promise.all(
    topics.map(async ({ topic, needsKey }) => {
      const { datahubId } = await makeDatahub(dev, topic)
      return { datahubId, topic, needsKey }
    }),
  )
}
