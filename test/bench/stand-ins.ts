/**
 * A fresh process with what the relay talks to besides Kafka: the pull API from memory, filled before the relay starts, and a worker that
 * takes every outcome and has no other. It measures, because it alone knows when the last outcome is taken; and it refuses, by ending,
 * whatever a relay must not do: an outcome that is not delivered, one that is told twice, two reports at one offset.
 */
import process from 'node:process'
import type { EnvelopeId, SettledEnvelope, ShardCount } from '#contract'
import { createQueuePullServer } from '../../dev/queue-pull/node/memory-server.ts'
import { localQueueName } from '../../dev/queue-pull/queues.ts'
import { busyCores, histogramQuantile, machineLoad, readMetrics, type Figures } from './figures.ts'
import { posts, warmUpOf } from './load.ts'
import { startStandInWorker } from './stand-in-worker.ts'

export interface StandInsOptions {
  topic: string
  shards: ShardCount
  post: number
  reports: number
  token: string
  /** Where the relay will serve its metrics. */
  opsUrl: string
}

export interface Listening {
  queueUrl: string
  workerUrl: string
}

// Nobody waits for this process any more.
process.once('disconnect', () => process.exit(1))

const { topic, shards, post, reports, token, opsUrl } = JSON.parse(
  process.argv[2] ?? '{}',
) as StandInsOptions

/** Reports of each envelope that has no outcome yet. */
const missing = new Map<string, number>()
const taken: { partition: number; first: number; count: number }[] = []
const warmUp = warmUpOf(reports)
let done = 0
let start: Promise<Sample> | undefined

const queue = await createQueuePullServer({ token, keepLog: false })
for (const { id, shard, reports: count, body } of posts({
  topic,
  shards,
  post,
  reports,
  received: Date.now(),
})) {
  queue.push(localQueueName(shard), body)
  missing.set(id, count)
}

const worker = await startStandInWorker({
  take(outcomes) {
    const ids = outcomes.map(takeOutcome)
    if (done >= warmUp) start ??= sample()
    if (missing.size === 0) void finish()
    return ids
  },
  // An outcome that was taken is there for ever.
  isFound: (id) => !missing.has(id),
})
process.send?.({ queueUrl: queue.url, workerUrl: worker.url } satisfies Listening)

function takeOutcome({ id, outcome }: SettledEnvelope): EnvelopeId {
  let delivered = 0
  for (const run of outcome.runs) {
    if (run.length !== 3) throw new Error(`${id} was not delivered: ${run[1]}`)
    const [count, partition, first] = run
    delivered += count
    taken.push({ partition, first: Number(first), count })
  }
  const expected = missing.get(id)
  if (delivered !== expected) throw new Error(`${id}: ${delivered} delivered, not ${expected}`)
  missing.delete(id)
  done += delivered
  return id
}

async function finish(): Promise<void> {
  const at = performance.now()
  const [from, to] = [await start, await sample()]
  if (!from) throw new Error('it never became warm')
  assertDistinct()
  const grown = (series: string) => (to.metrics.get(series) ?? 0) - (from.metrics.get(series) ?? 0)
  const latency = (q: number) =>
    histogramQuantile('edgehub_relay_transaction_seconds', to.metrics.keys(), grown, q) * 1000
  const figures: Figures = {
    reports: done - from.done,
    seconds: (at - from.at) / 1000,
    cpuSeconds: grown('process_cpu_seconds_total'),
    reached:
      grown('edgehub_relay_transaction_reports_sum') /
      grown('edgehub_relay_transaction_reports_count'),
    p50Ms: latency(0.5),
    p99Ms: latency(0.99),
    rssBytes: to.metrics.get('process_resident_memory_bytes') ?? Number.NaN,
    busyCores: busyCores(from.load, to.load),
  }
  process.send?.(figures)
}

interface Sample {
  at: number
  done: number
  metrics: Map<string, number>
  load: ReturnType<typeof machineLoad>
}

/** All of one moment: the relay answers between two of its turns, and what it has done by then counts. */
async function sample(): Promise<Sample> {
  const response = await fetch(`${opsUrl}/metrics`)
  const metrics = readMetrics(await response.text())
  return { at: performance.now(), done, metrics, load: machineLoad() }
}

/** No two runs of reports overlap: nothing is in Kafka once and told twice. */
function assertDistinct(): void {
  taken.sort((a, b) => a.partition - b.partition || a.first - b.first)
  for (const [i, { partition, first }] of taken.entries()) {
    const before = taken[i - 1]
    if (before?.partition === partition && before.first + before.count > first) {
      throw new Error(`two reports are said to be at ${partition}/${first}`)
    }
  }
}
