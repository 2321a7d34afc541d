import { describe, it } from 'vitest'
import { AgeingCache, SOON_MS } from '../../../worker/registry/ageing-cache.ts'
import { UnavailableError } from '../../../worker/unavailable.ts'
import { latch } from '../support/client.ts'

function makeCache(maxEntries = 100) {
  const clock = { now: 1_000_000 }
  const background: Promise<unknown>[] = []
  let reads = 0
  let next: () => Promise<string | undefined> = async () => 'first'
  const cache = new AgeingCache<string>({
    now: () => clock.now,
    log: () => {},
    maxEntries,
    isPassing: (value) => value === 'soon another',
    sharedLimitMs: 5,
  })
  return {
    clock,
    background,
    cache,
    reads: () => reads,
    answer(value: () => Promise<string | undefined>) {
      next = value
    },
    get: (key = 'k', notOlderThanMs?: number) =>
      cache.get(
        key,
        () => {
          reads++
          return next()
        },
        (promise) => background.push(promise),
        notOlderThanMs,
      ),
  }
}

const down = (): Promise<never> => Promise.reject(new Error('registry is down'))
const never = new Promise<never>(() => {})

describe('the ageing cache', () => {
  it('serves an entry for 5 s without a read', async ({ expect }) => {
    const c = makeCache()
    expect(await c.get()).toBe('first')
    c.clock.now += 4_999
    c.answer(async () => 'second')
    expect(await c.get()).toBe('first')
    expect(c.reads()).toBe(1)
  })

  it('serves an older one once more while one background read refreshes it', async ({ expect }) => {
    const c = makeCache()
    await c.get()
    c.clock.now += 5_000
    const reading = latch<string>()
    c.answer(() => reading.promise)
    expect(await c.get()).toBe('first')
    expect(await c.get()).toBe('first')
    expect(c.reads()).toBe(2)
    reading.open('second')
    await Promise.all(c.background)
    expect(await c.get()).toBe('second')
    expect(c.reads()).toBe(2)
  })

  it('never serves one of 15 s: it reads, and a failure is unavailable', async ({ expect }) => {
    const c = makeCache()
    await c.get()
    c.clock.now += 14_999
    c.answer(down)
    expect(await c.get()).toBe('first')
    await Promise.all(c.background)
    c.clock.now += 1
    await expect(c.get()).rejects.toThrow(UnavailableError)
    c.answer(async () => 'second')
    expect(await c.get()).toBe('second')
  })

  it('counts the age from when the read began', async ({ expect }) => {
    const c = makeCache()
    const reading = latch<string>()
    c.answer(() => reading.promise)
    const first = c.get()
    c.clock.now += 4_000
    reading.open('slow')
    expect(await first).toBe('slow')
    c.clock.now += 1_000
    c.answer(async () => 'new')
    expect(await c.get()).toBe('slow')
    await Promise.all(c.background)
    expect(await c.get()).toBe('new')
  })

  it('remembers that nothing is there for 5 s, then reads before it answers', async ({
    expect,
  }) => {
    const c = makeCache()
    c.answer(async () => undefined)
    expect(await c.get()).toBeUndefined()
    c.clock.now += 4_999
    c.answer(async () => 'made since')
    expect(await c.get()).toBeUndefined()
    c.clock.now += 1
    expect(await c.get()).toBe('made since')
    expect(c.reads()).toBe(2)
  })

  it('forgets a value that is gone', async ({ expect }) => {
    const c = makeCache()
    await c.get()
    c.clock.now += 5_000
    c.answer(async () => undefined)
    expect(await c.get()).toBe('first')
    await Promise.all(c.background)
    expect(await c.get()).toBeUndefined()
  })

  it('shares one read among those who ask at once', async ({ expect }) => {
    const c = makeCache()
    expect(await Promise.all([c.get(), c.get(), c.get()])).toEqual(['first', 'first', 'first'])
    expect(c.reads()).toBe(1)
  })

  it('reads anew when the read of another request hangs or fails', async ({ expect }) => {
    for (const first of [() => never, down]) {
      const c = makeCache()
      c.answer(first)
      const other = c.get().catch(() => 'failed')
      c.answer(async () => 'own')
      expect(await c.get()).toBe('own')
      if (first === down) expect(await other).toBe('failed')
      expect(await c.get()).toBe('own')
      expect(c.reads()).toBe(2)
    }
  })

  it('does not wait for a read that must have died', async ({ expect }) => {
    const c = makeCache()
    await c.get()
    c.clock.now += 5_000
    c.answer(() => never)
    await c.get()
    c.clock.now += 5_000
    c.answer(async () => 'second')
    await c.get()
    expect(c.reads()).toBe(3)
    await c.background.at(-1)
    expect(await c.get()).toBe('second')
  })

  it('holds no more entries than allowed and lets the oldest go', async ({ expect }) => {
    const c = makeCache(2)
    for (const key of ['a', 'b', 'c']) await c.get(key)
    expect(['a', 'b', 'c'].map((key) => c.cache.has(key))).toEqual([false, true, true])
  })

  it('serves a value that is about to change for 1 s, and then reads before it answers', async ({
    expect,
  }) => {
    const c = makeCache()
    c.answer(async () => 'soon another')
    await c.get()
    c.clock.now += SOON_MS - 1
    c.answer(async () => 'first')
    expect(await c.get()).toBe('soon another')
    c.clock.now += 1
    expect(await c.get()).toBe('first')
    expect(c.reads()).toBe(2)
    c.clock.now += 4_999
    expect(await c.get()).toBe('first')
    expect(c.reads()).toBe(2)
  })

  it('costs one read a second of a value that stays about to change, however often it is asked', async ({
    expect,
  }) => {
    const c = makeCache()
    c.answer(async () => 'soon another')
    for (let ms = 0; ms < 3_000; ms += 100) {
      await Promise.all([c.get(), c.get(), c.get()])
      c.clock.now += 100
    }
    expect(c.reads()).toBe(3)
  })

  it('serves no older value that is about to change, also while the registry is away', async ({
    expect,
  }) => {
    const c = makeCache()
    c.answer(async () => 'soon another')
    await c.get()
    c.clock.now += SOON_MS
    c.answer(down)
    await expect(c.get()).rejects.toThrow(UnavailableError)
  })

  it('serves nothing of the age that the caller does not want, and shares no read of that age', async ({
    expect,
  }) => {
    const c = makeCache()
    await c.get()
    c.clock.now += 999
    c.answer(async () => 'second')
    expect(await c.get('k', 1_000)).toBe('first')
    c.clock.now += 1
    const reading = latch<string>()
    c.answer(() => reading.promise)
    const slow = c.get('k', 1_000)
    c.clock.now += 1_000
    c.answer(async () => 'third')
    const two = await Promise.all([c.get('k', 1_000), c.get('k', 1_000)])
    expect(two).toEqual(['third', 'third'])
    reading.open('second')
    expect(await slow).toBe('second')
    // The older read ended last, and is not what is kept.
    expect(await c.get()).toBe('third')
    expect(c.reads()).toBe(3)
  })

  it('has no answer for who wants a newer one than can be read', async ({ expect }) => {
    const c = makeCache()
    await c.get()
    c.clock.now += 1_000
    c.answer(down)
    await expect(c.get('k', 1_000)).rejects.toThrow(UnavailableError)
    expect(await c.get()).toBe('first')
  })
})
