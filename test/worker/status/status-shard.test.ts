import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { describe, it } from 'vitest'
import { dropTime, tableOf } from '../../../worker/status/day-tables.ts'
import { OutcomeTables } from '../../../worker/status/outcome-tables.ts'
import type { StatusShard } from '../../../worker/status/status-shard.ts'

const DAY_MS = 86_400_000
const newShard = (): DurableObjectStub<StatusShard> => env.STATUS.getByName(crypto.randomUUID())

describe('a status shard', () => {
  it('answers every id that it was given, and keeps the first outcome', async ({ expect }) => {
    const shard = newShard()
    expect(
      await shard.put([
        { id: 'a', outcome: '1' },
        { id: 'b', outcome: '2' },
        { id: 'a', outcome: '3' },
      ]),
    ).toEqual(['a', 'b', 'a'])
    expect(
      await shard.put([
        { id: 'b', outcome: '4' },
        { id: 'c', outcome: '5' },
      ]),
    ).toEqual(['b', 'c'])
    const rows = await shard.get(['c', 'a', 'b', 'none'])
    expect(rows.map(({ id, outcome }) => `${id} ${outcome}`).toSorted()).toEqual([
      'a 1',
      'b 2',
      'c 5',
    ])
  })

  it('takes a thousand rows in one call', async ({ expect }) => {
    const shard = newShard()
    const rows = Array.from({ length: 1_000 }, (_, i) => ({ id: `id${i}`, outcome: `{"n":${i}}` }))
    expect(await shard.put(rows)).toHaveLength(1_000)
    expect(await shard.get(rows.map((row) => row.id))).toHaveLength(1_000)
  })

  it('keeps its rows over an eviction', async ({ expect }) => {
    const shard = newShard()
    await shard.put([{ id: 'a', outcome: '1' }])
    await evictDurableObject(shard)
    expect(await shard.wait('a', 0)).toBe('1')
    expect(await shard.put([{ id: 'a', outcome: '2' }])).toEqual(['a'])
    expect(await shard.wait('a', 0)).toBe('1')
  })

  it('wakes those who wait with the outcome that is stored', async ({ expect }) => {
    const shard = newShard()
    const waiting = [shard.wait('a', 20_000), shard.wait('a', 20_000)]
    await shard.put([{ id: 'other', outcome: '0' }])
    await shard.put([
      { id: 'a', outcome: '1' },
      { id: 'a', outcome: '2' },
    ])
    expect(await Promise.all(waiting)).toEqual(['1', '1'])
    expect(await shard.wait('a', 20_000)).toBe('1')
  })

  it('answers null at once to a fifth that waits for an id', async ({ expect }) => {
    const shard = newShard()
    const waiting = Array.from({ length: 4 }, () => shard.wait('a', 20_000))
    expect(await shard.wait('a', 20_000)).toBeNull()
    await shard.put([{ id: 'a', outcome: '1' }])
    expect(await Promise.all(waiting)).toEqual(['1', '1', '1', '1'])
  })

  it('sets an alarm for the day when its table is due, and runs it without loss before', async ({
    expect,
  }) => {
    const shard = newShard()
    await shard.put([{ id: 'a', outcome: '1' }])
    const due = await runInDurableObject(shard, async (_, state) => {
      const tables = new OutcomeTables(state.storage)
      expect(tables.days).toHaveLength(1)
      expect(await state.storage.getAlarm()).toBe(dropTime(tables.days[0] ?? 0))
      return state.storage.getAlarm()
    })
    expect(await runDurableObjectAlarm(shard)).toBe(true)
    expect(await shard.wait('a', 0)).toBe('1')
    await runInDurableObject(shard, async (_, state) => {
      expect(await state.storage.getAlarm()).toBe(due)
    })
  })
})

describe('outcome tables', () => {
  it('keep an id in the table of the day it was first written, and find it from all', async ({
    expect,
  }) => {
    await runInDurableObject(newShard(), (_, state) => {
      const tables = new OutcomeTables(state.storage)
      const start = Date.UTC(2026, 10, 25, 23)
      expect(tables.put([{ id: 'a', outcome: 'monday' }], start)).toEqual({ tableMade: true })
      expect(tables.put([{ id: 'b', outcome: 'monday' }], start)).toEqual({ tableMade: false })
      tables.put(
        [
          { id: 'a', outcome: 'tuesday' },
          { id: 'c', outcome: 'tuesday' },
        ],
        start + DAY_MS,
      )
      tables.put(
        [
          { id: 'a', outcome: 'later' },
          { id: 'c', outcome: 'later' },
        ],
        start + 5 * DAY_MS,
      )
      expect(tables.days).toHaveLength(3)
      const rows = tables.get(['a', 'b', 'c']).map(({ id, outcome }) => `${id} ${outcome}`)
      expect(rows.toSorted()).toEqual(['a monday', 'b monday', 'c tuesday'])

      const [first = 0, second = 0, third = 0] = tables.days
      expect(tables.dropExpired(dropTime(first) - 1)).toBe(dropTime(first))
      expect(tables.get(['a', 'b', 'c'])).toHaveLength(3)
      expect(tables.dropExpired(dropTime(first))).toBe(dropTime(second))
      expect(tables.get(['a', 'b', 'c']).map((row) => row.id)).toEqual(['c'])
      expect(tables.dropExpired(dropTime(third))).toBeUndefined()
      expect(tables.days).toEqual([])
      expect(new OutcomeTables(state.storage).days).toEqual([])
    })
  })

  it('take rows even when the clock goes back a day', async ({ expect }) => {
    await runInDurableObject(newShard(), (_, state) => {
      const tables = new OutcomeTables(state.storage)
      const now = Date.UTC(2026, 10, 25)
      tables.put([{ id: 'a', outcome: '1' }], now)
      tables.put(
        [
          { id: 'a', outcome: '2' },
          { id: 'b', outcome: '2' },
        ],
        now - 1,
      )
      expect(
        tables
          .get(['a', 'b'])
          .map((row) => row.outcome)
          .toSorted(),
      ).toEqual(['1', '2'])
      const names = new OutcomeTables(state.storage).days.map((day) => tableOf(day))
      expect(names.toSorted()).toEqual(['outcomes_20261124', 'outcomes_20261125'])
    })
  })
})
