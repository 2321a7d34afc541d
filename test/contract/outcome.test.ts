import * as fc from 'fast-check'
import { describe, it } from 'vitest'
import {
  FAILURE_REASONS,
  Outcome,
  OutcomesRequest,
  packRuns,
  summarize,
  unpackRuns,
  type ReportOutcome,
} from '#contract'
import golden from './golden/outcome.json' with { type: 'json' }
import request from './golden/outcomes-request.json' with { type: 'json' }

const MAX_OFFSET = 2n ** 63n - 1n

const report: fc.Arbitrary<ReportOutcome> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .tuple(fc.nat(2), fc.bigInt(0n, 4n))
      .map(([partition, offset]) => delivered(partition, offset)),
  },
  fc
    .tuple(fc.nat(100_000), fc.bigInt(0n, MAX_OFFSET))
    .map(([partition, offset]) => delivered(partition, offset)),
  fc
    .constantFrom(...FAILURE_REASONS)
    .map((reason): ReportOutcome => ({ status: 'failed', reason })),
)

function delivered(partition: number, offset: bigint): ReportOutcome {
  return { status: 'delivered', partition, offset: offset.toString() }
}

describe('an outcome', () => {
  it('is read and written as ever', ({ expect }) => {
    expect(Outcome.parse(golden)).toEqual(golden)
    expect(OutcomesRequest.parse(request)).toEqual(request)
  })

  it('unpacks offsets beyond 2^53 exactly', ({ expect }) => {
    expect(unpackRuns(Outcome.parse(golden).runs)).toEqual([
      delivered(4, 9007199254740993n),
      delivered(4, 9007199254740994n),
      { status: 'failed', reason: 'record_too_large' },
      delivered(0, 0n),
    ])
  })

  it('comes back from its runs as it was, and its runs are valid', ({ expect }) => {
    fc.assert(
      fc.property(fc.array(report, { minLength: 1, maxLength: 50 }), (reports) => {
        const runs = packRuns(reports)
        expect(unpackRuns(runs)).toEqual(reports)
        expect(Outcome.parse({ ...golden, runs }).runs).toEqual(runs)
        expect(runs.reduce((sum, [count]) => sum + count, 0)).toBe(reports.length)
      }),
    )
  })

  it('packs 500 reports of one partition into one run', ({ expect }) => {
    const reports = Array.from({ length: 500 }, (_, i) => delivered(3, BigInt(i)))
    expect(packRuns(reports)).toEqual([[500, 3, '0']])
  })

  it.for([
    ['an unknown reason', [[1, 'because']]],
    ['a count of zero', [[0, 1, '5']]],
    ['a negative partition', [[1, -1, '5']]],
    ['a numeric offset', [[1, 1, 5]]],
    ['no runs', []],
  ] as const)('is refused with %s', ([, runs], { expect }) => {
    expect(Outcome.safeParse({ ...golden, runs }).success).toBe(false)
  })

  it.for([
    [['delivered', 'delivered'], 'delivered'],
    [['delivered', 'failed'], 'partial'],
    [['failed', 'failed'], 'failed'],
  ] as const)('%j together are %s', ([statuses, whole], { expect }) => {
    const reports = statuses.map((status) =>
      status === 'failed' ? ({ status, reason: 'purged' } as const) : delivered(0, 0n),
    )
    expect(summarize(reports)).toBe(whole)
  })
})
