/** What one run comes to, and how it is taken: machine load, quantiles, the relay's metrics. */
import { cpus } from 'node:os'

export interface Figures {
  /** In the measured part of the run, and how long that was. */
  reports: number
  seconds: number
  /** Of the relay, or of the plain producer's process. */
  cpuSeconds: number
  /** Reports in one transaction or call, mean. */
  reached: number
  /** Of one transaction or call. */
  p50Ms: number
  p99Ms: number
  rssBytes: number
  /** Cores of the whole machine that were not idle, whoever used them. */
  busyCores: number
}

export interface MachineLoad {
  busy: number
  all: number
}

export function machineLoad(): MachineLoad {
  let busy = 0
  let all = 0
  for (const { times } of cpus()) {
    const { idle, ...others } = times
    const used = Object.values(others).reduce((a, b) => a + b, 0)
    busy += used
    all += used + idle
  }
  return { busy, all }
}

export function busyCores(from: MachineLoad, to: MachineLoad): number {
  return ((to.busy - from.busy) / Math.max(to.all - from.all, 1)) * cpus().length
}

export function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(Math.floor(sorted.length * q), sorted.length - 1)] ?? Number.NaN
}

/** Of a Prometheus text: each series' value, the shards summed up; the label `le` stays in the name. */
export function readMetrics(text: string): Map<string, number> {
  const sums = new Map<string, number>()
  for (const line of text.split('\n')) {
    const [, name, labels = '', value] = /^([a-z_]+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? []
    if (name === undefined) continue
    const le = /le="([^"]+)"/.exec(labels)?.[1]
    const key = le === undefined ? name : `${name} ${le}`
    sums.set(key, (sums.get(key) ?? 0) + Number(value))
  }
  return sums
}

/** Of a relay now; `ops`: its own address. */
export async function fetchMetrics(ops: string | undefined): Promise<Map<string, number>> {
  const response = await fetch(new URL('/metrics', ops))
  return readMetrics(await response.text())
}

/** p50 / p99 in ms of what a relay's histogram of seconds took up between two looks at its metrics. */
export function grownTimes(
  name: string,
  before: Map<string, number>,
  after: Map<string, number>,
  digits: number,
): string {
  const grown = (series: string) => (after.get(series) ?? 0) - (before.get(series) ?? 0)
  return [0.5, 0.99]
    .map((q) => histogramQuantile(`edgehub_relay_${name}`, after.keys(), grown, q) * 1000)
    .map((value) => value.toFixed(digits))
    .join(' / ')
}

/** As Prometheus does it: straight lines between the bounds of the buckets. `grown`: how much a series grew. */
export function histogramQuantile(
  name: string,
  series: Iterable<string>,
  grown: (series: string) => number,
  q: number,
): number {
  const bounds = [...series]
    .filter((key) => key.startsWith(`${name}_bucket `) && !key.endsWith('+Inf'))
    .map((key) => Number(key.split(' ')[1]))
    .sort((a, b) => a - b)
  const wanted = grown(`${name}_count`) * q
  let lower = 0
  let below = 0
  for (const bound of bounds) {
    const upTo = grown(`${name}_bucket ${bound}`)
    if (upTo >= wanted) {
      return lower + ((bound - lower) * (wanted - below)) / Math.max(upTo - below, 1)
    }
    lower = bound
    below = upTo
  }
  return lower
}
