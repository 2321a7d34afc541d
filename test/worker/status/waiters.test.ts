import { describe, it, vi } from 'vitest'
import { MAX_WAITERS, MAX_WAITERS_PER_ID, Waiters } from '../../../worker/status/waiters.ts'

describe('waiters', () => {
  it('are all woken by the outcome of their id, and only by it', async ({ expect }) => {
    const waiters = new Waiters()
    const two = [waiters.wait('a', 60_000), waiters.wait('a', 60_000)]
    const other = waiters.wait('b', 60_000)
    waiters.wake('a', 'outcome')
    expect(await Promise.all(two)).toEqual(['outcome', 'outcome'])
    expect(waiters.size).toBe(1)
    expect(waiters.has('a')).toBe(false)
    waiters.wake('b', 'later')
    expect(await other).toBe('later')
    expect(waiters.size).toBe(0)
  })

  it('leave with nothing when their time is up', async ({ expect }) => {
    vi.useFakeTimers()
    try {
      const waiters = new Waiters()
      const waiting = waiters.wait('a', 1_000)
      vi.advanceTimersByTime(999)
      expect(waiters.size).toBe(1)
      vi.advanceTimersByTime(1)
      expect(await waiting).toBeUndefined()
      expect(waiters.size).toBe(0)
      expect(waiters.has('a')).toBe(false)
      expect(vi.getTimerCount()).toBe(0)
    } finally {
      vi.useRealTimers()
    }
  })

  it('leave no timer behind when they are woken', async ({ expect }) => {
    vi.useFakeTimers()
    try {
      const waiters = new Waiters()
      const waiting = waiters.wait('a', 1_000)
      waiters.wake('a', 'outcome')
      expect(await waiting).toBe('outcome')
      expect(vi.getTimerCount()).toBe(0)
    } finally {
      vi.useRealTimers()
    }
  })

  it('are at most 4 for an id, one more is answered at once', async ({ expect }) => {
    const waiters = new Waiters()
    const waiting = Array.from({ length: MAX_WAITERS_PER_ID }, () => waiters.wait('a', 60_000))
    expect(await waiters.wait('a', 60_000)).toBeUndefined()
    waiters.wake('a', 'outcome')
    expect(await Promise.all(waiting)).toEqual(Array(MAX_WAITERS_PER_ID).fill('outcome'))
  })

  it('are at most 5,000 in all, one more is answered at once', async ({ expect }) => {
    const waiters = new Waiters()
    const waiting = Array.from({ length: MAX_WAITERS }, (_, i) => waiters.wait(`${i}`, 60_000))
    expect(await waiters.wait('one more', 60_000)).toBeUndefined()
    expect(waiters.has('one more')).toBe(false)
    for (let i = 0; i < MAX_WAITERS; i++) waiters.wake(`${i}`, 'outcome')
    await Promise.all(waiting)
    expect(waiters.size).toBe(0)
  })

  it('do not wait for no time', async ({ expect }) => {
    const waiters = new Waiters()
    expect(await waiters.wait('a', 0)).toBeUndefined()
    expect(waiters.size).toBe(0)
  })
})
