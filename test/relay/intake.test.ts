import { describe, it } from 'vitest'
import type { IntakeLimits } from '../../relay/intake.ts'
import { QueueError } from '../../relay/queue/client.ts'
import { forever, makeIntake, settled, takeAll } from '../support/intake-script.ts'
import { leaseIds } from '../support/items.ts'

describe('the pace of the pulls', () => {
  it('an empty queue is asked ever more rarely, from 20 ms to a second; a message brings it back to 20 ms', async ({
    expect,
  }) => {
    const { intake, sleeps, start } = makeIntake({ queue: [0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0] })
    start()
    await settled()
    expect(sleeps).toEqual([20, 40, 80, 160, 320, 640, 1_000, 1_000, 20, 40])
    await intake.stop()
  })

  it('each source idles on its own: messages of one do not hurry the other', async ({ expect }) => {
    const { intake, sleeps, start } = makeIntake({
      queue: [1, 1, 1, 1, 1, 1],
      deadLetters: [0, 0, 0, 0, 0, 0, 1, 0],
    })
    start()
    await settled()
    const deadLetterSleeps = sleeps.filter((ms) => ms >= 1_000)
    expect(deadLetterSleeps).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 1_000])
    await intake.stop()
  })

  it('failures are followed by longer and longer waits, and never by less than Retry-After says', async ({
    expect,
  }) => {
    const limited = (retryAfterMs: number) => new QueueError('429', { retryAfterMs })
    const { intake, sleeps, failures, start } = makeIntake({
      queue: [new Error('x'), new Error('x'), limited(7_000), 0, limited(1), 0],
    })
    start()
    await settled()
    expect(sleeps).toEqual([200, 400, 7_000, 20, 200, 40])
    expect(failures).toHaveLength(4)
    await intake.stop()
  })

  it('full pulls are followed by more of them at once, up to the most that is allowed', async ({
    expect,
  }) => {
    const most: number[] = []
    let underWay = 0
    const { intake, start } = makeIntake({
      queue: [...Array<number>(15).fill(100), 5, 0],
      limits: { maxReports: 100_000, maxPulls: 4 },
      async onPulled() {
        most.push(++underWay)
        await Promise.resolve()
        underWay--
      },
    })
    start()
    await settled()
    expect(Math.max(...most)).toBe(4)
    await intake.stop()
  })

  it('a moment that is cut off right after a pull is a failed pull', async ({ expect }) => {
    const { intake, failures, start } = makeIntake({
      queue: [3, 0],
      onPulled: (leases) => {
        if (leases.length > 0) throw new Error('cut')
      },
    })
    start()
    await settled()
    expect(failures).toEqual([new Error('cut')])
    expect(await intake.stop()).toEqual([])
  })
})

describe('a wake', () => {
  const EMPTY = [0, 0, 0, 0, 0, 0]
  const SLOWER = [20, 40, 80, 160, 320, 640]

  it('ends the wait between two empty pulls of the queue, and sets its pace back to 20 ms', async ({
    expect,
  }) => {
    const { intake, sleeps, asked, start } = makeIntake({ queue: EMPTY })
    start()
    await settled()
    expect([sleeps, asked.queue.length]).toEqual([SLOWER, 6])
    intake.wake()
    await settled()
    expect([sleeps, asked.queue.length]).toEqual([[...SLOWER, 20], 7])
    await intake.stop()
  })

  it('is nothing to the dead-letter queue', async ({ expect }) => {
    const { intake, asked, start } = makeIntake({ queue: [0], deadLetters: [0, 0] })
    start()
    await settled()
    const before = asked.dead_letter_queue.length
    intake.wake()
    await settled()
    expect(asked.dead_letter_queue).toHaveLength(before)
    await intake.stop()
  })

  it('during a pull begins no other one, however many come, and sets the pace back after it', async ({
    expect,
  }) => {
    const wakers: (() => void)[] = []
    let underWay = 0
    let most = 0
    const { intake, sleeps, asked, start } = makeIntake({
      queue: EMPTY,
      async onPulled() {
        most = Math.max(most, ++underWay)
        for (const wake of wakers) wake()
        await settled()
        underWay--
      },
    })
    start()
    while (sleeps.length < 6) await settled()
    wakers.push(...Array<() => void>(50).fill(() => intake.wake()))
    intake.wake()
    while (sleeps.length < 7) await settled()
    wakers.length = 0
    expect(sleeps.at(-1)).toBe(20)
    expect([most, asked.queue.length]).toEqual([1, 7])
    intake.wake()
    intake.wake()
    while (sleeps.length < 8) await settled()
    expect([most, asked.queue.length]).toEqual([1, 8])
    await intake.stop()
  })

  it('pulls nothing while the intake is held, or before the first boot', async ({ expect }) => {
    const { intake, asked, start } = makeIntake({ queue: [0] })
    intake.wake()
    await settled()
    expect(asked.queue).toEqual([])
    start()
    await settled()
    intake.hold('worker_away')
    intake.wake()
    await settled()
    expect(asked.queue).toHaveLength(1)
    intake.release('worker_away')
    await settled()
    expect(asked.queue).toHaveLength(2)
    await intake.stop()
  })

  it('does not shorten the wait after a failure', async ({ expect }) => {
    const { intake, sleeps, asked, start } = makeIntake({ queue: [0, 0, new Error('x')] })
    start()
    await settled()
    expect(sleeps).toEqual([20, 40, 200])
    intake.wake()
    await settled()
    expect(asked.queue).toHaveLength(3)
    await intake.stop()
  })

  it('after the stop is nothing', async ({ expect }) => {
    const { intake, asked, start } = makeIntake({ queue: [0] })
    start()
    await settled()
    await intake.stop()
    intake.wake()
    await settled()
    expect(asked.queue).toHaveLength(1)
  })
})

describe('the intake', () => {
  it('pulls nothing before the first boot, and nothing while anything holds it', async ({
    expect,
  }) => {
    const { intake, asked, start } = makeIntake({ queue: [0] })
    await settled()
    expect(asked.queue).toEqual([])
    intake.hold('worker_away')
    start()
    await settled()
    expect(asked.queue).toEqual([])
    intake.release('worker_away')
    await settled()
    expect(asked.queue).toEqual([100])
    await intake.stop()
  })

  it('keeps and hands out what it has while it is held, and pulls again when it is released', async ({
    expect,
  }) => {
    const { intake, asked, start } = makeIntake({
      queue: [1, 1, 1, 0],
      limits: { maxReports: 1 },
    })
    start()
    await settled()
    expect(asked.queue).toHaveLength(2)
    intake.hold('unsettled')
    expect(leaseIds(await intake.take(forever))).toEqual(['lease-1'])
    expect(leaseIds(await intake.take(forever))).toEqual(['lease-2'])
    await settled()
    expect(asked.queue).toHaveLength(2)
    intake.release('unsettled')
    await settled()
    expect(leaseIds(await intake.take(forever))).toEqual(['lease-3'])
    await intake.stop()
  })
})

describe('batches', () => {
  it.for<[string, Partial<IntakeLimits>]>([
    ['reports', { maxReports: 2 }],
    ['bytes', { maxBytes: 100 }],
  ])(
    'everything is handed out in order, cut by the number of %s',
    async ([, limits], { expect }) => {
      const { intake, start } = makeIntake({ queue: [5, 0], messageBytes: 40, limits })
      start()
      expect(await takeAll(intake)).toEqual([
        ['lease-1', 'lease-2'],
        ['lease-3', 'lease-4'],
        ['lease-5'],
      ])
      await intake.stop()
    },
  )

  it('an item larger than a batch is a batch of its own', async ({ expect }) => {
    const { intake, start } = makeIntake({ queue: [1, 1, 0], limits: { maxBytes: 8 } })
    start()
    expect(await takeAll(intake)).toEqual([['lease-1'], ['lease-2']])
    await intake.stop()
  })

  it('a lease runs out as long after the pull began as was asked for', async ({ expect }) => {
    const { intake, time, start } = makeIntake({ queue: [1, 0] })
    time.now = 500
    start()
    expect((await intake.take(forever))[0]?.lease).toMatchObject({
      source: 'queue',
      expires: 60_500,
    })
    await intake.stop()
  })

  it('a take that is aborted ends with nothing, and leaves what comes later where it is', async ({
    expect,
  }) => {
    const { intake, start } = makeIntake({ queue: [1, 0] })
    const abort = new AbortController()
    const taking = intake.take(abort.signal)
    abort.abort()
    expect(await taking).toEqual([])
    start()
    await settled()
    expect(await intake.take(abort.signal)).toEqual([])
    expect(leaseIds(await intake.stop())).toEqual(['lease-1'])
  })
})
