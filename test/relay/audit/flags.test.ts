import { describe, it } from 'vitest'
import { readFlags, USAGE, type Flags } from '../../../relay/audit/flags.ts'

const NOW = Date.parse('2026-09-21T10:00:00Z')
const ID = 'datahub-abcdefgh'
const read = (line: string) => readFlags(line === '' ? [] : line.split(' '), NOW)
const flags = (of: Partial<Flags>): unknown => ({
  datahub: ID,
  from: Date.parse('2026-09-21T08:00:00Z'),
  to: NOW,
  limit: 100,
  json: false,
  ...of,
})

describe('what is understood', () => {
  it.for<[line: string, of: Partial<Flags>, dev?: string]>([
    ['--from 2h', {}],
    ['--from 2h --to 30m', { to: NOW - 1_800_000 }],
    [
      '--from 2026-09-20 --to 2026-09-21',
      { from: Date.parse('2026-09-20'), to: Date.parse('2026-09-21') },
    ],
    ['--from 2026-09-21T10:00+02:00 --read-on 90s', { readOn: 90_000 }],
    ['--from 2h --limit 3 --json', { limit: 3, json: true }],
    ['--from 2h --dev', {}, '.edgehub'],
    ['--from 2h --dev other', {}, 'other'],
    ['--dev --from 2h', {}, '.edgehub'],
  ])('%s', ([line, of, dev], { expect }) => {
    expect(read(`--datahub ${ID} ${line}`)).toEqual({
      status: 'ok',
      flags: flags(of),
      ...(dev === undefined ? {} : { dev }),
    })
  })

  it('--help, whatever stands beside it', ({ expect }) => {
    expect(read('--help')).toEqual({ status: 'help' })
    expect(read('-h --from never')).toEqual({ status: 'help' })
    for (const line of USAGE.split('\n')) expect(line.length).toBeLessThan(145)
  })
})

describe('what is refused, with all problems at once', () => {
  it.for<[line: string, ...problems: string[]]>([
    ['', '--datahub is needed', '--from is needed'],
    ['--datahub orders --from 2h', '--datahub orders: an id like'],
    [`--datahub ${ID} --from never --to x`, '--from never: a time', '--to x: a time'],
    [`--datahub ${ID} --from 2026-09-21T10:00:00`, '--from 2026-09-21T10:00:00: a time'],
    [`--datahub ${ID} --from 1h --to 2h`, '--from must be before --to'],
    [`--datahub ${ID} --from 1h --to 2026-09-22`, '--to is in the future'],
    [`--datahub ${ID} --from 1h --read-on 5`, '--read-on 5: a duration'],
    [`--datahub ${ID} --from 1h --limit 0`, '--limit 0: a number'],
    [`--datahub ${ID} --from 1h --dev=`, '--dev: a folder'],
    [`--datahub ${ID} --from 1h --all`, "Unknown option '--all'"],
    [`--datahub ${ID} --from 1h more`, "Unexpected argument 'more'"],
  ])('%s', ([line, ...problems], { expect }) => {
    const result = read(line)
    const said = result.status === 'invalid' ? result.problems : []
    expect(said).toEqual(problems.map((problem) => expect.stringContaining(problem)))
  })
})
