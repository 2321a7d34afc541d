/** The command line of `npm run dead-letters`. Pure: says what is wrong, prints and ends nothing. */
import { parseArgs } from 'node:util'
import { DatahubId, FailureReason, FAILURE_REASONS, MAX_WAIT_SECONDS, TopicName } from '#contract'
import {
  DEFAULT_STATE,
  readTime,
  TIME_FORMS,
  wholeNumber,
  withStateFolder,
} from '../operator/flags.ts'
import { comparePositions, formatPosition, type Filters, type Position } from './letter.ts'

export type Command =
  | { name: 'list'; filters: Filters; limit: number; json: boolean }
  | { name: 'show'; positions: Position[]; json: boolean }
  | { name: 'replay'; what: Position[] | Filters; waitSeconds: number; dryRun: boolean }

export type FlagsResult =
  | { status: 'ok'; command: Command; /** State folder of a local stack. */ dev?: string }
  | { status: 'help' }
  | { status: 'invalid'; problems: string[] }

const DEFAULT_LIMIT = 100
const MAX_LIMIT = 100_000
const DEFAULT_WAIT_SECONDS = 10

export const USAGE = `npm run dead-letters -- <command> [flags]

  list                            the newest letters, newest last, one a line
    --limit ${DEFAULT_LIMIT}                   how many at most
    --json                        one JSON object a line, with everything in it
  show <partition:offset>…        whole letters
    --json                        as above
  replay <partition:offset>…      sends letters again, each as a new POST to its datahub
  replay --all --yes              all that the filters let through
    --wait ${DEFAULT_WAIT_SECONDS}                     seconds to wait for what becomes of each, 0 to ${MAX_WAIT_SECONDS}
    --dry-run                     shows what would be sent, sends nothing

Filters of list and replay --all:
  --reason <reason>               ${FAILURE_REASONS.slice(0, 4).join(', ')},
                                  ${FAILURE_REASONS.slice(4).join(', ')}
  --datahub <id>  --topic <name>
  --since <time>  --until <time>  when it failed: 2026-09-21, 2026-09-21T10:00:00Z, or ago: 90s, 30m, 2h, 3d

Settings come from the environment: INSTANCE_ID and KAFKA_* as the relay's; for replay also EDGEHUB_URL (origin of the worker),
EDGEHUB_SECRET_ID and EDGEHUB_SECRET_KEY (a credential with scope send).
  --dev [${DEFAULT_STATE}]                takes all of them from the local stack in that state folder

A letter that is replayed twice within 24 hours is sent once. Letters stay in the topic until they expire.
Exit codes: 0; 1 when a letter was not found, can't be replayed or failed again; 2 wrong flags; 78 wrong settings.
`

const NAMES = ['list', 'show', 'replay'] as const
type Name = (typeof NAMES)[number]

const FILTER_FLAGS = ['reason', 'datahub', 'topic', 'since', 'until'] as const

/** Which flags mean something to which command; `dev` and `help` to all. */
const FLAGS_OF: Record<Name, readonly string[]> = {
  list: [...FILTER_FLAGS, 'limit', 'json'],
  show: ['json'],
  replay: [...FILTER_FLAGS, 'all', 'yes', 'wait', 'dry-run'],
}

/** @param now Unix ms; what `2h` is counted back from */
export function readFlags(argv: readonly string[], now: number): FlagsResult {
  let parsed
  try {
    parsed = parseArgs({
      args: withStateFolder(argv, isOwnWord),
      allowPositionals: true,
      options: {
        reason: { type: 'string' },
        datahub: { type: 'string' },
        topic: { type: 'string' },
        since: { type: 'string' },
        until: { type: 'string' },
        limit: { type: 'string', default: String(DEFAULT_LIMIT) },
        json: { type: 'boolean', default: false },
        all: { type: 'boolean', default: false },
        yes: { type: 'boolean', default: false },
        wait: { type: 'string', default: String(DEFAULT_WAIT_SECONDS) },
        'dry-run': { type: 'boolean', default: false },
        dev: { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
      tokens: true,
    })
  } catch (error) {
    return { status: 'invalid', problems: [error instanceof Error ? error.message : String(error)] }
  }
  const { values, positionals, tokens } = parsed
  if (values.help) return { status: 'help' }

  const [word, ...rest] = positionals
  const name = NAMES.find((n) => n === word)
  if (name === undefined) {
    const said = word === undefined ? 'a command is needed' : `${word} is no command`
    return { status: 'invalid', problems: [`${said}: list, show or replay`] }
  }

  const problems: string[] = []
  for (const token of tokens) {
    if (token.kind !== 'option' || token.name === 'dev') continue
    if (!FLAGS_OF[name].includes(token.name)) {
      problems.push(`--${token.name} says nothing to ${name}`)
    }
  }
  const filters = readFilters(values, now, problems)
  const positions = readPositions(rest, problems)
  const dev = values.dev === undefined ? {} : { dev: values.dev }
  if (values.dev === '') problems.push('--dev: a folder is needed')

  let command: Command
  switch (name) {
    case 'list': {
      const limit = wholeNumber(values.limit, 1, MAX_LIMIT)
      if (limit === undefined) {
        problems.push(`--limit ${values.limit}: a number from 1 to ${MAX_LIMIT} is needed`)
      }
      if (rest.length > 0) problems.push('list takes no positions; show does')
      command = { name, filters, limit: limit ?? DEFAULT_LIMIT, json: values.json }
      break
    }
    case 'show':
      if (rest.length === 0) problems.push('show needs positions, for example show 0:12')
      command = { name, positions, json: values.json }
      break
    case 'replay': {
      const waitSeconds = wholeNumber(values.wait, 0, MAX_WAIT_SECONDS)
      if (waitSeconds === undefined) {
        problems.push(`--wait ${values.wait}: seconds from 0 to ${MAX_WAIT_SECONDS} are needed`)
      }
      problems.push(...problemsOfReplay(rest, values, Object.keys(filters).length > 0))
      command = {
        name,
        what: values.all ? filters : positions.toSorted(comparePositions),
        waitSeconds: waitSeconds ?? DEFAULT_WAIT_SECONDS,
        dryRun: values['dry-run'],
      }
    }
  }
  return problems.length > 0 ? { status: 'invalid', problems } : { status: 'ok', command, ...dev }
}

function problemsOfReplay(
  positions: readonly string[],
  { all, yes, 'dry-run': dryRun }: { all: boolean; yes: boolean; 'dry-run': boolean },
  filtered: boolean,
): string[] {
  if (!all) {
    return [
      ...(positions.length === 0 ? ['replay needs positions, for example 0:12, or --all'] : []),
      ...(filtered ? ['filters need --all'] : []),
    ]
  }
  if (positions.length > 0) return ['replay takes positions or --all, not both']
  return yes || dryRun
    ? []
    : ['replay --all sends every letter that matches: add --yes to do it, --dry-run to see it']
}

/** A command or a position. */
function isOwnWord(word: string): boolean {
  return NAMES.some((name) => name === word) || parsePosition(word) !== undefined
}

type FilterValues = Partial<Record<(typeof FILTER_FLAGS)[number], string>>

function readFilters(values: FilterValues, now: number, problems: string[]): Filters {
  const filters: Filters = {}
  const { reason, datahub, topic } = values
  if (reason !== undefined) {
    filters.reason = reason
    if (!FailureReason.safeParse(reason).success) {
      problems.push(`--reason ${reason}: must be one of ${FAILURE_REASONS.join(', ')}`)
    }
  }
  if (datahub !== undefined) {
    filters.datahub = datahub
    if (!DatahubId.safeParse(datahub).success) {
      problems.push(`--datahub ${datahub}: an id like datahub-abcdefgh is needed`)
    }
  }
  if (topic !== undefined) {
    filters.topic = topic
    if (!TopicName.safeParse(topic).success) {
      problems.push(`--topic ${topic}: no topic can be named so`)
    }
  }
  for (const name of ['since', 'until'] as const) {
    const text = values[name]
    if (text === undefined) continue
    const time = readTime(text, now)
    if (time !== undefined) filters[name] = time
    else {
      problems.push(`--${name} ${text}: ${TIME_FORMS} is needed`)
    }
  }
  const { since, until } = filters
  if (since !== undefined && until !== undefined && since > until) {
    problems.push('--since is after --until')
  }
  return filters
}

/** `<partition>:<offset>`, each once, in the order given. */
function readPositions(words: readonly string[], problems: string[]): Position[] {
  const positions = new Map<string, Position>()
  for (const word of words) {
    const position = parsePosition(word)
    if (position) positions.set(formatPosition(position), position)
    else problems.push(`${word}: a position like 0:12 is needed, as list prints it`)
  }
  return [...positions.values()]
}

function parsePosition(text: string): Position | undefined {
  const m = /^(\d{1,9}):(\d{1,18})$/.exec(text)
  return m ? { partition: Number(m[1]), offset: BigInt(m[2] ?? '') } : undefined
}
