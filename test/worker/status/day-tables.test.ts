import { describe, it } from 'vitest'
import { STATUS_ROW_MS } from '#contract'
import { dayOf, dayOfTable, dropTime, rotate, tableOf } from '../../../worker/status/day-tables.ts'

const DAY_MS = 86_400_000
const day = dayOf(Date.UTC(2026, 10, 25, 12))

describe('day tables', () => {
  it('are named by the UTC day, and read back', ({ expect }) => {
    expect(tableOf(day)).toBe('outcomes_20261125')
    for (const d of [0, day, day + 7, day + 366]) expect(dayOfTable(tableOf(d))).toBe(d)
  })

  it.for(['sqlite_sequence', '_cf_METADATA', 'outcomes_2026112', 'x_outcomes_20261125'])(
    '%s is none of them',
    (name, { expect }) => {
      expect(dayOfTable(name)).toBeUndefined()
    },
  )

  it('belong to the day until its last millisecond', ({ expect }) => {
    expect(dayOf((day + 1) * DAY_MS - 1)).toBe(day)
    expect(dayOf((day + 1) * DAY_MS)).toBe(day + 1)
  })

  it.for([
    ['nothing, when there is nothing', [], 0, []],
    ['nothing on the day itself', [day], 0, []],
    ['nothing while the last possible row is younger than 10 days', [day], dropTime(day) - 1, []],
    ['a table whose last possible row is 10 days old', [day], dropTime(day), [day]],
    [
      'all that are due after a long pause',
      [day + 1, day, day + 2],
      dropTime(day + 1),
      [day + 1, day],
    ],
  ] as const)('drop %s', ([, days, now, drop], { expect }) => {
    const rotation = rotate(days, now)
    expect(rotation.drop).toEqual(drop)
    const keep = days.filter((d) => !(drop as readonly number[]).includes(d))
    expect(rotation.keep).toEqual(keep)
    expect(rotation.next).toBe(keep.length > 0 ? dropTime(Math.min(...keep)) : undefined)
  })

  it('keep every row for at least 10 days and none for more than 11', ({ expect }) => {
    for (const written of [day * DAY_MS, (day + 1) * DAY_MS - 1]) {
      const life = dropTime(dayOf(written)) - written
      expect(life).toBeGreaterThan(STATUS_ROW_MS)
      expect(life).toBeLessThanOrEqual(STATUS_ROW_MS + DAY_MS)
    }
  })
})
