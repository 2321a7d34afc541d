/** The edge's figures as Markdown: conditions, what a call costs, where it goes. Pure but for the machine, which it asks for. */
import { createRequire } from 'node:module'
import { cpus } from 'node:os'
import process from 'node:process'
import type { EdgeFlags } from '../flags.ts'
import { median, spread } from '../report.ts'
import type { Bundle } from './bundle.ts'
import { BYTES, MESSAGES, STAGED, type Case } from './cases.ts'
import type { Cost, Costs } from './profile.ts'
import type { EdgeServer } from './server.ts'
import { STAGES } from './stage-names.ts'

export interface Measured {
  which: Case
  /** CPU µs a request, a value for each round. */
  micros: number[]
}

export interface EdgeReport {
  flags: EdgeFlags
  measured: readonly Measured[]
  costs: Costs
  bundle: Bundle
  server: Pick<EdgeServer, 'version' | 'compatibilityDate'>
  /** Of the machine, over the minute before. */
  loadBefore: number
  now: Date
}

const TOP_COSTS = 20

export function describeEdge(report: EdgeReport): string {
  return [
    conditions(report),
    '',
    ...callRows(report.measured),
    '',
    ...stageRows(report.measured),
    '',
    ...costRows(report.costs),
  ].join('\n')
}

function conditions({ flags, bundle, server, loadBefore, now }: EdgeReport): string {
  const { rounds, requests, connections } = flags
  // Versions are exact there.
  const { dependencies } = createRequire(import.meta.url)('../../../package.json') as {
    dependencies: Record<string, string>
  }
  const { length, 0: cpu } = cpus()
  return [
    `${now.toISOString().slice(0, 16)}Z; workerd ${server.version}, compatibility date ${server.compatibilityDate}, hono ${dependencies['hono']}, bundled by esbuild ${bundle.esbuild} (${bundle.bytes} bytes, not`,
    `minified), load from Node ${process.version}. Machine: ${length} x ${cpu?.model ?? 'unknown'}; load average before: ${loadBefore.toFixed(1)}.`,
    `CPU of the whole workerd process, user and system; ${requests} requests a case and round on ${connections} connections that stay open; min / **median** / max of ${rounds} rounds.`,
    'Queues, status store, relay link and object store answer at once; look-ups come from the cache, which is refreshed as in production.',
  ].join('\n')
}

function callRows(measured: readonly Measured[]): string[] {
  const empty = microsOf(measured, (c) => c.what === 'empty' && c.method === 'POST')
  const get = microsOf(measured, (c) => c.what === 'empty' && c.method === 'GET')
  const rows = [
    ...BYTES.map((bytes) => ({ what: 'send' as const, bytes })),
    { what: 'pending' as const, bytes: 100 },
  ].flatMap(({ what, bytes }) =>
    MESSAGES.map((messages) => {
      const of = (w: Case['what']): readonly number[] =>
        microsOf(measured, (c) => c.what === w && c.messages === messages && c.bytes === bytes)
      const call = of(what)
      const hash = median(of('hash'))
      return [
        what === 'send' ? 'with its outcome' : 'pending',
        messages,
        bytes,
        spread(call, 0),
        (median(call) / median(empty)).toFixed(2),
        median(of('read')).toFixed(0),
        hash.toFixed(0),
        (median(call) / hash).toFixed(2),
        (median(call) / messages).toFixed(1),
      ]
    }),
  )
  const columns = [
    'answer',
    'messages',
    'bytes each',
    'CPU µs a call',
    'x empty POST',
    'body read, µs',
    'and hashed, µs',
    'x hashed',
    'µs a message',
  ]
  return [
    `Empty Hono routes, CPU µs a request: GET ${spread(get, 0)}, POST with a body that nobody reads ${spread(empty, 0)}.`,
    '"body read" and "and hashed" are Hono routes for the same bytes: the second does just the SHA-256 and HMAC that TC3 needs, with the key derived before.',
    '',
    ...markdown(columns, rows),
  ]
}

function stageRows(measured: readonly Measured[]): string[] {
  const empty = median(microsOf(measured, (c) => c.what === 'empty' && c.method === 'POST'))
  const { messages, bytes } = STAGED
  const whole = microsOf(
    measured,
    (c) => c.what === 'send' && c.messages === messages && c.bytes === bytes,
  )
  let before = empty
  const rows = STAGES.map((stage) => {
    const micros = median(microsOf(measured, (c) => c.what === 'stage' && c.stage === stage))
    const own = micros - before
    before = micros
    return [stage, micros.toFixed(0), own.toFixed(0)]
  })
  return [
    `Stages of a call of ${messages} x ${bytes} bytes: routes of a bare Hono app that stop after each.`,
    '',
    ...markdown(
      ['up to', 'CPU µs', 'of it its own'],
      [
        ['empty POST', empty.toFixed(0), ''],
        ...rows,
        ["the whole call, by the product's app", median(whole).toFixed(0), ''],
      ],
    ),
  ]
}

function costRows({ functions, files }: Costs): string[] {
  const { messages, bytes } = STAGED
  const table = (what: string, costs: readonly Cost[]): string[] =>
    markdown(
      [what, '%'],
      costs.slice(0, TOP_COSTS).map(({ name, share }) => [name, (share * 100).toFixed(1)]),
    )
  return [
    `Self time by V8's profiler over calls of ${messages} x ${bytes} bytes, of the time in which the isolate did something.`,
    '"platform" and what has no file is V8 and workerd; (program) is what is not JavaScript.',
    '',
    ...table('file', files),
    '',
    ...table('function', functions),
  ]
}

function microsOf(measured: readonly Measured[], is: (which: Case) => boolean): readonly number[] {
  return measured.find(({ which }) => is(which))?.micros ?? []
}

function markdown(
  columns: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): string[] {
  return [columns, columns.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`)
}
