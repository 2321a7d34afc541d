import { describe, it } from 'vitest'
import type { Result } from '../../../relay/audit/result.ts'
import { equation, showResult, toJson } from '../../../relay/audit/text.ts'

const RESULT: Result = {
  scope: { datahub: 'datahub-abcdefgh', from: 0, to: 60_000 },
  at: 61_000,
  ledger: { envelopes: 3, reports: 12 },
  delivered: { inTopic: 9, missing: 0, unprovable: 1 },
  failed: { withLetter: 2, missing: 0, unprovable: 0 },
  queued: { status: 'known', envelopes: 1, reports: 4 },
  lost: { envelopes: 0, reports: 0 },
  store: { status: 'checked', found: 3, absent: 0, expired: 0, silent: 0, compared: 0 },
  differences: [],
  differenceCount: 0,
  envelopesConcerned: 0,
  limits: ['Something.'],
}

describe('the line', () => {
  it.for<[string, Partial<Result>, line: string]>([
    ['all known', {}, 'accepted 16 = delivered 10 + failed 2 + queued 4'],
    [
      'queues that are empty',
      { queued: { status: 'messages', messages: 0 } },
      'accepted 12 = delivered 10 + failed 2 + queued 0',
    ],
    [
      'queues of which only a number is known',
      { queued: { status: 'messages', messages: 7 } },
      'accepted 12 + x = delivered 10 + failed 2 + queued x, where x is what 7 messages hold of this datahub and time',
    ],
    [
      'queues that were not asked',
      { queued: { status: 'not checked' } },
      'accepted 12 + x = delivered 10 + failed 2 + queued x, where x is what the queues hold of this datahub and time',
    ],
    [
      'records and an envelope that are nowhere',
      { delivered: { inTopic: 7, missing: 3, unprovable: 0 }, lost: { envelopes: 1, reports: 5 } },
      'accepted 21 = delivered 7 + failed 2 + queued 4 + not accounted for 8',
    ],
  ])('%s', ([, of, line], { expect }) => {
    expect(equation({ ...RESULT, ...of })).toBe(line)
  })
})

it('differences are shown up to the limit, without what could drive a terminal', ({ expect }) => {
  const differences = [1, 2, 3].map((n) => ({
    id: `AAECAwQFBgcICQo${n}`,
    what: 'record missing' as const,
    where: `orders/${n}\u001B[2J`,
  }))
  const lines = showResult({ ...RESULT, differences, differenceCount: 3, envelopesConcerned: 3 }, 2)
  const at = lines.indexOf('3 differences, 3 envelopes:')
  expect(lines.slice(at + 1, at + 4)).toEqual([
    'AAECAwQFBgcICQo1  record missing  orders/1\\u001b[2J',
    'AAECAwQFBgcICQo2  record missing  orders/2\\u001b[2J',
    'and 1 more; --limit or --json shows them',
  ])
  expect(lines.slice(-2)).toEqual(["Can't prove:", '- Something.'])
})

it('columns end under their titles', ({ expect }) => {
  const lines = showResult(RESULT, 1)
  const title = lines.find((line) => line.endsWith('envelopes  reports')) ?? ''
  const ledger = lines.find((line) => line.startsWith('in the ledger ')) ?? ''
  expect(ledger).toMatch(/ 3 {7,}12$/)
  expect(ledger).toHaveLength(title.length)
})

it('a program gets everything as one object', ({ expect }) => {
  expect(JSON.parse(JSON.stringify(toJson(RESULT)))).toMatchObject({
    datahub: 'datahub-abcdefgh',
    from: '1970-01-01T00:00:00.000Z',
    accepted: 16,
    delivered: 10,
    failed: 2,
    queued: 4,
    differs: false,
    details: { delivered: { inTopic: 9, unprovable: 1 }, differences: [] },
    cannotProve: ['Something.'],
  })
})
