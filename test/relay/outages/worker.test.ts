// The worker fails in every way that a worker, its status store or a proxy in front of it can.
import { randomBytes } from 'node:crypto'
import { describe, inject, it } from 'vitest'
import { envelopeIdOf, statusShardOf, STATUS_SHARDS, type EnvelopeId } from '#contract'
import type { StandInWorker, WorkerFault } from '../../support/stand-in-worker.ts'
import { MSG, says } from './log-lines.ts'
import { startRig } from './rig.ts'

const kafka = { brokers: inject('brokers'), clientId: 'worker-outage-test' }
const CALL_TIMEOUT_MS = 300
// A pull that is under way when the circuit opens may still end and be followed by none.
const PULLS_UNDER_WAY = 1

function idIn(statusShard: number): EnvelopeId {
  for (;;) {
    const id = envelopeIdOf(randomBytes(12))
    if (statusShardOf(id) === statusShard) return id
  }
}

type Break = (worker: StandInWorker) => void | Promise<void>
const fail =
  (...args: Parameters<StandInWorker['fail']>): Break =>
  (worker) =>
    worker.fail(...args)

const LOOK_UP_FAULTS: [string, Break, RegExp][] = [
  ['refuses connections', (worker) => worker.down(), /ECONNREFUSED/],
  ['answers 500', fail('error'), /answers 500/],
  ['answers look-ups alone with 500', fail('error', 'lookups'), /lookups answers 500/],
  ['is replaced by a 503 page of a proxy', fail('unavailable_page'), /answers 503: <html>/],
  ['is replaced by a 200 page of a proxy', fail('page'), /not valid JSON/],
  ['does not answer in time', fail('hang'), /Headers Timeout/],
  ['stops in the middle of its answers', fail('stall'), /Body Timeout/],
  ['cuts its connections', fail('lost_answer'), /other side closed/],
  ['refuses the token', (worker) => worker.refuse(), /answers 401/],
]

describe('a worker that', { concurrent: true }, () => {
  it.for(LOOK_UP_FAULTS)(
    '%s: no look-up, no send; nothing is pulled until it answers',
    async ([, breakIt, cause], { expect }) => {
      const rig = await startRig({ kafka, callTimeoutMs: CALL_TIMEOUT_MS })
      rig.sendSome(3)
      await rig.allAcked()
      await breakIt(rig.worker)
      rig.sendSome(5)
      const away = await rig.log.until((lines) => lines.find(says(MSG.workerAway)))
      expect(away.err?.message).toMatch(cause)
      const { queue } = rig.pulls
      expect(await rig.metric('breaker_open', { target: 'worker' })).toBe(1)
      await rig.log.until((lines) => lines.find(says(MSG.handedBack, 'look_up_failed')))
      expect(rig.log.count(MSG.lookUpFailed)).toBeGreaterThanOrEqual(1)
      expect((await rig.state()).leased).toBe(0)
      // Probes, ever more rarely.
      if (rig.worker.isUp) await rig.worker.called(2)
      expect(rig.pulls.queue).toBeLessThanOrEqual(queue + PULLS_UNDER_WAY)
      expect(await rig.metric('delivered_total')).toBe(3)

      await rig.worker.heal()
      await rig.allAcked()
      rig.sendSome(2)
      await rig.allAcked()
      expect(await rig.metric('breaker_open', { target: 'worker' })).toBe(0)
      expect(rig.log.count(MSG.workerAway)).toBe(1)
      expect(rig.log.count(MSG.workerBack)).toBe(1)
      expect(await rig.metric('doubts_total')).toBe(0)
      await rig.stop()
      expect(await rig.problems()).toEqual([])
    },
  )

  it.for<WorkerFault>(['error', 'hang', 'lost_answer'])(
    'gives no outcomes but looks up (%s): what is in Kafka is acked once it is taken, and sent once',
    async (fault, { expect }) => {
      const rig = await startRig({ kafka, callTimeoutMs: CALL_TIMEOUT_MS })
      rig.sendSome(3)
      await rig.allAcked()
      rig.worker.fail(fault, 'outcomes')
      rig.sendSome(3)
      await rig.log.until((lines) => lines.find(says(MSG.handedBack, 'not_taken')))
      expect(rig.log.count(MSG.notTaken)).toBeGreaterThanOrEqual(1)
      expect(await rig.metric('not_taken_total')).toBeGreaterThanOrEqual(3)
      expect(await rig.metric('delivered_total')).toBe(6)
      expect((await rig.state()).acked).toBe(3)
      await rig.worker.heal()
      await rig.allAcked()
      expect(await rig.metric('unsettled_envelopes')).toBe(0)
      await rig.stop()
      expect(await rig.problems()).toEqual([])
    },
  )

  it('takes no outcomes while reports come in: it is tried ever more rarely, though it looks up', async ({
    expect,
  }) => {
    const rig = await startRig({ kafka })
    rig.worker.fail('error', 'outcomes')
    const openings: number[] = []
    while (openings.length < 6) {
      const away = rig.log.next(says(MSG.workerAway))
      rig.sendSome(1)
      await away
      openings.push(performance.now())
    }
    const [first = 0] = openings
    // 200 ms, doubling, and of each step at least half.
    expect((openings.at(-1) ?? 0) - first).toBeGreaterThan(2_500)
    await rig.worker.heal()
    await rig.allAcked()
    await rig.stop()
    expect(await rig.problems()).toEqual([])
  })

  it.for<WorkerFault>(['error', 'page', 'stall'])(
    'gives no records of large envelopes (%s): they wait, and are not given up as lost',
    async (fault, { expect }) => {
      const rig = await startRig({ kafka, callTimeoutMs: CALL_TIMEOUT_MS })
      rig.worker.fail(fault, 'envelopes')
      rig.send([{ value: 'large' }, { value: 'too' }], { claim: true })
      await Promise.race([
        rig.log.until((lines) => lines.find(says(MSG.handedBack, 'records_unavailable'))),
        rig.allAcked(),
      ])
      await rig.worker.heal()
      await rig.allAcked()
      rig.send([{ value: 'larger' }], { claim: true })
      await rig.allAcked()
      await rig.stop()
      expect(await rig.problems()).toEqual([])
      expect(rig.log.count(MSG.fetchFailed)).toBeGreaterThanOrEqual(1)
      // Settled envelopes leave no objects behind, unless their deletion failed.
      expect(rig.worker.objects.size).toBe(0)
    },
  )
})

describe('one of the eight status shards', { concurrent: true }, () => {
  it('does not look up: only its ids wait, and the circuit stays closed', async ({ expect }) => {
    const rig = await startRig({ kafka })
    rig.worker.silentShards.add(3)
    for (let s = 0; s < STATUS_SHARDS; s++) rig.send([{ value: `s${s}` }], { id: idIn(s) })
    await rig.acked(STATUS_SHARDS - 1)
    await rig.log.until((lines) => lines.find(says(MSG.handedBack, 'look_up_failed')))
    rig.send([{ value: 'goes on' }], { id: idIn(4) })
    await rig.acked(STATUS_SHARDS)
    expect(await rig.metric('delivered_total')).toBe(STATUS_SHARDS)
    rig.worker.silentShards.clear()
    await rig.allAcked()
    expect(rig.log.count(MSG.workerAway)).toBe(0)
    expect(await rig.metric('look_ups_total', { answer: 'none' })).toBeGreaterThanOrEqual(1)
    await rig.stop()
    expect(await rig.problems()).toEqual([])
  })

  it('takes no outcomes: the others are acked, its own are posted again until it takes them', async ({
    expect,
  }) => {
    let silence = () => {}
    const rig = await startRig({
      kafka,
      reach: (point) => (point === 'committed' ? silence() : undefined),
    })
    silence = () => void rig.worker.silentShards.add(3)
    for (let s = 0; s < STATUS_SHARDS; s++) rig.send([{ value: `s${s}` }], { id: idIn(s) })
    await rig.acked(STATUS_SHARDS - 1)
    await rig.log.until((lines) => lines.find(says(MSG.handedBack, 'not_taken')))
    expect(await rig.metric('delivered_total')).toBe(STATUS_SHARDS)
    expect(await rig.metric('unsettled_envelopes')).toBe(1)
    silence = () => {}
    rig.worker.silentShards.clear()
    await rig.allAcked()
    expect(rig.log.count(MSG.workerAway)).toBe(0)
    expect(await rig.metric('unsettled_envelopes')).toBe(0)
    expect(await rig.metric('delivered_total')).toBe(STATUS_SHARDS)
    await rig.stop()
    expect(await rig.problems()).toEqual([])
  })
})
