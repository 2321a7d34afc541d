/** Every metric of the relay, in one list, with help and unit. docs/operations.md says what to alarm on. */
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client'

const REPORT_BUCKETS = [1, 5, 10, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000]
const SECONDS_BUCKETS = [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 15]

export type Metrics = ReturnType<typeof createMetrics>

export function createMetrics() {
  const registers = [new Registry()]
  const [registry = new Registry()] = registers
  collectDefaultMetrics({ register: registry })
  const named = <L extends string>(name: string, help: string, labelNames: readonly L[]) => ({
    name: `edgehub_relay_${name}`,
    help,
    labelNames,
    registers,
  })
  const counter = <L extends string>(name: string, help: string, ...labels: L[]) =>
    new Counter(named(name, help, labels))
  const gauge = <L extends string>(name: string, help: string, ...labels: L[]) =>
    new Gauge(named(name, help, labels))
  const histogram = <L extends string>(
    name: string,
    help: string,
    buckets: number[],
    ...labels: L[]
  ) => new Histogram({ ...named(name, help, labels), buckets })

  // oxfmt-ignore
  return {
    registry,

    // the queue
    pulled: counter('pulled_total', 'Messages pulled, by queue.', 'shard', 'source'),
    pullFailures: counter('pull_failures_total', 'Pulls that failed, by queue.', 'shard', 'source'),
    handedBack: counter('handed_back_total', 'Messages handed back to their queue, by reason.', 'shard', 'reason'),
    handBackFailures: counter('hand_back_failures_total', 'Hand-backs that failed; the leases run out.', 'shard'),
    ackFailures: counter('ack_failures_total', 'Acks that failed; the messages come again and are known.', 'shard'),
    lag: gauge('lag_seconds', 'Age of the oldest message in the last pull, in seconds; 0 when it was empty.', 'shard'),

    // absence
    lookUps: counter('look_ups_total', 'Ids that the status store was asked about, by answer.', 'shard', 'answer'),
    lookUpSeconds: histogram('look_up_seconds', 'Time of one look-up, in seconds.', SECONDS_BUCKETS, 'shard'),
    remembered: gauge('remembered_envelopes', 'Envelopes of the ledger held in memory.', 'shard'),
    unsettled: gauge('unsettled_envelopes', 'Envelopes in Kafka whose outcome the status store has not taken.', 'shard'),
    known: counter('known_total', 'Messages that came again although their outcome is known; settled again.', 'shard'),

    // transactions
    delivered: counter('delivered_total', 'Reports committed to their topic.', 'shard'),
    failed: counter('failed_total', 'Reports that ended as failed, by reason.', 'shard', 'reason'),
    doubts: counter('doubts_total', 'Transactions whose end was unknown; decided by reading the ledger.', 'shard'),
    transactionReports: histogram('transaction_reports', 'Reports in one transaction.', REPORT_BUCKETS, 'shard'),
    transactionSeconds: histogram('transaction_seconds', 'Time of one transaction, in seconds.', SECONDS_BUCKETS, 'shard'),

    // settling
    settled: counter('settled_total', 'Envelopes whose outcome the status store took with their lease at hand.', 'shard'),
    notTaken: counter('not_taken_total', 'Outcomes that the status store did not take; they are posted again.', 'shard'),
    settleSeconds: histogram('settle_seconds', 'Time from posting outcomes to acking their leases, in seconds.', SECONDS_BUCKETS, 'shard'),

    // ownership
    owned: gauge('owned_shards', 'Shards that this process owns.'),
    boots: counter('boots_total', 'Take-overs of a shard.', 'shard'),
    bootFailures: counter('boot_failures_total', 'Take-overs that failed.', 'shard'),
    bootSeconds: histogram('boot_seconds', 'Time of a take-over, in seconds.', SECONDS_BUCKETS, 'shard'),
    fenced: counter('fenced_total', 'Times that another owner has fenced this one.', 'shard'),
    rebalances: counter('rebalances_total', 'Rebalances of the relays that this process took part in.'),
    groupCrashes: counter('group_crashes_total', 'Times that this process lost its place in the group and joined anew.'),
    ledgerGaps: counter('ledger_gaps_total', 'First boots that did not find where to begin, and read from where the log starts.', 'shard'),

    // breakers
    breakerOpen: gauge('breaker_open', '1 while nothing is sent to or asked of the target: kafka, worker, queue, dead_letter_queue.', 'shard', 'target'),
    topicBreakersOpen: gauge('topic_breakers_open', 'Topics and partitions that can\'t take records now.', 'shard'),

    // the link to the worker
    linkConnected: gauge('link_connected', '1 while the worker can ask this relay.'),
    linkConnects: counter('link_connects_total', 'Connections to the worker that it welcomed.'),
    queries: counter('queries_total', 'Questions of the worker, by what was asked and how it ended.', 'op', 'result'),
    querySeconds: histogram('query_seconds', 'Time from a question of the worker to its answer, in seconds.', SECONDS_BUCKETS, 'op'),
  }
}
