/** The result as Markdown: the conditions, then one row a case. Pure but for the versions and the machine, which it asks for. */
import { createRequire } from 'node:module'
import { cpus } from 'node:os'
import process from 'node:process'
import type { Figures } from './figures.ts'
import { PARTITIONS, VALUE_BYTES } from './load.ts'
import type { Case } from './runs.ts'

export interface Result {
  which: Case
  /** In the order in which they were run. */
  rounds: Figures[]
}

const COLUMNS = [
  'shards',
  'case',
  'reports a POST',
  'bound',
  'reached',
  'k reports/s',
  'ratio',
  'CPU µs/report',
  'p50 / p99 ms',
  'RSS MB',
  'cores busy',
]

export function machine(kafka: string, now: Date): string {
  const { version } = createRequire(import.meta.url)('kafkajs/package.json') as { version: string }
  const model = cpus()[0]?.model ?? 'unknown'
  return [
    `${now.toISOString().slice(0, 16)}Z; Node ${process.version}, kafkajs ${version}, ${kafka}.`,
    `Machine: ${cpus().length} × ${model}, shared by the broker, the relays and the stand-ins.`,
  ].join('\n')
}

export function conditions(kafka: string, rounds: number, now: Date): string {
  return [
    machine(kafka, now),
    `Values of ${VALUE_BYTES} bytes of JSON, no keys, no compression, acks=all, ${PARTITIONS} data partitions.`,
    `Figures are min / **median** / max of ${rounds} rounds, each a fresh process, the first fifth not counted.`,
    'ratio: median rate against plain `sendBatch` of the same batch with as many calls in flight as shards.',
    'reached: mean reports in a transaction. Times of the relay are interpolated from histogram buckets.',
  ].join('\n')
}

export function table(results: readonly Result[]): string {
  const rows = results.map(({ which, rounds }) => {
    const rate = (f: Figures) => f.reports / f.seconds / 1000
    const plain = results.find(
      ({ which: { side, shards, batch } }) =>
        side === 'plain' && shards === which.shards && batch === which.batch,
    )
    const ratio = median(rounds.map(rate)) / median((plain?.rounds ?? []).map(rate))
    const of = (pick: (f: Figures) => number) => median(rounds.map(pick))
    return [
      which.shards,
      which.side,
      which.side === 'plain' ? '' : which.post,
      which.batch,
      of((f) => f.reached).toFixed(0),
      spread(rounds.map(rate), 1),
      ratio.toFixed(2),
      spread(
        rounds.map((f) => (f.cpuSeconds / f.reports) * 1e6),
        1,
      ),
      `${of((f) => f.p50Ms).toFixed(1)} / ${of((f) => f.p99Ms).toFixed(0)}`,
      of((f) => f.rssBytes / 1e6).toFixed(0),
      of((f) => f.busyCores).toFixed(1),
    ]
  })
  const lines = [COLUMNS, COLUMNS.map(() => '---'), ...rows]
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

export function spread(values: readonly number[], digits: number): string {
  const [min, mid, max] = [Math.min(...values), median(values), Math.max(...values)]
  return `${min.toFixed(digits)} / **${mid.toFixed(digits)}** / ${max.toFixed(digits)}`
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const half = sorted.length >> 1
  const upper = sorted[half] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[half - 1] ?? Number.NaN) + upper) / 2
}
