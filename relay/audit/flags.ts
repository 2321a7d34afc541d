/** The command line of `npm run audit`. Pure: says what is wrong, prints and ends nothing. */
import { parseArgs } from 'node:util'
import { DatahubId } from '#contract'
import {
  DEFAULT_STATE,
  readDuration,
  readTime,
  TIME_FORMS,
  wholeNumber,
  withStateFolder,
} from '../operator/flags.ts'

export interface Flags {
  datahub: DatahubId
  /** Accepted from then on, and before `to`; Unix ms. */
  from: number
  to: number
  /** How far behind `to` the topics are read, ms; undefined: to their ends. */
  readOn?: number
  /** Differences shown. */
  limit: number
  json: boolean
}

export type FlagsResult =
  | { status: 'ok'; flags: Flags; /** State folder of a local stack. */ dev?: string }
  | { status: 'help' }
  | { status: 'invalid'; problems: string[] }

const DEFAULT_LIMIT = 100
const MAX_LIMIT = 10_000

export const USAGE = `npm run audit -- --datahub <id> --from <time> [flags]

Compares what was accepted for a datahub with what is in Kafka and what the status store says. Changes nothing.

  --datahub <id>           whose reports
  --from <time>            accepted from then on: 2026-09-21, 2026-09-21T10:00:00Z, or ago: 90s, 30m, 2h, 3d
  --to <time>              and before then; now, when left out
  --read-on <duration>     reads the topics only so far behind --to; to their ends, when left out
  --limit ${DEFAULT_LIMIT}              how many differences are shown
  --json                   one JSON object, with all differences

Settings come from the environment, with the relay's own variables: INSTANCE_ID and KAFKA_*; WORKER_URL and RELAY_TOKEN, to ask the status
store; ACCOUNT_ID, QUEUE_API_TOKEN, QUEUE_IDS and DEAD_LETTER_QUEUE_IDS, to ask the queues. Without them these are not checked.
  --dev [${DEFAULT_STATE}]         takes all of them from the local stack in that state folder, and reads the log of its queues

Exit codes: 0; 1 when something differs, or could not be read; 2 wrong flags; 78 wrong settings.
`

/** @param now Unix ms; what `2h` is counted back from */
export function readFlags(argv: readonly string[], now: number): FlagsResult {
  let parsed
  try {
    parsed = parseArgs({
      args: withStateFolder(argv, () => false),
      options: {
        datahub: { type: 'string' },
        from: { type: 'string' },
        to: { type: 'string' },
        'read-on': { type: 'string' },
        limit: { type: 'string', default: String(DEFAULT_LIMIT) },
        json: { type: 'boolean', default: false },
        dev: { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    })
  } catch (error) {
    return { status: 'invalid', problems: [error instanceof Error ? error.message : String(error)] }
  }
  const { values } = parsed
  if (values.help) return { status: 'help' }

  const problems: string[] = []
  const datahub = DatahubId.safeParse(values.datahub)
  if (values.datahub === undefined) problems.push('--datahub is needed')
  else if (!datahub.success) {
    problems.push(`--datahub ${values.datahub}: an id like datahub-abcdefgh is needed`)
  }
  const time = (name: 'from' | 'to', text: string): number => {
    const read = readTime(text, now)
    if (read === undefined) problems.push(`--${name} ${text}: ${TIME_FORMS} is needed`)
    return read ?? 0
  }
  if (values.from === undefined) problems.push('--from is needed')
  const from = values.from === undefined ? 0 : time('from', values.from)
  const to = values.to === undefined ? now : time('to', values.to)
  if (problems.length === 0 && from >= to) problems.push('--from must be before --to')
  if (problems.length === 0 && to > now) {
    problems.push('--to is in the future: what will be accepted can not be audited')
  }
  const readOn = values['read-on'] === undefined ? undefined : readDuration(values['read-on'])
  if (values['read-on'] !== undefined && readOn === undefined) {
    problems.push(`--read-on ${values['read-on']}: a duration like 30m, 2h or 3d is needed`)
  }
  const limit = wholeNumber(values.limit, 1, MAX_LIMIT)
  if (limit === undefined) {
    problems.push(`--limit ${values.limit}: a number from 1 to ${MAX_LIMIT} is needed`)
  }
  if (values.dev === '') problems.push('--dev: a folder is needed')
  if (problems.length > 0 || !datahub.success || limit === undefined) {
    return { status: 'invalid', problems }
  }
  const { json } = values
  return {
    status: 'ok',
    flags: {
      datahub: datahub.data,
      from,
      to,
      ...(readOn === undefined ? {} : { readOn }),
      limit,
      json,
    },
    ...(values.dev === undefined ? {} : { dev: values.dev }),
  }
}
