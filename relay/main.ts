/**
 * The relay process: settings → clients → its place in the group → one loop for each shard that it owns → signals. Beside it the link
 * over which the worker asks. The composition root, and the only file that reads `process`.
 *
 * SIGTERM and SIGINT: the link is closed; every shard ends its transaction, settles, hands back what it holds; how far they are settled
 * is committed, the group is left, and the process exits 0. What hangs is left behind after 9 s, which is as safe as a crash. Exit code
 * 78: the settings or the ledger topic are wrong.
 */
import { readFileSync } from 'node:fs'
import process from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'
import { Pool } from 'undici'
import { ledgerTopic } from '#contract'
import { transactionalId } from '#contract'
import { readConfig, redacted, type Config } from './config.ts'
import { Failpoints, parseFailpoint, type Reach } from './failpoints.ts'
import { Fleet } from './fleet.ts'
import { explain } from './kafka/explain.ts'
import { Lane } from './kafka/lane.ts'
import { kafkaSettingsOf } from './kafka/settings.ts'
import { ensureOwnTopics, UnfitTopic } from './kafka/topics.ts'
import { LedgerMadeAnew } from './ledger/boot.ts'
import { linkFromConfig } from './link/from-config.ts'
import { createObserver, createWorkerObserver, type Observer } from './observer.ts'
import { startOpsServer } from './ops/http.ts'
import { createLogger, type Logger } from './ops/log.ts'
import { createMetrics, type Metrics } from './ops/metrics.ts'
import { relayGroup } from './ownership/group-id.ts'
import { createOwnership, type Ownership } from './ownership/group.ts'
import { createQueueClient } from './queue/client.ts'
import { createShard, type Shard } from './shard.ts'
import { createWorkerClient } from './status/worker-client.ts'
import { watchWorker } from './status/worker-watch.ts'

const EXIT_CONFIG = 78
const STOP_DEADLINE_MS = 9_000
const SETUP_RETRY_MS = 1_000
const COMMIT_EVERY_MS = 10_000
/** For each shard that there is, because one process may own them all. */
const CONNECTIONS_PER_SHARD = 6

await main()

async function main(): Promise<void> {
  const allowFailpoints = process.argv.includes('--failpoints')
  const read = readConfig(process.env, (path) => readFileSync(path, 'utf8'), allowFailpoints)
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
  for (const warning of read.warnings) log.warn(warning)

  const stop = new AbortController()
  let deadline: NodeJS.Timeout | undefined
  const end = (data: object, why: string) => {
    if (stop.signal.aborted) return
    log.info(data, why)
    stop.abort()
    // As safe as a crash: what is not finished is decided by the next owner's ledger read.
    deadline = setTimeout(() => {
      log.warn('Something did not stop in time; leaving it')
      process.exit(process.exitCode ?? 0)
    }, STOP_DEADLINE_MS)
  }
  process.on('SIGTERM', (signal) => end({ signal }, 'The relay stops'))
  process.on('SIGINT', (signal) => end({ signal }, 'The relay stops'))
  const fail = (error: unknown) => {
    log.fatal({ err: error }, 'The relay ends')
    const isSetup = error instanceof UnfitTopic || error instanceof LedgerMadeAnew
    process.exitCode = isSetup ? EXIT_CONFIG : 1
    end({}, 'The relay stops')
  }

  const metrics = createMetrics()
  const relay = createRelay(config, log, metrics, fail)
  const ops = await startOpsServer({
    host: config.OPS_HOST,
    port: config.OPS_PORT,
    registry: metrics.registry,
    notReady: relay.notReady,
    ...(allowFailpoints ? { arm: relay.armFailpoint } : {}),
  })
  if (allowFailpoints) log.warn('Failpoints can be armed: this relay may fail on purpose')
  log.info({ url: ops.url }, 'The relay serves its health and metrics')

  // It serves the worker also while Kafka is away, and is the first to end.
  const linking = relay.link.run(stop.signal).catch(fail)
  try {
    await prepareTopics(config, log, stop.signal)
    if (!stop.signal.aborted) await relay.run(stop.signal)
  } catch (error) {
    fail(error)
  }
  await linking
  await relay.close()
  await ops.close()
  clearTimeout(deadline)
  log.info('The relay is stopped')
}

/** Everything that lives as long as the process. */
function createRelay(
  config: Config,
  log: Logger,
  metrics: Metrics,
  onFatal: (error: unknown) => void,
) {
  const connections = CONNECTIONS_PER_SHARD * config.shards
  const queuePool = new Pool(config.QUEUE_API_URL, { connections })
  const workerPool = new Pool(config.WORKER_URL, { connections })
  const random = Math.random
  const worker = watchWorker(createWorkerClient({ pool: workerPool, token: config.RELAY_TOKEN }), {
    random,
    sleep,
    ...createWorkerObserver(log, metrics),
  })
  const failpoints = new Failpoints(
    {
      signal: (name) => process.kill(process.pid, name),
      onReached: (failpoint) => log.warn(failpoint, 'A failpoint is reached'),
    },
    config.FAILPOINT,
  )

  const observers = new Map<number, Observer>()
  const fleet: Fleet = new Fleet({
    ownership: { commit: (offsets) => ownership.commit(offsets) },
    createShard(index) {
      const observe = createObserver({ shard: index, log, metrics, clock: () => performance.now() })
      observers.set(index, observe)
      return shardOf(index, observe)
    },
    onOwned: (shards) => metrics.owned.set(shards),
    onFatal,
  })
  const ownership: Ownership = createOwnership({
    kafka: kafkaSettingsOf(config),
    instance: config.INSTANCE_ID,
    topic: ledgerTopic(config.INSTANCE_ID),
    sessionTimeoutMs: config.GROUP_SESSION_TIMEOUT_MS,
    onGranted: (shard) => fleet.grant(shard),
    onRevoked: (shard) => fleet.revoke(shard),
    observe: {
      joined: (shards) => log.info({ shards }, 'The group says which shards are ours'),
      rebalancing: () => metrics.rebalances.inc(),
      crashed(error) {
        metrics.groupCrashes.inc()
        log.warn({ err: explain(error) }, 'The place in the group is lost; joining anew')
      },
      commitFailed: (error) =>
        log.warn({ err: error }, 'How far the shards are settled could not be committed'),
      left: (clean) => log.info({ clean }, 'The group is left'),
    },
    random,
    sleep,
  })

  const link = linkFromConfig(config, {
    log,
    metrics,
    onWake: (shards) => fleet.wake(shards),
    clock: () => performance.now(),
    random,
    sleep,
  })

  function shardOf(index: number, observe: Observer): Shard {
    const reach: Reach = (point) => {
      observe.point(point)
      return failpoints.reach(point)
    }
    const { INSTANCE_ID: instance, LEASE_MS: leaseMs } = config
    const queueOf = (ids: readonly string[]) =>
      createQueueClient({
        pool: queuePool,
        accountId: config.ACCOUNT_ID,
        queueId: ids[index] ?? '',
        token: config.QUEUE_API_TOKEN,
        leaseMs,
      })
    return createShard(
      {
        instance,
        shard: index,
        shards: config.shards,
        groupId: relayGroup(instance),
        relay: config.RELAY_ID,
        leaseMs,
        transactionTimeoutMs: config.TRANSACTION_TIMEOUT_MS,
        maxTransactionReports: config.MAX_TRANSACTION_REPORTS,
        maxTransactionBytes: config.MAX_TRANSACTION_BYTES,
        maxPulls: config.MAX_PULLS,
        keptIds: Math.floor(config.KEPT_IDS / config.shards),
        maxUnsettled: config.MAX_UNSETTLED,
      },
      {
        openLane: () =>
          Lane.open({
            kafka: kafkaSettingsOf(config),
            transactionalId: transactionalId(instance, index),
            ledgerTopic: ledgerTopic(instance),
            transactionTimeoutMs: config.TRANSACTION_TIMEOUT_MS,
            minInSyncReplicas: config.MIN_IN_SYNC_REPLICAS,
            reach,
          }),
        queues: {
          queue: queueOf(config.QUEUE_IDS),
          dead_letter_queue: queueOf(config.DEAD_LETTER_QUEUE_IDS),
        },
        worker,
        workerWatch: worker.watch,
        confirm: (signal) => ownership.confirm(index, signal),
        now: Date.now,
        clock: () => performance.now(),
        random,
        sleep,
        reach,
        observe,
      },
    )
  }

  return {
    link,
    /** What is not ready, in words; undefined when all of it is. A relay that waits with no shard is ready. */
    notReady(): string | undefined {
      if (!ownership.isMember()) return 'not a member of the group of relays'
      const unbooted = [...fleet.owned].filter((shard) => !observers.get(shard)?.isReady())
      return unbooted.length > 0 ? `not booted: shards ${unbooted.join(', ')}` : undefined
    },
    /** False for what is no failpoint. */
    armFailpoint(text: string): boolean {
      const failpoint = parseFailpoint(text)
      if (failpoint) failpoints.arm(failpoint)
      return failpoint !== undefined
    },
    async run(signal: AbortSignal): Promise<void> {
      const member = ownership.start()
      while (!signal.aborted) {
        await sleep(COMMIT_EVERY_MS, signal)
        await fleet.commit()
      }
      await fleet.stop()
      await fleet.commit()
      await ownership.stop()
      await member
    },
    async close(): Promise<void> {
      await worker.watch.stop()
      await Promise.all([queuePool.close(), workerPool.close()])
    },
  }
}

/** Waits for Kafka as long as it takes: a relay may well be started before its cluster. */
async function prepareTopics(config: Config, log: Logger, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      await ensureOwnTopics(kafkaSettingsOf(config), config.INSTANCE_ID, config.shards)
      return
    } catch (error) {
      if (error instanceof UnfitTopic) throw error
      log.warn({ err: error }, "Edgehub's own topics could not be checked; trying again")
      await sleep(SETUP_RETRY_MS, signal)
    }
  }
}

async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => undefined)
}
