// The command lines of the campaigns. Pure: says what is wrong, prints and ends nothing.
import { parseArgs } from 'node:util'
import { FAULTS, POINTS, type Fault, type Point } from '../../relay/failpoints.ts'

export interface CrashFlags {
  // Of each point and fault, or of each cluster fault.
  runs: number
  seed: number
  points: readonly Point[]
  faults: readonly Fault[]
  // Faults of the brokers instead of the relays.
  cluster: boolean
  // Where a line for each injection is appended; undefined: nowhere.
  out: string | undefined
  // Print the table of these results, and do nothing else.
  report: string[]
}

export interface ChaosFlags {
  minutes: number
  seed: number
  // Print what would be done, and do nothing else.
  plan: boolean
}

export type FlagsResult =
  | { status: 'ok'; campaign: 'crash'; flags: CrashFlags }
  | { status: 'ok'; campaign: 'chaos'; flags: ChaosFlags }
  | { status: 'help' }
  | { status: 'invalid'; problem: string }

export const USAGE = `npm run test:crash -- [flags]

Every point of relay/failpoints.ts with every fault, under load, on three brokers; the history is
checked after each. Exit code 1: something was lost, doubled, misplaced or told wrongly.

  --runs 5            of each point and fault, in an order that the seed gives
  --seed n            a number; without it one is drawn and printed
  --points a,b        these only: ${POINTS.slice(0, 6).join(', ')},
                      ${POINTS.slice(6).join(', ')}
  --faults a,b        these only: ${FAULTS.join(', ')}
  --cluster           faults of the brokers instead: a leader of data, of the ledger, the
                      coordinator, one after the other
  --out <file>        append a line of JSON for each injection
  --report <files>    print the table of such files, and do nothing else

npm run test:chaos -- [flags]

Two relays under load while relays, brokers, queues and the worker fail at random.

  --minutes 10
  --seed n            the same seed does the same things in the same order
  --plan              print what would be done, and do nothing else
`

export function readFlags(argv: readonly string[], drawSeed: () => number): FlagsResult {
  const [campaign, ...rest] = argv
  if (rest.includes('--help') || rest.includes('-h')) return { status: 'help' }
  try {
    if (campaign === 'crash') return readCrash(rest, drawSeed)
    if (campaign === 'chaos') return readChaos(rest, drawSeed)
    return { status: 'invalid', problem: 'crash or chaos?' }
  } catch (error) {
    return { status: 'invalid', problem: error instanceof Error ? error.message : String(error) }
  }
}

function readCrash(args: string[], drawSeed: () => number): FlagsResult {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      runs: { type: 'string', default: '5' },
      seed: { type: 'string' },
      points: { type: 'string', default: POINTS.join(',') },
      faults: { type: 'string', default: FAULTS.join(',') },
      cluster: { type: 'boolean', default: false },
      out: { type: 'string' },
      report: { type: 'boolean', default: false },
    },
  })
  if (values.report !== positionals.length > 0) throw new Error('--report needs files, and only it')
  return {
    status: 'ok',
    campaign: 'crash',
    flags: {
      runs: wholeNumber('runs', values.runs, 1, 1_000),
      seed: seedOf(values.seed, drawSeed),
      points: listOf('points', values.points, POINTS),
      faults: listOf('faults', values.faults, FAULTS),
      cluster: values.cluster,
      out: values.out,
      report: positionals,
    },
  }
}

function readChaos(args: string[], drawSeed: () => number): FlagsResult {
  const { values } = parseArgs({
    args,
    options: {
      minutes: { type: 'string', default: '10' },
      seed: { type: 'string' },
      plan: { type: 'boolean', default: false },
    },
  })
  return {
    status: 'ok',
    campaign: 'chaos',
    flags: {
      minutes: wholeNumber('minutes', values.minutes, 1, 24 * 60),
      seed: seedOf(values.seed, drawSeed),
      plan: values.plan,
    },
  }
}

const seedOf = (text: string | undefined, draw: () => number) =>
  text === undefined ? draw() : wholeNumber('seed', text, 0, 2 ** 31 - 1)

function wholeNumber(name: string, text: string, min: number, max: number): number {
  const n = Number(text)
  if (/^\d+$/.test(text) && n >= min && n <= max) return n
  throw new Error(`--${name} ${text}: a whole number from ${min} to ${max} is needed`)
}

function listOf<T extends string>(name: string, text: string, known: readonly T[]): T[] {
  const names = text.split(',').map((each) => each.trim())
  const unknown = names.find((each) => !known.some((k) => k === each))
  if (unknown !== undefined) throw new Error(`--${name}: ${unknown} is none of ${known.join(', ')}`)
  return known.filter((each) => names.includes(each))
}
