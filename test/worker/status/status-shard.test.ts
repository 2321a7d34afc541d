import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import * as fc from 'fast-check'
import { describe, it } from 'vitest'
import { dropTime, tableOf } from '../../../worker/status/day-tables.ts'
import { OutcomeTables } from '../../../worker/status/outcome-tables.ts'
import type { StatusShard } from '../../../worker/status/status-shard.ts'

const DAY_MS = 86_400_000
const newShard = (): DurableObjectStub<StatusShard> => env.STATUS.getByName(crypto.randomUUID())

const IDS = ['a', 'b', 'c', 'd']
const outcomeRow = fc.record(
  { id: fc.constantFrom(...IDS), outcome: fc.constantFrom('1', '2', '3') },
  // It goes over RPC.
  { noNullPrototype: true },
)

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

  it('says which ids have a row, also after an eviction', async ({ expect }) => {
    const shard = newShard()
    expect(await shard.has(['a', 'b'])).toEqual([])
    await shard.put([{ id: 'b', outcome: '1' }])
    expect(await shard.has(['a', 'b', 'c'])).toEqual(['b'])
    await evictDurableObject(shard)
    expect(await shard.has(['a', 'b', 'c'])).toEqual(['b'])
    expect(await shard.has([])).toEqual([])
  })

  it('never changes a final outcome, whatever comes again or in another order', async ({
    expect,
  }) => {
    const step = fc.record({
      rows: fc.array(outcomeRow, { minLength: 1, maxLength: 4 }),
      evicted: fc.boolean(),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(step), async (steps) => {
        const shard = newShard()
        const first = new Map<string, string>()
        for (const { rows, evicted } of steps) {
          expect(await shard.put(rows)).toEqual(rows.map(({ id }) => id))
          if (evicted) await evictDurableObject(shard)
          for (const { id, outcome } of rows) if (!first.has(id)) first.set(id, outcome)
          const found = (await shard.get(IDS)).map(({ id, outcome }) => [id, outcome] as const)
          expect(new Map(found)).toEqual(first)
          expect(await shard.has(IDS)).toEqual(IDS.filter((id) => first.has(id)))
        }
        for (const [id, outcome] of first) expect(await shard.wait(id, 0)).toBe(outcome)
      }),
      { numRuns: 50 },
    )
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

  it('never change a row, whatever day another outcome comes', async ({ expect }) => {
    const start = Date.UTC(2026, 10, 25)
    const put = fc.record({
      rows: fc.array(outcomeRow, { minLength: 1, maxLength: 4 }),
      // Days in any order: another machine's clock may be behind. No table is old enough to go.
      day: fc.nat(8),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(put), async (puts) => {
        await runInDurableObject(newShard(), (_, state) => {
          const tables = new OutcomeTables(state.storage)
          const first = new Map<string, string>()
          for (const { rows, day } of puts) {
            tables.put(rows, start + day * DAY_MS)
            tables.dropExpired(start + day * DAY_MS)
            for (const { id, outcome } of rows) if (!first.has(id)) first.set(id, outcome)
            const found = tables.get(IDS).map(({ id, outcome }) => [id, outcome] as const)
            expect(found).toHaveLength(first.size)
            expect(new Map(found)).toEqual(first)
            expect(tables.has(IDS)).toEqual(IDS.filter((id) => first.has(id)))
          }
        })
      }),
      { numRuns: 50 },
    )
  })

  it('read one row to miss an id and two to find it, however many tables there are', async ({
    expect,
  }) => {
    await runInDurableObject(newShard(), (_, { storage }) => {
      const cursors: SqlStorageCursor<Record<string, SqlStorageValue>>[] = []
      const counting = {
        transactionSync: (run: () => void) => storage.transactionSync(run),
        sql: {
          exec(query: string, ...bindings: unknown[]) {
            const cursor = storage.sql.exec(query, ...bindings)
            cursors.push(cursor)
            return cursor
          },
        },
      } as unknown as DurableObjectStorage
      const tables = new OutcomeTables(counting)
      const start = Date.UTC(2026, 10, 25)
      for (let day = 0; day < 10; day++) {
        tables.put([{ id: `id of day ${day}`, outcome: '1' }], start + day * DAY_MS)
      }
      expect(tables.days).toHaveLength(10)
      const rowsRead = (ask: () => unknown): number => {
        cursors.length = 0
        ask()
        return cursors.reduce((sum, cursor) => sum + cursor.rowsRead, 0)
      }
      const misses = Array.from({ length: 100 }, (_, i) => `miss ${i}`)
      expect(rowsRead(() => tables.has(misses))).toBe(100)
      expect(rowsRead(() => tables.get(misses))).toBe(100)
      for (const day of [0, 9]) {
        expect(rowsRead(() => tables.has([`id of day ${day}`]))).toBe(2)
        expect(rowsRead(() => tables.get([`id of day ${day}`]))).toBe(2)
      }
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
