// The results of a campaign: a line of JSON for each injection, and the table of many. Pure.
import { POINTS } from '../../relay/failpoints.ts'
import type { Counts } from './audit.ts'

export interface Result extends Counts {
  n: number
  // A point of relay/failpoints.ts, or what was done to the brokers.
  point: string
  fault: string
  // From the failure to the next commit.
  ms: number
  // Accepted in this run, and since the one before.
  envelopes: number
  reports: number
  doubts: number
}

// What each session begins with in its file.
export interface Session {
  campaign: string
  at: string
  seed: number
}

export function parseResults(text: string): Result[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Result | Session)
    .filter((line) => 'point' in line)
}

const VIOLATIONS = ['lost', 'doubled', 'misplaced', 'falseDelivered', 'other'] as const

const isClean = (result: Counts): boolean => VIOLATIONS.every((name) => result[name] === 0)

export function lineOf(result: Result): string {
  const { n, point, fault, ms, envelopes, reports, doubts } = result
  const wrong = VIOLATIONS.filter((name) => result[name] > 0).map((v) => `${result[v]} ${v}`)
  const what = `${String(n).padStart(4)} ${`${point}:${fault}`.padEnd(24)}`
  const load = `${envelopes} envelopes, ${reports} reports, ${doubts} doubts`
  return `${what} served after ${String(ms).padStart(5)} ms; ${load}; ${wrong.join(', ') || 'right'}`
}

// Markdown. A cell: runs, and the median and the longest time until the shard was served again.
export function tableOf(results: readonly Result[]): string {
  const faults = sortedLike(FAULT_ORDER, new Set(results.map(({ fault }) => fault)))
  const points = sortedLike(POINTS, new Set(results.map(({ point }) => point)))
  const rows = points.map((point) => {
    const of = results.filter((result) => result.point === point)
    const cells = faults.map((fault) => cellOf(of.filter((result) => result.fault === fault)))
    return `| \`${point}\` | ${cells.join(' | ')} |`
  })
  const sum = (name: 'envelopes' | 'reports' | 'doubts' | keyof Counts) =>
    results.reduce((total, result) => total + result[name], 0)
  return [
    `| | ${faults.join(' | ')} |`,
    `|---|${'---|'.repeat(faults.length)}`,
    ...rows,
    '',
    `${results.length} injections, ${sum('envelopes')} envelopes, ${sum('reports')} reports, ${sum('doubts')} doubts: ` +
      `${sum('lost')} lost, ${sum('doubled')} doubled, ${sum('misplaced')} misplaced, ` +
      `${sum('falseDelivered')} told wrongly, ${sum('other')} other.`,
    '',
  ].join('\n')
}

const FAULT_ORDER = ['kill', 'stop', 'cut']

const sortedLike = (order: readonly string[], names: ReadonlySet<string>) =>
  [...names].toSorted((a, b) => order.indexOf(a) - order.indexOf(b))

function cellOf(results: readonly Result[]): string {
  if (results.length === 0) return ''
  const times = results.map(({ ms }) => ms).toSorted((a, b) => a - b)
  const median = times[Math.floor((times.length - 1) / 2)] ?? 0
  const wrong = results.filter((result) => !isClean(result)).length
  return `${results.length} · ${seconds(median)}, ${seconds(times.at(-1) ?? 0)} s${wrong > 0 ? ` · ${wrong} WRONG` : ''}`
}

const seconds = (ms: number) => (ms / 1000).toFixed(1)
