/**
 * The relay process: settings → clients → one loop a shard → signals. The composition root, and the only file that reads `process`.
 *
 * SIGTERM and SIGINT: every shard ends its transaction, settles, gives back what it holds, and the process exits 0; a shard that hangs is
 * left behind after 9 s, which is as safe as a crash. Exit code 78: the settings or the ledger topic are wrong.
 */
import process from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'
import { Pool } from 'undici'
import { readConfig, redacted, type Config } from './config.ts'
import { Intake } from './intake.ts'
import { toItem } from './item.ts'
import type { KafkaSettings } from './kafka/kafkajs.ts'
import { ensureOwnTopics, UnfitLedger } from './kafka/topics.ts'
import { Remembered } from './ledger/remembered.ts'
import { runShard } from './loop.ts'
import { createObserver } from './observer.ts'
import { startOpsServer } from './ops/http.ts'
import { createLogger, type Logger } from './ops/log.ts'
import { createMetrics, type Metrics } from './ops/metrics.ts'
import { createQueueClient } from './queue/client.ts'
import { Settler } from './settle.ts'
import { takeOver } from './shard-owner.ts'
import { createWorkerClient } from './status/worker-client.ts'

const EXIT_CONFIG = 78
const STOP_DEADLINE_MS = 9_000
const SETUP_RETRY_MS = 1_000
const POOL_CONNECTIONS = 8

await main()

async function main(): Promise<void> {
  const read = readConfig(process.env)
  if (read.status === 'invalid') {
    process.stderr.write(
      `The relay can't start, because of its settings:\n${read.problems.map((p) => `  ${p}\n`).join('')}`,
    )
    process.exitCode = EXIT_CONFIG
    return
  }
  const { config } = read
  const log = createLogger(config.LOG_LEVEL, config.RELAY_ID)
  log.info({ config: redacted(config) }, 'The relay starts')

  const stop = new AbortController()
  let deadline: NodeJS.Timeout | undefined
  const onSignal = (signal: NodeJS.Signals) => {
    if (stop.signal.aborted) return
    log.info({ signal }, 'The relay stops')
    stop.abort()
    // As safe as a crash: what is not finished is decided by the next owner's ledger read.
    deadline = setTimeout(() => {
      log.warn('Some shard did not stop in time; leaving it')
      process.exit(0)
    }, STOP_DEADLINE_MS)
  }
  process.on('SIGTERM', onSignal)
  process.on('SIGINT', onSignal)

  const metrics = createMetrics()
  const shards = Array.from({ length: config.shards }, (_, shard) =>
    createShard(shard, config, log, metrics),
  )
  const ops = await startOpsServer({
    host: config.OPS_HOST,
    port: config.OPS_PORT,
    registry: metrics.registry,
    isReady: () => shards.every((shard) => shard.isReady()),
  })
  log.info({ url: ops.url }, 'The relay serves its health and metrics')

  try {
    await prepareTopics(config, log, stop.signal)
    await Promise.all(shards.map((shard) => shard.run(stop.signal)))
  } catch (error) {
    log.fatal({ err: error }, 'The relay ends')
    process.exitCode = error instanceof UnfitLedger ? EXIT_CONFIG : 1
  }
  stop.abort()
  await Promise.all(shards.map((shard) => shard.close()))
  await ops.close()
  clearTimeout(deadline)
  log.info('The relay is stopped')
}

function createShard(shard: number, config: Config, log: Logger, metrics: Metrics) {
  const queuePool = new Pool(config.QUEUE_API_URL, { connections: POOL_CONNECTIONS })
  const workerPool = new Pool(config.WORKER_URL, { connections: POOL_CONNECTIONS })
  const worker = createWorkerClient({ pool: workerPool, token: config.RELAY_TOKEN })
  const queue = createQueueClient({
    pool: queuePool,
    accountId: config.ACCOUNT_ID,
    queueId: config.QUEUE_IDS[shard] ?? '',
    token: config.QUEUE_API_TOKEN,
    leaseMs: config.LEASE_MS,
  })
  const remembered = new Remembered()
  const observe = createObserver({
    shard,
    log,
    metrics,
    clock: () => performance.now(),
    remembered: () => remembered.size,
  })
  const clock = { now: Date.now, random: Math.random, sleep }
  const intake = new Intake(
    {
      ...clock,
      pull: () => queue.pull(),
      prepare: (lease) => toItem(lease, { shard, shards: config.shards, worker }),
      onPulled: (leases) => observe.pulled(leases, Date.now()),
      onPullFailed: (error) => observe.pullFailed(error),
    },
    {
      maxReports: config.MAX_TRANSACTION_REPORTS,
      maxBytes: config.MAX_TRANSACTION_BYTES,
      maxPulls: config.MAX_PULLS,
    },
  )
  const settler = new Settler({
    queue,
    worker,
    onSettled: observe.settled,
    onNotTaken: observe.notTaken,
    onAckFailed: observe.ackFailed,
    onCleanUpFailed: observe.cleanUpFailed,
  })
  const takeOverShard = () =>
    takeOver({
      kafka: kafkaSettings(config),
      instance: config.INSTANCE_ID,
      shard,
      relay: config.RELAY_ID,
      remembered,
      transactionTimeoutMs: config.TRANSACTION_TIMEOUT_MS,
      minInSyncReplicas: config.MIN_IN_SYNC_REPLICAS,
      onStep: observe.step,
      now: Date.now,
    })
  return {
    isReady: () => observe.isReady(),
    run: (signal: AbortSignal) =>
      runShard(
        { ...clock, takeOver: takeOverShard, remembered, intake, settler, queue, observe },
        signal,
      ),
    close: async () => {
      await Promise.all([queuePool.close(), workerPool.close()])
    },
  }
}

/** Waits for Kafka as long as it takes: a relay may well be started before its cluster. */
async function prepareTopics(config: Config, log: Logger, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      await ensureOwnTopics(kafkaSettings(config), config.INSTANCE_ID, config.shards)
      return
    } catch (error) {
      if (error instanceof UnfitLedger) throw error
      log.warn({ err: error }, "Edgehub's own topics could not be checked; trying again")
      await sleep(SETUP_RETRY_MS, signal)
    }
  }
}

function kafkaSettings(config: Config): KafkaSettings {
  const {
    KAFKA_SASL_MECHANISM: mechanism,
    KAFKA_SASL_USERNAME: username = '',
    KAFKA_SASL_PASSWORD: password = '',
  } = config
  return {
    brokers: config.KAFKA_BROKERS,
    clientId: `edgehub-${config.RELAY_ID}`,
    ...(config.KAFKA_TLS
      ? { ssl: config.KAFKA_TLS_CA === undefined ? true : { ca: [config.KAFKA_TLS_CA] } }
      : {}),
    ...(mechanism === undefined
      ? {}
      : { sasl: { mechanism, username, password } as NonNullable<KafkaSettings['sasl']> }),
  }
}

async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => undefined)
}
