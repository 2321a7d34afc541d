/** The command line of the benches. Pure: says what is wrong, prints and ends nothing. */
import { parseArgs } from 'node:util'
import { isShardCount, MAX_REPORTS, type ShardCount } from '#contract'

export interface RelayFlags {
  rounds: number
  /** What a measured run should last, about. */
  seconds: number
  /** Reports of every run, instead of `seconds`. */
  reports: number | undefined
  shards: ShardCount[]
  /** Reports in one POST. */
  posts: number[]
  /** Most reports in one transaction, and in one plain `sendBatch`. */
  batches: number[]
  /** Where the relay leaves its CPU profiles. */
  profile: string | undefined
}

export interface FailoverFlags {
  /** Of each case. */
  runs: number
  /** In the ledger of the shard that is booted. */
  envelopes: number
}

export interface LatencyFlags {
  /** POSTs a second, one measurement each. */
  rates: number[]
  seconds: number
}

export interface QueryFlags {
  /** In the topic that is asked for. */
  records: number
  /** Of each measurement. */
  seconds: number
  /** How long a link of which nothing is asked is watched. */
  idleSeconds: number
}

export interface EdgeFlags {
  rounds: number
  /** Of each case and round. */
  requests: number
  /** That stay open, with one request under way on each. */
  connections: number
  /** Where the profile is left. */
  profile: string | undefined
}

export type FlagsResult =
  | { status: 'ok'; bench: 'relay'; flags: RelayFlags }
  | { status: 'ok'; bench: 'failover'; flags: FailoverFlags }
  | { status: 'ok'; bench: 'latency'; flags: LatencyFlags }
  | { status: 'ok'; bench: 'query'; flags: QueryFlags }
  | { status: 'ok'; bench: 'edge'; flags: EdgeFlags }
  | { status: 'help' }
  | { status: 'invalid'; problem: string }

export const USAGE = `npm run bench -- <name> [flags]

relay

The whole relay against a plain kafkajs producer, side by side on one broker: reports a second and
CPU time a report. The result is a Markdown table on stdout.

  --rounds 3            runs of each case, in the reverse order every other time
  --seconds 3           how long a run lasts, about
  --reports n           reports of each run, instead of --seconds
  --shards 1,4          shards of the relay; plain has as many calls in flight
  --posts 1,10,50       reports in one POST
  --batches 100,500,1000  most reports in one transaction; reports in one plain sendBatch
  --quick               one short round of few cases: does it work at all
  --profile <folder>    the relay leaves a CPU profile of every run there

failover
How long shards rest: one of two relays with four shards is killed, or stopped; and a shard is booted
whose outcomes nobody has taken.

  --runs 10             of each case
  --envelopes 100000    in the ledger of the shard that is booted

latency
How long from a POST to its MessageIds, on the local stack.

  --rates 20,200        POSTs a second, one measurement each
  --seconds 10          of each

query
How long it takes to read messages back on the local stack, by place and by time; the relay's memory
while 100 are asked for at once; what an idle link costs.

  --records 1000000     in the topic that is asked for
  --seconds 10          of each measurement
  --idle-seconds 60     how long nothing is asked

edge
CPU time of a signed SendMessage of 1, 10 and 100 messages, in one workerd process with the empty
routes that it is compared with; where the time goes. Needs Linux and no Kafka.

  --rounds 5            runs of each case, in the reverse order every other time
  --requests 10000      of each run
  --connections 8       that stay open, with one request under way on each
  --quick               one short round: does it work at all
  --profile <folder>    V8's CPU profile of the calls of 10 messages is left there

relay and failover: KAFKA_BROKERS=host:port,… uses that cluster instead of starting a broker.
`

/** Enough for every case to be seen through once. */
const QUICK = {
  rounds: 1,
  seconds: 1,
  reports: 4_000,
  shards: '1',
  posts: '10',
  batches: '100,500',
}
const FULL = {
  rounds: 3,
  seconds: 3,
  reports: undefined,
  shards: '1,4',
  posts: '1,10,50',
  batches: '100,500,1000',
}

export function readFlags(argv: readonly string[]): FlagsResult {
  try {
    return readBench(argv)
  } catch (error) {
    // What parseArgs says of a flag that is not known, or has no value.
    return invalid(error instanceof Error ? error.message : String(error))
  }
}

function readBench([name = '', ...rest]: readonly string[]): FlagsResult {
  switch (name) {
    case 'help':
    case '--help':
    case '-h':
      return { status: 'help' }
    case 'relay':
      return readRelayFlags(rest)
    case 'failover':
      return readFailoverFlags(rest)
    case 'latency':
      return readLatencyFlags(rest)
    case 'query':
      return readQueryFlags(rest)
    case 'edge':
      return readEdgeFlags(rest)
    case '':
      return invalid('Which bench?')
    default:
      return invalid(`There is no bench called ${name}.`)
  }
}

function readFailoverFlags(args: string[]): FlagsResult {
  const { values } = parseArgs({
    args,
    options: {
      runs: { type: 'string', default: '10' },
      envelopes: { type: 'string', default: '100000' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  if (values.help) return { status: 'help' }
  const [runs] = wholeNumbers(values.runs, 1, 100) ?? []
  const [envelopes] = wholeNumbers(values.envelopes, 1, 1_000_000) ?? []
  if (!runs) return invalid(`--runs ${values.runs}: 1 to 100`)
  if (!envelopes) return invalid(`--envelopes ${values.envelopes}: 1 to 1000000`)
  return { status: 'ok', bench: 'failover', flags: { runs, envelopes } }
}

function readLatencyFlags(args: string[]): FlagsResult {
  const { values } = parseArgs({
    args,
    options: {
      rates: { type: 'string', default: '20,200' },
      seconds: { type: 'string', default: '10' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  if (values.help) return { status: 'help' }
  const rates = wholeNumbers(values.rates, 1, 5_000)
  const [seconds] = wholeNumbers(values.seconds, 1, 600) ?? []
  if (!rates) return invalid(`--rates ${values.rates}: 1 to 5000, separated by commas`)
  if (!seconds) return invalid(`--seconds ${values.seconds}: 1 to 600`)
  return { status: 'ok', bench: 'latency', flags: { rates, seconds } }
}

function readQueryFlags(args: string[]): FlagsResult {
  const { values } = parseArgs({
    args,
    options: {
      records: { type: 'string', default: '1000000' },
      seconds: { type: 'string', default: '10' },
      'idle-seconds': { type: 'string', default: '60' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  if (values.help) return { status: 'help' }
  const idle = values['idle-seconds']
  const [records] = wholeNumbers(values.records, 1_000, 10_000_000) ?? []
  const [seconds] = wholeNumbers(values.seconds, 1, 600) ?? []
  const [idleSeconds] = wholeNumbers(idle, 1, 86_400) ?? []
  if (!records) return invalid(`--records ${values.records}: 1000 to 10000000`)
  if (!seconds) return invalid(`--seconds ${values.seconds}: 1 to 600`)
  if (!idleSeconds) return invalid(`--idle-seconds ${idle}: 1 to 86400`)
  return { status: 'ok', bench: 'query', flags: { records, seconds, idleSeconds } }
}

function readEdgeFlags(args: string[]): FlagsResult {
  const { values } = parseArgs({
    args,
    options: {
      rounds: { type: 'string' },
      requests: { type: 'string' },
      connections: { type: 'string', default: '8' },
      quick: { type: 'boolean', default: false },
      profile: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  if (values.help) return { status: 'help' }
  const given = {
    rounds: values.rounds ?? (values.quick ? '1' : '5'),
    requests: values.requests ?? (values.quick ? '500' : '10000'),
  }
  const [rounds] = wholeNumbers(given.rounds, 1, 100) ?? []
  const [requests] = wholeNumbers(given.requests, 100, 1_000_000) ?? []
  const [connections] = wholeNumbers(values.connections, 1, 256) ?? []
  if (!rounds) return invalid(`--rounds ${given.rounds}: 1 to 100`)
  if (!requests) return invalid(`--requests ${given.requests}: 100 to 1000000`)
  if (!connections) return invalid(`--connections ${values.connections}: 1 to 256`)
  const { profile } = values
  return { status: 'ok', bench: 'edge', flags: { rounds, requests, connections, profile } }
}

function readRelayFlags(args: string[]): FlagsResult {
  const { values } = parseArgs({
    args,
    options: {
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      reports: { type: 'string' },
      shards: { type: 'string' },
      posts: { type: 'string' },
      batches: { type: 'string' },
      quick: { type: 'boolean', default: false },
      profile: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  if (values.help) return { status: 'help' }

  const fallback = values.quick ? QUICK : FULL
  const [rounds, seconds] = [
    wholeNumbers(values.rounds ?? String(fallback.rounds), 1, 100)?.[0],
    wholeNumbers(values.seconds ?? String(fallback.seconds), 1, 30)?.[0],
  ]
  const shards = wholeNumbers(values.shards ?? fallback.shards, 1, 8)
  const posts = wholeNumbers(values.posts ?? fallback.posts, 1, MAX_REPORTS)
  const batches = wholeNumbers(values.batches ?? fallback.batches, 1, 10_000)
  const given = values.reports ?? (values.seconds === undefined ? fallback.reports : undefined)
  const reports = given === undefined ? [] : wholeNumbers(String(given), 100, 10_000_000)
  if (!rounds) return invalid(`--rounds ${values.rounds}: 1 to 100`)
  if (!seconds) return invalid(`--seconds ${values.seconds}: 1 to 30`)
  if (!reports) return invalid(`--reports ${values.reports}: 100 to 10000000`)
  if (!shards?.every(isShardCount)) return invalid(`--shards ${values.shards}: 1, 2, 4 or 8`)
  if (!posts) return invalid(`--posts ${values.posts}: 1 to ${MAX_REPORTS}`)
  if (!batches) return invalid(`--batches ${values.batches}: 1 to 10000`)
  const { profile } = values
  return {
    status: 'ok',
    bench: 'relay',
    flags: { rounds, seconds, reports: reports[0], shards, posts, batches, profile },
  }
}

function invalid(problem: string): FlagsResult {
  return { status: 'invalid', problem }
}

/** Of a list with commas; undefined when it holds anything else. */
function wholeNumbers(text: string, min: number, max: number): number[] | undefined {
  const parts = text.split(',')
  const fits = parts.every(
    (part) => /^\d+$/.test(part) && Number(part) >= min && Number(part) <= max,
  )
  return fits ? parts.map(Number) : undefined
}
