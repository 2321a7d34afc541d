/**
 * One shard with all its parts put together: what is remembered, the intake, the settler, the loop. What differs between a process, a
 * test and a model comes in as `ports`; nothing else does.
 */
import type { InstanceId, ShardCount } from '#contract'
import { Breakers } from './breakers.ts'
import type { decide, HandBack } from './disposition.ts'
import type { Reach } from './failpoints.ts'
import { Intake, type IntakeSource } from './intake.ts'
import type { SourceName } from './item.ts'
import type { LanePort, TopicPartition } from './kafka/lane.ts'
import type { BootBegin } from './ledger/boot.ts'
import { Remembered } from './ledger/remembered.ts'
import { createShardRun, type ShardObserver } from './loop.ts'
import { prepare } from './prepare.ts'
import type { Lease, QueueClient } from './queue/client.ts'
import { createShardQueue } from './queue/shard-queue.ts'
import { Settler } from './settle.ts'
import { takeOver } from './shard-owner.ts'
import type { WorkerClient } from './status/worker-client.ts'
import type { WorkerWatch } from './status/worker-watch.ts'

export interface ShardSettings {
  instance: InstanceId
  shard: number
  shards: ShardCount
  groupId: string
  relay: string
  leaseMs: number
  transactionTimeoutMs: number
  maxTransactionReports: number
  maxTransactionBytes: number
  maxPulls: number
  /** Ids kept in memory beyond need. */
  keptIds: number
  /** Nothing is pulled while more outcomes than this are not taken. */
  maxUnsettled: number
}

export interface ShardPorts {
  /** INIT of this shard's transactional id. @throws Doubt */
  openLane(): Promise<LanePort>
  queues: Readonly<Record<SourceName, QueueClient>>
  worker: WorkerClient
  workerWatch: Pick<WorkerWatch, 'isAway' | 'onChange'>
  confirm(signal: AbortSignal): Promise<boolean>
  /** Unix ms. */
  now(): number
  /** Monotonic ms. */
  clock(): number
  random(): number
  sleep(ms: number, signal: AbortSignal): Promise<void>
  reach: Reach
  observe: ShardEvents
}

/** Everything that a shard tells. */
export interface ShardEvents extends ShardObserver {
  began(begin: BootBegin): void
  unchecked(partitions: readonly TopicPartition[]): void
  pulled(leases: readonly Lease[], source: SourceName, now: number): void
  pullFailed(error: unknown, source: SourceName): void
  lookedUp(absent: number, found: number, seconds: number): void
  lookUpFailed(ids: number, error: unknown): void
  fetchFailed(error: unknown): void
  settled(taken: number, leases: number, seconds: number): void
  notTaken(ids: readonly string[], cause: unknown): void
  handedBack(handedBack: readonly HandBack[]): void
  ackFailed(error: unknown): void
  cleanUpFailed(object: string, error: unknown): void
  /** What is remembered, and how many topics and partitions are behind a breaker. */
  memory(remembered: { size: number; untaken: number }, breakersOpen: number): void
}

/** Parts that a test may replace, to show what the right ones are for. */
export interface ShardParts {
  remembered: Remembered
  prepare: typeof prepare
  decide: typeof decide
}

export interface Shard {
  /** Resolves when the signal has aborted and all is ended. @throws what no trying again can mend */
  run(signal: AbortSignal): Promise<void>
  /** The ledger offset below which everything is settled; undefined before the first boot. */
  settledLow(): bigint | undefined
  /** Somebody waits for what is in the queue: it is pulled at once, if it is only a matter of pace. */
  wake(): void
}

/** Between two pulls that bring nothing. The dead-letter queue is nearly always empty, and never urgent. */
const QUEUE_IDLE = { firstMs: 20, maxMs: 1_000 }
const DEAD_LETTER_QUEUE_IDLE = { firstMs: 1_000, maxMs: 30_000 }

export function createShard(
  settings: ShardSettings,
  ports: ShardPorts,
  parts: Partial<ShardParts> = {},
): Shard {
  const { instance, shard, shards, groupId, relay, leaseMs, maxUnsettled } = settings
  const { queues, worker, workerWatch, clock, random, sleep, now, reach, observe } = ports
  const remembered = parts.remembered ?? new Remembered({ keep: settings.keptIds, clock })
  const prepareLeases = parts.prepare ?? prepare
  const breakers = new Breakers(clock)
  const queue = createShardQueue(queues)

  const sources: IntakeSource[] = [
    { name: 'queue', pull: (limit) => queues.queue.pull(limit), idle: QUEUE_IDLE },
    {
      name: 'dead_letter_queue',
      pull: (limit) => queues.dead_letter_queue.pull(limit),
      idle: DEAD_LETTER_QUEUE_IDLE,
    },
  ]
  const intake: Intake = new Intake(
    {
      sources,
      prepare: (leases, emit) =>
        prepareLeases(
          leases,
          {
            shard,
            shards,
            worker,
            remembered,
            room: (bytes) => intake.room(bytes),
            stopping: intake.stopping,
            clock,
            onLookedUp: observe.lookedUp,
            onLookUpFailed: observe.lookUpFailed,
            onFetchFailed: observe.fetchFailed,
          },
          emit,
        ),
      ledgerEnd: () => remembered.next,
      clock,
      random,
      sleep,
      async onPulled(leases, source) {
        observe.pulled(leases, source, now())
        if (leases.length > 0) await reach('pulled')
      },
      onPullFailed: observe.pullFailed,
    },
    {
      maxReports: settings.maxTransactionReports,
      maxBytes: settings.maxTransactionBytes,
      maxPulls: settings.maxPulls,
      leaseMs,
    },
  )
  const settler = new Settler({
    queue,
    worker,
    remembered,
    onTaken,
    onSettled: observe.settled,
    onNotTaken: observe.notTaken,
    onHandedBack: observe.handedBack,
    onAckFailed: observe.ackFailed,
    onCleanUpFailed: observe.cleanUpFailed,
    clock,
    random,
    sleep,
    reach,
  })
  const { run, forget } = createShardRun({
    takeOver: () =>
      takeOver({
        openLane: ports.openLane,
        instance,
        shard,
        groupId,
        relay,
        remembered,
        breakers,
        now,
        reach,
        onBegin: observe.began,
        onUnchecked: observe.unchecked,
      }),
    confirm: ports.confirm,
    decide: parts.decide,
    remembered,
    intake,
    settler,
    queue,
    now,
    clock,
    random,
    sleep,
    reach,
    leaseMs,
    leaseMarginMs: Math.min(leaseMs / 4, settings.transactionTimeoutMs),
    observe: {
      ...observe,
      committed(delivered) {
        observe.committed(delivered)
        watchMemory()
      },
      booted() {
        observe.booted()
        watchMemory()
      },
    },
  })

  function onTaken(): void {
    forget()
    watchMemory()
  }

  function watchMemory(): void {
    if (remembered.untaken > maxUnsettled) intake.hold('unsettled')
    else intake.release('unsettled')
    observe.memory({ size: remembered.size, untaken: remembered.untaken }, breakers.open)
  }

  function watchWorkerState(): void {
    if (workerWatch.isAway) intake.hold('worker_away')
    else intake.release('worker_away')
  }

  return {
    async run(signal) {
      const forgetWorker = workerWatch.onChange(watchWorkerState)
      watchWorkerState()
      try {
        await run(signal)
      } finally {
        forgetWorker()
      }
    },
    settledLow: () => (remembered.next === undefined ? undefined : remembered.settledLow),
    wake: () => intake.wake(),
  }
}
