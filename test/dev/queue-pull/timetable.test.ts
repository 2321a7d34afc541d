import * as fc from 'fast-check'
import { it } from 'vitest'
import { Timetable, type Timed } from '../../../dev/queue-pull/timetable.ts'

it('the earliest entry is always first, whichever entries leave', ({ expect }) => {
  const times = fc.array(fc.nat(1000), { minLength: 1, maxLength: 60, size: 'max' })
  fc.assert(
    fc.property(times, fc.infiniteStream(fc.nat()), (ats, picks) => {
      const timetable = new Timetable<Timed>()
      const inside = ats.map((at): Timed => ({ at, slot: -1 }))
      for (const entry of inside) timetable.add(entry)
      for (const pick of picks) {
        expect(timetable.values()).toHaveLength(inside.length)
        const earliest = Math.min(...inside.map((entry) => entry.at))
        expect(timetable.earliest()?.at ?? Infinity).toBe(earliest)
        const [leaving] = inside.splice(pick % (inside.length || 1), 1)
        if (!leaving) break
        timetable.remove(leaving)
        // Wherever it sits, no entry is before the one above it.
        for (const [slot, { at }] of timetable.values().entries()) {
          expect(at).toBeGreaterThanOrEqual(timetable.values()[(slot - 1) >> 1]?.at ?? 0)
        }
      }
    }),
    { numRuns: 50 },
  )
})

it('an entry that is not in the timetable can leave it', ({ expect }) => {
  const timetable = new Timetable<Timed>()
  const [stays, leaves] = [
    { at: 1, slot: -1 },
    { at: 0, slot: -1 },
  ]
  timetable.add(stays)
  timetable.add(leaves)
  timetable.remove(leaves)
  timetable.remove(leaves)
  expect(timetable.earliest()).toBe(stays)
})
