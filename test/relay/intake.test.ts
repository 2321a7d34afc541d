import { describe, it } from 'vitest'
import { Intake } from '../../relay/intake.ts'
import { QueueError, type Lease } from '../../relay/queue/client.ts'
import { itemOf, leaseOf } from '../support/items.ts'

/** An intake whose queue answers from a script; it sleeps for ever after `sleeps` sleeps, so that the test ends where it wants. */
function makeIntake(
  answers: (number | Error)[],
  limits = { maxReports: 1_000, maxBytes: 1e9, maxPulls: 4 },
) {
  const sleeps: number[] = []
  let pulls = 0
  let lease = 0
  const dry = Promise.withResolvers<void>()
  const intake = new Intake(
    {
      async pull(): Promise<Lease[]> {
        const answer = answers[pulls++]
        if (answer instanceof Error) throw answer
        return Array.from({ length: answer ?? 0 }, () => leaseOf(++lease, 'body'))
      },
      prepare: async (of) => ({ ...itemOf(1), lease: of }),
      async sleep(ms, signal) {
        sleeps.push(ms)
        if (pulls < answers.length) return
        dry.resolve()
        await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
      },
      random: () => 1,
      onPulled: () => {},
      onPullFailed: () => {},
    },
    limits,
  )
  return { intake, sleeps, dry: dry.promise, pulls: () => pulls }
}

const forever = new AbortController().signal

describe('the intake', () => {
  it('backs off from 20 ms to a second on an empty queue, and a message brings it back to 20 ms', async ({
    expect,
  }) => {
    const { intake, sleeps, dry } = makeIntake([0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0])
    intake.resume()
    await dry
    expect(sleeps).toEqual([20, 40, 80, 160, 320, 640, 1_000, 1_000, 20, 40])
    await intake.stop()
  })

  it('backs off on failures, and waits as long as Retry-After says', async ({ expect }) => {
    const { intake, sleeps, dry } = makeIntake([
      new Error('x'),
      new Error('x'),
      new QueueError('429', { status: 429, retryAfterMs: 7_000 }),
      0,
    ])
    intake.resume()
    await dry
    expect(sleeps).toEqual([200, 400, 7_000, 20])
    await intake.stop()
  })

  it('hands out everything in order, cut into batches by the number of reports', async ({
    expect,
  }) => {
    const { intake, dry } = makeIntake([5, 0], { maxReports: 2, maxBytes: 1e9, maxPulls: 1 })
    intake.resume()
    const batches = [
      await intake.take(forever),
      await intake.take(forever),
      await intake.take(forever),
    ]
    await dry
    expect(batches.map((b) => b.map(({ lease }) => lease.leaseId))).toEqual([
      ['lease-1', 'lease-2'],
      ['lease-3', 'lease-4'],
      ['lease-5'],
    ])
    await intake.stop()
  })

  it('an item larger than a batch is a batch of its own', async ({ expect }) => {
    const { intake, dry } = makeIntake([2, 0], { maxReports: 1_000, maxBytes: 1, maxPulls: 1 })
    intake.resume()
    expect(await intake.take(forever)).toHaveLength(1)
    expect(await intake.take(forever)).toHaveLength(1)
    await dry
    await intake.stop()
  })

  it('stops pulling when its buffer is full, and hands out at the end what nobody took', async ({
    expect,
  }) => {
    const { intake, pulls } = makeIntake([100, 100, 100], {
      maxReports: 100,
      maxBytes: 1e9,
      maxPulls: 1,
    })
    intake.resume()
    const first = await intake.take(forever)
    const rest = await intake.stop()
    expect(first.length).toBe(100)
    expect(pulls()).toBeLessThanOrEqual(2)
    expect(rest.length).toBe((pulls() - 1) * 100)
  })

  it('a take that is aborted ends with nothing', async ({ expect }) => {
    const { intake, dry } = makeIntake([0])
    const abort = new AbortController()
    intake.resume()
    await dry
    const taking = intake.take(abort.signal)
    abort.abort()
    expect(await taking).toEqual([])
    await intake.stop()
  })
})
