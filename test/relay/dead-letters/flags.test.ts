import { describe, it } from 'vitest'
import { readFlags, USAGE, type Command } from '../../../relay/dead-letters/flags.ts'

const NOW = Date.parse('2026-09-21T10:00:00Z')
const read = (line: string) => readFlags(line === '' ? [] : line.split(' '), NOW)

const LIST: Extract<Command, { name: 'list' }> = {
  name: 'list',
  filters: {},
  limit: 100,
  json: false,
}
const at = (partition: number, offset: bigint) => ({ partition, offset })

describe('commands', () => {
  const good: [line: string, command: Command, dev?: string][] = [
    ['list', LIST],
    ['list --json --limit 5', { ...LIST, json: true, limit: 5 }],
    [
      'list --reason record_too_large --datahub datahub-abcdefgh --topic orders',
      {
        ...LIST,
        filters: { reason: 'record_too_large', datahub: 'datahub-abcdefgh', topic: 'orders' },
      },
    ],
    ['list --since 2h --until 90s', filtered('2026-09-21T08:00:00Z', '2026-09-21T09:58:30Z')],
    ['list --since 3d --until 30m', filtered('2026-09-18T10:00:00Z', '2026-09-21T09:30:00Z')],
    ['list --since 2026-09-21', filtered('2026-09-21T00:00:00Z')],
    ['list --since 2026-09-21T10:00+02:00', filtered('2026-09-21T08:00:00Z')],
    [
      'list --since 2026-09-21T08:00:00.123Z --until 2026-09-21T08:00:00.123Z',
      filtered('2026-09-21T08:00:00.123Z', '2026-09-21T08:00:00.123Z'),
    ],
    ['show 1:12 0:3 1:12', { name: 'show', positions: [at(1, 12n), at(0, 3n)], json: false }],
    ['show --json 0:3', { name: 'show', positions: [at(0, 3n)], json: true }],
    [
      'replay 1:12 0:30 0:4',
      {
        name: 'replay',
        what: [at(0, 4n), at(0, 30n), at(1, 12n)],
        waitSeconds: 10,
        dryRun: false,
      },
    ],
    [
      'replay --all --yes --topic orders --wait 0',
      { name: 'replay', what: { topic: 'orders' }, waitSeconds: 0, dryRun: false },
    ],
    ['replay --all --dry-run', { name: 'replay', what: {}, waitSeconds: 10, dryRun: true }],
    ['list --dev', LIST, '.edgehub'],
    ['--dev list', LIST, '.edgehub'],
    ['list --dev --json', { ...LIST, json: true }, '.edgehub'],
    ['list --dev /tmp/other', LIST, '/tmp/other'],
    ['list --dev=other', LIST, 'other'],
    ['show --dev 0:3', { name: 'show', positions: [at(0, 3n)], json: false }, '.edgehub'],
  ]
  it.for(good)('%s', ([line, command, dev], { expect }) => {
    expect(read(line)).toEqual({ status: 'ok', command, ...(dev === undefined ? {} : { dev }) })
  })

  function filtered(since: string, until?: string): Command {
    const filters = {
      since: Date.parse(since),
      ...(until === undefined ? {} : { until: Date.parse(until) }),
    }
    return { ...LIST, filters }
  }
})

describe('what makes no sense is refused, and the refusal says what would', () => {
  const bad: [line: string, ...problems: string[]][] = [
    ['', 'a command is needed: list, show or replay'],
    ['delete 0:1', 'delete is no command: list, show or replay'],
    ['list --color', '--color'],
    ['list --limit 0', '--limit 0'],
    ['list --limit many', '--limit many'],
    ['list 0:1', 'list takes no positions; show does'],
    ['list --all', '--all says nothing to list'],
    ['list --wait 3', '--wait says nothing to list'],
    ['list --reason late', '--reason late: must be one of record_too_large'],
    ['list --datahub orders', '--datahub orders'],
    ['list --topic a/b', '--topic a/b'],
    ['list --since yesterday', '--since yesterday'],
    ['list --since 2026-09-21T10:00:00', '--since 2026-09-21T10:00:00'],
    ['list --since 2026-13-01', '--since 2026-13-01'],
    ['list --since 1h --until 2h', '--since is after --until'],
    ['show', 'show needs positions'],
    ['show 0', '0: a position like 0:12'],
    ['show 0:-1', '0:-1: a position'],
    ['show 0:1 --topic orders', '--topic says nothing to show'],
    ['replay', 'replay needs positions'],
    ['replay --all', '--yes', '--dry-run'],
    ['replay --all --yes 0:1', 'not both'],
    ['replay 0:1 --topic orders', 'filters need --all'],
    ['replay 0:1 --wait 26', '--wait 26'],
    ['replay 0:1 --limit 5', '--limit says nothing to replay'],
    ['list --dev=', '--dev: a folder'],
  ]
  it.for(bad)('%s', ([line, ...problems], { expect }) => {
    const result = read(line)
    const said = result.status === 'invalid' ? result.problems.join('\n') : result.status
    for (const problem of problems) expect(said).toContain(problem)
  })

  it('all that is wrong is said at once', ({ expect }) => {
    const result = read('list --limit x --since y extra')
    expect(result.status === 'invalid' && result.problems).toHaveLength(4)
  })
})

it('the usage names every flag', ({ expect }) => {
  for (const flag of [
    ...['limit', 'json', 'all', 'yes', 'wait', 'dry-run', 'dev'],
    ...['reason', 'datahub', 'topic', 'since', 'until'],
  ]) {
    expect(USAGE).toContain(`--${flag} `)
  }
  expect(read('--help')).toEqual({ status: 'help' })
  expect(read('replay -h')).toEqual({ status: 'help' })
})
