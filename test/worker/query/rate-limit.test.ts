import { describe, it } from 'vitest'
import { createRateLimit } from '../../../worker/rate-limit.ts'

function limitAt(maxKeys = 10) {
  const clock = { now: 1_790_000_000_000 }
  return { clock, ...createRateLimit({ now: () => clock.now, maxKeys }) }
}

describe('a rate limit', () => {
  it('lets a second’s worth through, then one as each comes back', ({ expect }) => {
    const { clock, take } = limitAt()
    const burst = Array.from({ length: 25 }, () => take('a', 20))
    expect(burst.filter(Boolean)).toHaveLength(20)
    clock.now += 49
    expect(take('a', 20)).toBe(false)
    clock.now += 1
    expect(take('a', 20)).toBe(true)
    expect(take('a', 20)).toBe(false)
  })

  it('of one a second takes one each second, however often it is tried between', ({ expect }) => {
    const { clock, take } = limitAt()
    const taken: number[] = []
    for (let ms = 0; ms < 5_000; ms += 7, clock.now += 7) if (take('a', 1)) taken.push(ms)
    expect(taken).toEqual([0, 1_001, 2_002, 3_003, 4_004])
  })

  it('saves up no more than a second’s worth', ({ expect }) => {
    const { clock, take } = limitAt()
    take('a', 2)
    clock.now += 3_600_000
    expect([take('a', 2), take('a', 2), take('a', 2)]).toEqual([true, true, false])
  })

  it('does not suffer from a clock that steps back', ({ expect }) => {
    const { clock, take } = limitAt()
    take('a', 1)
    clock.now -= 60_000
    expect(take('a', 1)).toBe(false)
    clock.now += 1_000
    expect(take('a', 1)).toBe(true)
  })

  it('counts each key alone, and forgets the one used least lately', ({ expect }) => {
    const { take } = limitAt(2)
    expect([take('a', 1), take('b', 1)]).toEqual([true, true])
    expect(take('a', 1)).toBe(false)
    expect(take('c', 1)).toBe(true)
    expect([take('a', 1), take('b', 1)]).toEqual([false, true])
  })
})
