// The queue API refuses, fails, hangs, or does what it was asked and says nothing.
import { describe, inject, it } from 'vitest'
import type { Fault } from '../../../dev/queue-pull/faults.ts'
import { MSG, says, type Line } from './log-lines.ts'
import { startRig, type Rig } from './rig.ts'

const kafka = { brokers: inject('brokers'), clientId: 'queue-outage-test' }
const CALL_TIMEOUT_MS = 300
const LEASE_MS = 60_000
// Longer than any of these tests.
const HANG: Fault = { kind: 'hang', ms: 60_000 }

async function start(): Promise<Rig> {
  const rig = await startRig({ kafka, callTimeoutMs: CALL_TIMEOUT_MS, leaseMs: LEASE_MS })
  rig.sendSome(3)
  await rig.allAcked()
  return rig
}

const gapsMs = (lines: readonly Line[]): number[] =>
  lines.slice(1).map(({ time }, i) => Date.parse(time) - Date.parse(lines[i]?.time ?? ''))

describe('a pull that is answered with', { concurrent: true }, () => {
  it.for<[string, Fault, RegExp]>([
    ['429', { kind: 'overloaded' }, /answers 429, queue is overloaded/],
    ['500', { kind: 'error' }, /answers 500, internal error/],
    ['garbage', { kind: 'garbage' }, /answers something else than documented/],
  ])('%s: back-off, and nothing is lost', async ([, fault, cause], { expect }) => {
    const rig = await start()
    await rig.order('pull', fault, 4)
    const first = rig.log.next(says(MSG.pullFailed))
    rig.sendSome(3)
    await first
    expect(await rig.metric('breaker_open', { target: 'queue' })).toBe(1)
    await rig.allAcked()
    const failures = rig.log.lines.filter(says(MSG.pullFailed))
    expect(failures).toHaveLength(4)
    for (const { err } of failures) expect(err?.message).toMatch(cause)
    // 200 ms, doubling, and of each step at least half.
    const gaps = gapsMs(failures)
    expect(gaps.map((gap, i) => gap >= 100 * 2 ** i)).toEqual([true, true, true])
    expect(await rig.metric('pull_failures_total', { source: 'queue' })).toBe(4)
    expect(await rig.metric('breaker_open', { target: 'queue' })).toBe(0)
    await rig.stop()
    expect(await rig.problems()).toEqual([])
  })

  it('429 and Retry-After: it is asked again after that time, not before', async ({ expect }) => {
    const rig = await start()
    await rig.order('pull', { kind: 'overloaded', retryAfterSeconds: 1 }, 2)
    rig.sendSome(3)
    await rig.allAcked()
    const failures = rig.log.lines.filter(says(MSG.pullFailed))
    expect(gapsMs(failures).map((gap) => gap >= 1_000)).toEqual([true])
    await rig.stop()
    expect(await rig.problems()).toEqual([])
  })

  it('nothing in time: it is given up and asked again', async ({ expect }) => {
    const rig = await start()
    await rig.order('pull', HANG)
    const first = rig.log.next(says(MSG.pullFailed))
    rig.sendSome(3)
    expect((await first).err?.message).toMatch(/can't be reached: Headers Timeout/)
    await rig.allAcked()
    expect(await rig.metric('pull_failures_total', { source: 'queue' })).toBe(1)
    await rig.stop()
    expect(await rig.problems()).toEqual([])
  })

  it('an answer that is lost: the leases that nobody holds run out, and the messages come again', async ({
    expect,
  }) => {
    const rig = await start()
    await rig.order('pull', { kind: 'lost_answer' })
    rig.sendSome(3)
    await rig.log.until((lines) => lines.find(says(MSG.pullFailed)))
    expect(await rig.state()).toMatchObject({ leased: 3, acked: 3 })
    rig.skip(LEASE_MS)
    await rig.allAcked()
    expect(await rig.metric('pull_failures_total', { source: 'queue' })).toBe(1)
    expect(await rig.metric('delivered_total')).toBe(6)
    await rig.stop()
    expect(await rig.problems()).toEqual([])
  })
})

describe('an ack that is answered with', { concurrent: true }, () => {
  it.for<[string, Fault]>([
    ['429', { kind: 'overloaded' }],
    ['500', { kind: 'error' }],
    ['garbage', { kind: 'garbage' }],
    ['nothing in time', HANG],
    ['an answer that is lost', { kind: 'lost_answer' }],
  ])(
    '%s: the messages that come again are known, and acked without being sent',
    async ([, fault], { expect }) => {
      const rig = await start()
      await rig.order('ack', fault)
      rig.sendSome(3)
      await rig.log.until((lines) => lines.find(says(MSG.ackFailed)))
      expect(await rig.metric('ack_failures_total')).toBe(1)
      rig.skip(LEASE_MS)
      rig.sendSome(1)
      await rig.allAcked()
      expect(await rig.metric('delivered_total')).toBe(7)
      expect(await rig.metric('ack_failures_total')).toBe(1)
      await rig.stop()
      expect(await rig.problems()).toEqual([])
    },
  )

  it('500, when messages are handed back: their leases run out instead', async ({ expect }) => {
    const rig = await start()
    rig.worker.fail('error')
    await rig.order('ack', { kind: 'error' })
    rig.sendSome(3)
    await rig.log.until((lines) => lines.find(says(MSG.handBackFailed)))
    expect(await rig.metric('hand_back_failures_total')).toBe(1)
    await rig.worker.heal()
    rig.skip(LEASE_MS)
    await rig.allAcked()
    await rig.stop()
    expect(await rig.problems()).toEqual([])
  })
})
