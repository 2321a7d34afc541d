import * as fc from 'fast-check'
import { describe, it } from 'vitest'
import { bytesOf } from '../../relay/item.ts'
import { forever, itemsOf, makeIntake, settled, type Setup } from '../support/intake-script.ts'
import { leaseIds } from '../support/items.ts'

describe('room', () => {
  it('property: nothing is pulled while two batches are held, and no more than fits into them, but never fewer than ten', async ({
    expect,
  }) => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 300 }),
        fc.integer({ min: 100, max: 100_000 }),
        fc.integer({ min: 1, max: 5_000 }),
        fc.array(fc.nat(100), { minLength: 1, maxLength: 12 }),
        async (maxReports, maxBytes, messageBytes, sizes) => {
          let held = 0
          let heldBytes = 0
          const pulls: { limit: number; room: number; roomBytes: number }[] = []
          const { intake, asked, start } = makeIntake({
            queue: [...sizes, 0],
            messageBytes,
            limits: { maxReports, maxBytes },
            async prepare(leases, emit) {
              const limit = asked.queue.at(-1) ?? 0
              pulls.push({
                limit,
                room: 2 * maxReports - held,
                roomBytes: 2 * maxBytes - heldBytes,
              })
              for (const item of itemsOf(leases)) {
                held++
                heldBytes += bytesOf(item)
                emit(item)
              }
            },
          })
          start()
          for (;;) {
            await settled()
            expect(held).toBeLessThan(2 * maxReports + 10)
            if (held === 0) break
            const batch = await intake.take(forever)
            held -= batch.length
            heldBytes -= batch.reduce((sum, item) => sum + bytesOf(item), 0)
          }
          for (const { limit, room, roomBytes } of pulls) {
            expect(Math.min(room, roomBytes)).toBeGreaterThan(0)
            expect(limit).toBeLessThanOrEqual(Math.max(room, 10))
          }
          await intake.stop()
        },
      ),
      { numRuns: 50 },
    )
  })

  it.for<[string, Setup]>([
    ['of many bytes', { messageBytes: 100_000, limits: { maxBytes: 1_000_000 } }],
    ['of many reports', { records: 100, limits: { maxReports: 1_000 } }],
  ])(
    'messages %s make pulls smaller, but never smaller than ten',
    async ([, setup], { expect }) => {
      const { intake, asked, start } = makeIntake({ queue: [1, 1, 1, 1, 1, 1, 1, 1, 0], ...setup })
      start()
      await settled()
      const limits = asked.queue
      expect(limits.length).toBeGreaterThan(5)
      expect(limits).toEqual([...limits].sort((a, b) => b - a))
      expect(limits.at(-1)).toBeLessThan(limits[0] ?? 0)
      expect(limits.at(-1)).toBeGreaterThanOrEqual(10)
      await intake.stop()
    },
  )

  it('for fetched records is there when what is buffered and being fetched was taken or given back', async ({
    expect,
  }) => {
    const { intake, start } = makeIntake({
      queue: [2, 0],
      messageBytes: 40,
      limits: { maxBytes: 50 },
    })
    start()
    await settled()
    const calls: string[] = []
    const first = intake.room(21).then((giveBack) => {
      calls.push('first has room')
      return giveBack
    })
    await settled()
    expect(calls).toEqual([])
    await intake.take(forever)
    const giveBack = await first
    const second = intake.room(80).then(() => calls.push('second has room'))
    await intake.take(forever)
    await settled()
    expect(calls).toEqual(['first has room'])
    giveBack()
    // What gives room back puts its item into the buffer in the same turn; here, nothing comes of it.
    intake.release('not_booted')
    await second
    await intake.stop()
  })

  it('records larger than all the room are fetched alone; stopping waits for no room', async ({
    expect,
  }) => {
    const { intake } = makeIntake({ limits: { maxBytes: 50 } })
    await intake.room(1_000)
    const waiting = intake.room(1)
    await intake.stop()
    await waiting
    expect(await intake.stop()).toEqual([])
  })
})

describe('what is under way', () => {
  function heldBack() {
    const gates: { emit: () => void; end: PromiseWithResolvers<void> }[] = []
    const made = makeIntake({
      queue: [2, 0],
      deadLetters: [1, 0],
      async prepare(leases, emit) {
        const end = Promise.withResolvers<void>()
        const items = itemsOf(leases).map((item) => ({ ...item, evidence: made.time.ledgerEnd }))
        gates.push({ emit: () => items.splice(0, 1).forEach((item) => emit(item)), end })
        await end.promise
      },
    })
    return { ...made, gates }
  }

  it('stop waits for what is being prepared, and hands it out with what nobody took', async ({
    expect,
  }) => {
    const { intake, start, gates } = heldBack()
    start()
    await settled()
    gates[0]?.emit()
    let isStopped = false
    const stopping = intake.stop().finally(() => (isStopped = true))
    await settled()
    expect(isStopped).toBe(false)
    gates[0]?.emit()
    gates[1]?.emit()
    for (const { end } of gates) end.resolve()
    expect(leaseIds(await stopping).sort()).toEqual(['lease-1', 'lease-2', 'lease-3'])
  })

  it('needs the ledger from the end that it came at, and from its evidence once it is buffered', async ({
    expect,
  }) => {
    const { intake, start, gates, time } = heldBack()
    expect(intake.neededFrom()).toBeUndefined()
    time.ledgerEnd = 5n
    start()
    await settled()
    expect(intake.neededFrom()).toBe(5n)
    time.ledgerEnd = 9n
    gates[0]?.emit()
    await intake.take(forever)
    expect(intake.neededFrom()).toBe(5n)
    gates[0]?.emit()
    for (const { end } of gates) end.resolve()
    await settled()
    expect(intake.neededFrom()).toBe(5n)
    await intake.take(forever)
    expect(intake.neededFrom()).toBeUndefined()
    await intake.stop()
  })

  it('drained, it holds nothing, and goes on', async ({ expect }) => {
    const { intake, start } = makeIntake({ queue: [1, 1, 1, 0], limits: { maxReports: 1 } })
    start()
    await settled()
    expect(leaseIds(intake.drain())).toEqual(['lease-1', 'lease-2'])
    await settled()
    expect(leaseIds(intake.drain())).toEqual(['lease-3'])
    await intake.stop()
  })
})
