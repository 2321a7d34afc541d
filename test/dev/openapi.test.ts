import { readFile } from 'node:fs/promises'
import * as fc from 'fast-check'
import { describe, it } from 'vitest'
import { openApi } from '../../dev/openapi/document.ts'
import { EXAMPLES } from '../../dev/openapi/examples.ts'
import { OPERATIONS } from '../../dev/openapi/operations.ts'
import { Reports } from '../../dev/openapi/reports.ts'
import { ANSWERS } from '../../dev/openapi/schemas.ts'
import { parseMessageQuery } from '../../worker/query/message-query.ts'
import { parseReports } from '../../worker/report-body.ts'

describe('openapi.json', () => {
  it('is what the sources say, with a path for each route', async ({ expect }) => {
    const file = new URL('../../worker/static/openapi.json', import.meta.url)
    const json = JSON.parse(await readFile(file, 'utf8')) as { paths: Record<string, object> }
    expect(json).toEqual(openApi())
    const routes = Object.entries(json.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    )
    expect(routes.sort()).toEqual(Object.keys(OPERATIONS).sort())
  })

  it('has an example for every answer that is no relay’s, and each fits its schema', ({
    expect,
  }) => {
    const { EnvelopeRecords: _, OutcomesResponse: __, LookupsResponse: ___, ...answers } = ANSWERS
    for (const [name, schema] of Object.entries(answers)) {
      const example: unknown = EXAMPLES[name as keyof typeof answers]
      expect([name, schema.safeParse(example).success]).toEqual([name, true])
    }
  })

  it('has the parameters of a message query, and no others', ({ expect }) => {
    const described = OPERATIONS['GET /v1/messages']?.parameters ?? []
    const names = described.filter((p) => p.in === 'query').map((p) => p.name)
    const known = (name: string): boolean => {
      const parsed = parseMessageQuery(new URLSearchParams({ [name]: '1' }))
      return parsed.status === 'ok' || parsed.rejection.reason !== 'unknown_field'
    }
    expect(names.filter((name) => !known(name))).toEqual([])
    const others = ['reports', 'key', 'to', 'until', 'wait', 'datahub']
    expect(others.filter(known)).toEqual([])
    expect(names).toEqual(['messageId', 'topic', 'partition', 'offset', 'from', 'limit', 'cursor'])
  })
})

const text = fc.oneof(
  { weight: 15, arbitrary: fc.string({ unit: 'binary' }) },
  { weight: 1, arbitrary: fc.constantFrom('\ud800', 'x\udfff') },
)
const json = fc.jsonValue({ maxDepth: 3 }).filter((value) => !hasLargeNumber(value))

function hasLargeNumber(value: unknown): boolean {
  if (typeof value === 'number') return Math.abs(value) > Number.MAX_SAFE_INTEGER
  return typeof value === 'object' && value !== null && Object.values(value).some(hasLargeNumber)
}

const base64 = fc.oneof(
  { weight: 4, arbitrary: fc.base64String({ maxLength: 12 }) },
  fc.stringMatching(/^[A-Za-z0-9+/=_-]{0,8}$/),
  fc.constantFrom('AA==', 'AB==', 'AAA=', 'AAB=', 'AAAA', '=', 'A', '===='),
)
const name = fc.oneof(
  { weight: 9, arbitrary: fc.string({ minLength: 1, maxLength: 5 }) },
  fc.constantFrom('', 'edgehub-id', 'edgehub-', 'edgehub', 'a\nb', '\ud800', 'source'),
)
const wrong = fc.constantFrom(null, 1, true, [], {}, 'text')
const or = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<unknown> =>
  fc.oneof({ weight: 30, arbitrary }, { weight: 1, arbitrary: wrong })
/** Without `__proto__`, which zod passes over in a record; the pattern in the description refuses it, as the parser does. */
const headers = fc
  .oneof(
    { weight: 9, arbitrary: fc.array(fc.tuple(name, or(text)), { maxLength: 4 }) },
    {
      weight: 1,
      arbitrary: fc
        .constantFrom(31, 32, 33)
        .map((n) => Array.from({ length: n }, (_, i): [string, unknown] => [`h${i}`, 'v'])),
    },
  )
  .map((entries) => Object.fromEntries(entries.filter(([key]) => key !== '__proto__')))
const report = fc.record(
  { key: or(text), value: or(text), json, base64: or(base64), headers: or(headers), extra: wrong },
  { requiredKeys: [] },
)
/** Mostly one of the three ways to give a value, so that many are taken. */
const likely = fc
  .tuple(
    report,
    fc.constantFrom('value', 'json', 'base64', 'value', 'json', 'base64', 'none', 'all'),
  )
  .map(([{ key, headers, extra, ...values }, which]) => ({
    ...(key !== undefined && { key }),
    ...(headers !== undefined && { headers }),
    ...(which === 'all' && { ...values, ...(extra !== undefined && { extra }) }),
    ...(which in values && { [which]: values[which as keyof typeof values] }),
  }))
const body = fc.oneof(
  { weight: 30, arbitrary: fc.record({ reports: fc.array(likely, { maxLength: 2 }) }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(0, 1, 500, 501).map((n) => ({ reports: Array(n).fill({}) })),
  },
  { weight: 1, arbitrary: fc.record({ reports: wrong }) },
  { weight: 1, arbitrary: fc.record({ reports: fc.array(likely), more: wrong }) },
  { weight: 1, arbitrary: wrong },
)

describe('the form of a POST of reports', () => {
  it('takes what the parser takes, and nothing else', ({ expect }) => {
    let taken = 0
    let refused = 0
    fc.assert(
      fc.property(body, (given) => {
        const parsed = parseReports(given).status === 'ok'
        expect(Reports.safeParse(given).success).toBe(parsed)
        if (parsed) taken++
        else refused++
      }),
      { numRuns: 3_000 },
    )
    // Both happened often enough to mean something.
    expect(Math.min(taken, refused)).toBeGreaterThan(500)
  })
})
