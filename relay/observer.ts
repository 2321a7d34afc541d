/** Turns what a shard reports into log lines and metrics. The only place that knows both. */
import { QUEUE_RETENTION_MS } from '#contract'
import type { Delivered } from './deliver.ts'
import type { HandBack } from './disposition.ts'
import type { Point } from './failpoints.ts'
import type { SourceName } from './item.ts'
import type { Logger } from './ops/log.ts'
import type { Metrics } from './ops/metrics.ts'
import type { ShardEvents } from './shard.ts'
import type { WorkerWatchDeps } from './status/worker-watch.ts'

export interface Observer extends ShardEvents {
  /** A moment on an envelope's way. */
  point(point: Point): void
  isReady(): boolean
}

export interface ObserverOptions {
  shard: number
  log: Logger
  metrics: Metrics
  /** Monotonic, ms. */
  clock(): number
}

export function createObserver({
  shard: index,
  log: parent,
  metrics,
  clock,
}: ObserverOptions): Observer {
  const log = parent.child({ shard: index })
  const shard = String(index)
  const labels = { shard }
  let ready = false
  let transaction = 0
  let began = 0
  let bootBegan = clock()
  const alarmed = { queue: false, dead_letter_queue: false }
  // A shard that had no trouble yet shows zeros, not gaps.
  for (const metric of [
    metrics.doubts,
    metrics.boots,
    metrics.bootFailures,
    metrics.fenced,
    metrics.delivered,
    metrics.settled,
    metrics.notTaken,
    metrics.known,
    metrics.ackFailures,
    metrics.handBackFailures,
    metrics.ledgerGaps,
  ]) {
    metric.inc(labels, 0)
  }
  for (const source of ['queue', 'dead_letter_queue']) {
    metrics.pulled.inc({ shard, source }, 0)
    metrics.pullFailures.inc({ shard, source }, 0)
  }
  const breaker = (target: 'kafka' | SourceName, open: boolean) =>
    metrics.breakerOpen.set({ shard, target }, open ? 1 : 0)
  for (const target of TARGETS) breaker(target, false)

  return {
    isReady: () => ready,
    point: (point) => log.debug({ transaction, point }, 'A point is passed'),

    pulled(leases, source, now) {
      metrics.pulled.inc({ shard, source }, leases.length)
      breaker(source, false)
      const oldest = leases.reduce((min, lease) => Math.min(min, lease.queued), now)
      const age = Math.max(now - oldest, 0)
      if (source === 'queue') metrics.lag.set(labels, age / 1000)
      if (leases.length > 0) log.debug({ messages: leases.length, source }, 'Messages pulled')
      if (source === 'dead_letter_queue' && leases.length > 0) {
        log.warn({ messages: leases.length }, 'Messages are in the dead-letter queue of the queue')
      }
      const tooOld = age > QUEUE_RETENTION_MS / 2
      if (tooOld && !alarmed[source]) {
        log.error({ ageMs: age, source }, 'Messages are older than half of what the queue keeps')
      }
      alarmed[source] = tooOld
    },
    pullFailed(error, source) {
      metrics.pullFailures.inc({ shard, source })
      breaker(source, true)
      log.warn({ err: error, source }, 'A pull failed')
    },
    lookedUp(absent, found, seconds) {
      metrics.lookUpSeconds.observe(labels, seconds)
      metrics.lookUps.inc({ shard, answer: 'absent' }, absent)
      metrics.lookUps.inc({ shard, answer: 'found' }, found)
    },
    lookUpFailed(ids, error) {
      metrics.lookUps.inc({ shard, answer: 'none' }, ids)
      log.warn(
        { err: error, envelopes: ids },
        'The status store did not say what it has; they wait',
      )
    },
    fetchFailed(error) {
      log.warn({ err: error }, 'The records of an envelope could not be fetched; it waits')
    },

    began({ from, why, alarm }) {
      const where = { from: String(from), why }
      if (!alarm) return log.info(where, 'The ledger is read from here')
      metrics.ledgerGaps.inc(labels)
      log.error(where, 'The ledger does not reach back to where it was settled; all of it is read')
    },
    unchecked(partitions) {
      const topics = [...new Set(partitions.map(({ topic }) => topic))]
      log.warn(
        { topics },
        'Whether a transaction was left open there can not be asked; it needs the right to read these topics',
      )
    },
    booted() {
      ready = true
      metrics.boots.inc(labels)
      metrics.bootSeconds.observe(labels, (clock() - bootBegan) / 1000)
      breaker('kafka', false)
      log.info('The shard is taken over and its ledger is read')
    },
    bootFailed(error) {
      ready = false
      metrics.bootFailures.inc(labels)
      breaker('kafka', true)
      log.warn({ err: error }, 'The shard could not be taken over')
    },
    doubt(error) {
      ready = false
      bootBegan = clock()
      metrics.doubts.inc(labels)
      log.warn({ err: error, transaction }, 'A transaction is in doubt; the ledger will tell')
    },
    fenced(waitMs) {
      ready = false
      metrics.fenced.inc(labels)
      log.warn({ waitMs }, 'Another owner has fenced this one; it waits for the group')
    },

    sending(envelopes) {
      transaction++
      began = clock()
      log.debug({ transaction, envelopes }, 'A transaction begins')
    },
    committed(delivered) {
      const { reports, reasons } = count(delivered)
      metrics.transactionSeconds.observe(labels, (clock() - began) / 1000)
      metrics.transactionReports.observe(labels, reports)
      metrics.delivered.inc(labels, reports)
      for (const [reason, n] of reasons) {
        metrics.failed.inc({ shard, reason }, n)
        log.warn({ transaction, reason, reports: n }, 'Reports went to the dead letters')
      }
      for (const [place, reason] of new Map(delivered.blocked.map((b) => [b.place, b.reason]))) {
        const level = reason === 'hanging_transaction' ? 'error' : 'warn'
        log[level]({ place, reason }, 'Envelopes wait for a topic that takes nothing now')
      }
      log.debug(
        { transaction, reports, envelopes: delivered.outcomes.length },
        'The transaction is committed',
      )
    },
    memory({ size, untaken }, breakersOpen) {
      metrics.remembered.set(labels, size)
      metrics.unsettled.set(labels, untaken)
      metrics.topicBreakersOpen.set(labels, breakersOpen)
    },
    known(messages) {
      metrics.known.inc(labels, messages)
    },
    handedBack(all) {
      for (const [reason, of] of Map.groupBy(all, (h) => h.reason)) {
        metrics.handedBack.inc({ shard, reason }, of.length)
        const level = ALARMING.has(reason) ? 'error' : 'info'
        log[level]({ messages: of.length, reason }, 'Messages were handed back to the queue')
      }
    },
    handBackFailed(error) {
      metrics.handBackFailures.inc(labels)
      log.warn(
        { err: error },
        'Messages could not be handed back; they come again when their leases run out',
      )
    },
    settled(taken, leases, seconds) {
      metrics.settled.inc(labels, taken)
      metrics.settleSeconds.observe(labels, seconds)
      log.debug({ envelopes: taken, leases }, 'Leases were acked')
    },
    notTaken(ids, cause) {
      metrics.notTaken.inc(labels, ids.length)
      log.warn(
        { err: cause, envelopes: ids.length },
        'The status store did not take some outcomes; they are posted again',
      )
    },
    ackFailed(error) {
      metrics.ackFailures.inc(labels)
      log.warn({ err: error }, 'Leases could not be acked; the messages come again and are known')
    },
    cleanUpFailed(object, error) {
      log.warn(
        { err: error, object },
        'The object of a settled envelope could not be deleted; it expires by itself',
      )
    },
    stopped() {
      ready = false
      for (const gauge of [
        metrics.lag,
        metrics.remembered,
        metrics.unsettled,
        metrics.topicBreakersOpen,
      ]) {
        gauge.remove(labels)
      }
      for (const target of TARGETS) metrics.breakerOpen.remove({ shard, target })
      log.info('The shard is stopped')
    },
  }
}

/** The worker is one for all shards of the process. */
export function createWorkerObserver(
  log: Logger,
  metrics: Metrics,
): Pick<WorkerWatchDeps, 'onAway' | 'onBack'> {
  const setAway = (away: boolean) =>
    metrics.breakerOpen.set({ shard: 'all', target: 'worker' }, away ? 1 : 0)
  setAway(false)
  return {
    onAway(error) {
      setAway(true)
      log.error({ err: error }, 'The worker does not answer; nothing is pulled until it does')
    },
    onBack() {
      setAway(false)
      log.info('The worker answers again')
    },
  }
}

const TARGETS = ['kafka', 'queue', 'dead_letter_queue'] as const

/** Somebody has to do something: deploy a newer relay, or mend a configuration. */
const ALARMING = new Set<HandBack['reason']>(['unknown_version', 'other_shard'])

function count({ outcomes, raw }: Delivered): { reports: number; reasons: Map<string, number> } {
  let reports = 0
  const reasons = new Map<string, number>()
  for (const { reason } of raw) reasons.set(reason, (reasons.get(reason) ?? 0) + 1)
  for (const [, { runs }] of outcomes) {
    for (const run of runs) {
      if (run.length === 3) reports += run[0]
      else reasons.set(run[1], (reasons.get(run[1]) ?? 0) + run[0])
    }
  }
  return { reports, reasons }
}
