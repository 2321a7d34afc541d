/** Turns what a shard's loop, intake and settler report into log lines and metrics. The only place that knows both. */
import type { EnvelopeId } from '#contract'
import type { Delivered } from './deliver.ts'
import type { LaneStep } from './kafka/lane.ts'
import type { ShardObserver } from './loop.ts'
import type { Logger } from './ops/log.ts'
import type { Metrics } from './ops/metrics.ts'
import type { Lease } from './queue/client.ts'

export interface Observer extends ShardObserver {
  pulled(leases: readonly Lease[], now: number): void
  pullFailed(error: unknown): void
  step(step: LaneStep): void
  settled(taken: ReadonlySet<EnvelopeId>, leases: number): void
  notTaken(ids: readonly EnvelopeId[], cause: unknown): void
  ackFailed(error: unknown): void
  cleanUpFailed(object: string, error: unknown): void
  isReady(): boolean
}

export interface ObserverOptions {
  shard: number
  log: Logger
  metrics: Metrics
  /** Monotonic, ms. */
  clock(): number
  remembered(): number
}

export function createObserver({
  shard: index,
  log: parent,
  metrics,
  clock,
  remembered,
}: ObserverOptions): Observer {
  const log = parent.child({ shard: index })
  const shard = String(index)
  const labels = { shard }
  let ready = false
  let transaction = 0
  let began = 0
  // A shard that had no trouble yet shows zeros, not gaps.
  for (const metric of [
    metrics.doubts,
    metrics.boots,
    metrics.delivered,
    metrics.pulled,
    metrics.settled,
  ]) {
    metric.inc(labels, 0)
  }

  return {
    isReady: () => ready,
    pulled(leases, now) {
      metrics.pulled.inc(labels, leases.length)
      const oldest = leases.reduce((min, lease) => Math.min(min, lease.queued), now)
      metrics.oldest.set(labels, Math.max(now - oldest, 0) / 1000)
      if (leases.length > 0) log.debug({ messages: leases.length }, 'Messages pulled')
    },
    pullFailed(error) {
      metrics.pullFailures.inc(labels)
      log.warn({ err: error }, 'A pull failed')
    },
    booted(found) {
      ready = true
      metrics.boots.inc(labels)
      metrics.remembered.set(labels, remembered())
      log.info(
        { found, remembered: remembered() },
        'The shard is taken over and its ledger is read',
      )
    },
    bootFailed(error) {
      ready = false
      metrics.bootFailures.inc(labels)
      log.warn({ err: error }, 'The shard could not be taken over')
    },
    doubt(error) {
      ready = false
      metrics.doubts.inc(labels)
      log.warn({ err: error, transaction }, 'A transaction is in doubt; the ledger will tell')
    },
    sending(envelopes) {
      transaction++
      began = clock()
      log.debug({ transaction, envelopes }, 'A transaction begins')
    },
    step(step) {
      log.debug({ transaction, step }, 'A step of the transaction is done')
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
      metrics.remembered.set(labels, remembered())
      for (const { topic, reason } of delivered.blocked) {
        log.warn({ topic, reason }, 'An envelope waits for its topic')
      }
      log.debug(
        { transaction, reports, envelopes: delivered.outcomes.length },
        'The transaction is committed',
      )
    },
    known(messages) {
      metrics.known.inc(labels, messages)
    },
    gaveBack(items, reason) {
      metrics.givenBack.inc({ shard, reason }, items.length)
      log.info({ messages: items.length, reason }, 'Messages were given back to the queue')
    },
    giveBackFailed(error) {
      log.warn(
        { err: error },
        'Messages could not be given back; they come again when their leases run out',
      )
    },
    settled(taken, leases) {
      metrics.settled.inc(labels, taken.size)
      log.debug({ envelopes: taken.size, leases }, 'Leases were acked')
    },
    notTaken(ids, cause) {
      metrics.notTaken.inc(labels, ids.length)
      log.warn(
        { err: cause, envelopes: ids.length },
        'The status store did not take some outcomes; they come again',
      )
    },
    ackFailed(error) {
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
      log.info('The shard is stopped')
    },
  }
}

function count({ outcomes }: Delivered): { reports: number; reasons: Map<string, number> } {
  let reports = 0
  const reasons = new Map<string, number>()
  for (const [, { runs }] of outcomes) {
    for (const run of runs) {
      if (run.length === 3) reports += run[0]
      else reasons.set(run[1], (reasons.get(run[1]) ?? 0) + run[0])
    }
  }
  return { reports, reasons }
}
