import * as fc from 'fast-check'
import { describe, it } from 'vitest'
import { MAX_AGE_MS } from '../../../worker/registry/ageing-cache.ts'
import type { TaskStatus } from '../../../worker/registry/directory.ts'
import {
  afterChange,
  SPREAD_MS,
  statusAt,
  takesReports,
  type StateChange,
} from '../../../worker/registry/task-status.ts'

const STATUSES: TaskStatus[] = [-1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9]

describe('a change of state', () => {
  const no = 'refused'
  const is = 'unchanged'
  it.for<[StateChange, Partial<Record<TaskStatus, TaskStatus | 'unchanged' | 'refused'>>]>([
    ['pause', { [-1]: no, 0: no, 1: 5, 2: no, 3: no, 5: is, 6: is, 8: 5 }],
    ['resume', { [-1]: no, 0: no, 1: is, 2: no, 3: no, 5: 8, 6: 8, 8: is }],
    ['restart', { [-1]: 0, 0: 0, 1: 0, 2: no, 3: no, 5: 0, 6: 0, 8: 0 }],
    ['delete', { [-1]: 2, 0: 2, 1: 2, 2: is, 3: no, 5: 2, 6: 2, 8: 2 }],
  ])('by %s leads from each state where it should', ([change, table], { expect }) => {
    for (const [status, next] of Object.entries(table)) {
      expect([status, afterChange(change, Number(status) as TaskStatus)]).toEqual([status, next])
    }
  })
})

describe('what time makes of a stored state', () => {
  const settled = { 2: 3, 5: 6, 8: 1 } as Partial<Record<TaskStatus, TaskStatus>>

  it('is the next one once no cache can hold the one of before, and not a millisecond sooner', ({
    expect,
  }) => {
    expect(SPREAD_MS).toBe(MAX_AGE_MS)
    for (const status of STATUSES) {
      expect(statusAt(status, 100, 100)).toBe(status)
      expect(statusAt(status, 100, 100 + SPREAD_MS - 1)).toBe(status)
      expect(statusAt(status, 100, 100 + SPREAD_MS)).toBe(settled[status] ?? status)
    }
  })

  it('never goes back while time goes on', ({ expect }) => {
    fc.assert(
      fc.property(fc.constantFrom(...STATUSES), fc.nat(60_000), fc.nat(60_000), (status, a, b) => {
        const [sooner, later] = [Math.min(a, b), Math.max(a, b)]
        const then = statusAt(status, 0, sooner)
        expect(statusAt(then, 0, later)).toBe(statusAt(status, 0, later))
      }),
    )
  })
})

it('reports are taken of a task that is running or resuming, and of no other', ({ expect }) => {
  expect(STATUSES.filter(takesReports)).toEqual([1, 8])
})
