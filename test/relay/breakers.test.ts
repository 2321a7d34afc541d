import { describe, it } from 'vitest'
import { Breakers } from '../../relay/breakers.ts'

function make() {
  const time = { now: 1_000 }
  return { time, breakers: new Breakers(() => time.now) }
}

describe('a breaker', () => {
  it('is closed for what was never tried or works', ({ expect }) => {
    const { breakers } = make()
    expect(breakers.reasonFor('t')).toBeUndefined()
    expect(breakers.failingFor('t')).toBe(0)
    breakers.works('t')
    expect(breakers.open).toBe(0)
  })

  it('stays open from a second, doubling with each try that fails, up to a minute', ({
    expect,
  }) => {
    const { breakers, time } = make()
    const waits = Array.from({ length: 9 }, () => {
      breakers.fail('t', 'no_leader')
      const from = time.now
      while (breakers.reasonFor('t') === 'no_leader') time.now += 500
      return time.now - from
    })
    expect(waits).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000])
  })

  it('a failure while it is open tells the newest reason, and is no other try', ({ expect }) => {
    const { breakers, time } = make()
    breakers.fail('t', 'no_leader')
    time.now += 999
    breakers.fail('t', 'topic_not_found')
    expect(breakers.reasonFor('t')).toBe('topic_not_found')
    time.now += 1
    expect(breakers.reasonFor('t')).toBeUndefined()
  })

  it('has failed since the first failure after it last worked, also while it may be tried', ({
    expect,
  }) => {
    const { breakers, time } = make()
    breakers.fail('t', 'no_leader')
    time.now += 5_000
    expect(breakers.failingFor('t')).toBe(5_000)
    breakers.fail('t', 'no_leader')
    time.now += 1
    expect(breakers.failingFor('t')).toBe(5_001)
    breakers.works('t')
    expect(breakers.failingFor('t')).toBe(0)
    breakers.fail('t', 'no_leader')
    expect(breakers.failingFor('t')).toBe(0)
    time.now += 1_000
    expect(breakers.reasonFor('t')).toBeUndefined()
  })

  it('each place has one of its own; only open ones count', ({ expect }) => {
    const { breakers, time } = make()
    breakers.fail('t', 'topic_not_found')
    time.now += 500
    breakers.fail('t/1', 'no_leader')
    expect(breakers.reasonFor('t/2')).toBeUndefined()
    expect(breakers.open).toBe(2)
    time.now += 500
    expect(breakers.open).toBe(1)
    breakers.works('t/1')
    expect(breakers.open).toBe(0)
  })
})
