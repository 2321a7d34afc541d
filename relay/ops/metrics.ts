/** Every metric of the relay, in one list, with help and unit. */
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client'

const REPORT_BUCKETS = [1, 5, 10, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000]
const SECONDS_BUCKETS = [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 15]

export type Metrics = ReturnType<typeof createMetrics>

export function createMetrics() {
  const registers = [new Registry()]
  const [registry = new Registry()] = registers
  collectDefaultMetrics({ register: registry })
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[]) =>
    new Counter({ name: `edgehub_relay_${name}`, help, labelNames, registers })
  const histogram = <L extends string>(
    name: string,
    help: string,
    buckets: number[],
    labelNames: readonly L[],
  ) => new Histogram({ name: `edgehub_relay_${name}`, help, buckets, labelNames, registers })
  return {
    registry,
    pulled: counter('pulled_total', 'Messages pulled from the queue.', ['shard']),
    pullFailures: counter('pull_failures_total', 'Pulls that failed.', ['shard']),
    delivered: counter('delivered_total', 'Reports committed to their topic.', ['shard']),
    failed: counter('failed_total', 'Reports that ended as failed, by reason.', [
      'shard',
      'reason',
    ]),
    known: counter(
      'known_total',
      'Messages that came again although the ledger has them; settled again.',
      ['shard'],
    ),
    givenBack: counter('given_back_total', 'Messages given back to the queue with a delay.', [
      'shard',
      'reason',
    ]),
    doubts: counter(
      'doubts_total',
      'Transactions whose end was unknown; decided by reading the ledger.',
      ['shard'],
    ),
    boots: counter('boots_total', 'Take-overs of a shard.', ['shard']),
    bootFailures: counter('boot_failures_total', 'Take-overs that failed.', ['shard']),
    settled: counter('settled_total', 'Envelopes whose outcome the status store took.', ['shard']),
    notTaken: counter(
      'not_taken_total',
      'Outcomes that the status store did not take; they come again.',
      ['shard'],
    ),
    transactionReports: histogram(
      'transaction_reports',
      'Reports in one transaction.',
      REPORT_BUCKETS,
      ['shard'],
    ),
    transactionSeconds: histogram(
      'transaction_seconds',
      'Time of one transaction, in seconds.',
      SECONDS_BUCKETS,
      ['shard'],
    ),
    remembered: new Gauge({
      name: 'edgehub_relay_remembered_envelopes',
      help: 'Envelopes of the ledger held in memory.',
      labelNames: ['shard'] as const,
      registers,
    }),
    oldest: new Gauge({
      name: 'edgehub_relay_lag_seconds',
      help: 'Age of the oldest message in the last pull, in seconds; 0 when it was empty.',
      labelNames: ['shard'] as const,
      registers,
    }),
  }
}
