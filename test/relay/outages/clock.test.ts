// Clocks that are wrong by an hour. The relay's is that of this whole process; queue and brokers have the right one.
import { afterEach, describe, inject, it } from 'vitest'
import type { Envelope } from '#contract'
import { readTopic } from '../../support/kafka-reader.ts'
import { MSG } from './log-lines.ts'
import { startRig, type Rig } from './rig.ts'

const brokers = inject('brokers')
const kafka = { brokers, clientId: 'clock-outage-test' }
// By more than a hair's breadth: a broker refuses times that are more than an hour ahead.
const AN_HOUR_MS = 61 * 60_000

const rightNow = Date.now
afterEach(() => {
  Date.now = rightNow
})
function setRelayClock(wrongByMs: number): void {
  Date.now = () => rightNow() + wrongByMs
}

async function timesOf(
  { shard }: Rig,
  envelopes: readonly Envelope[],
): Promise<(number | undefined)[]> {
  const records = await readTopic({ brokers, topic: shard.topic })
  const times = new Map(records.map((r) => [r.headers['edgehub-id']?.toString(), r.timestamp]))
  return envelopes.map(({ id }) => times.get(`${id}.0`))
}

describe("the relay's clock", () => {
  it.for([
    ['slow', -AN_HOUR_MS],
    ['fast', AN_HOUR_MS],
  ] as const)(
    'is an hour %s: records carry the time of the edge',
    async ([, wrongBy], { expect }) => {
      setRelayClock(wrongBy)
      const rig = await startRig({ kafka })
      const envelopes = rig.sendSome(3)
      await rig.allAcked()
      await rig.stop()
      setRelayClock(0)
      expect(await rig.problems()).toEqual([])
      expect(await timesOf(rig, envelopes)).toEqual(envelopes.map(({ received }) => received))
      expect(await rig.metric('doubts_total')).toBe(0)
    },
  )

  it('jumps while it runs: at most one doubt a jump', async ({ expect }) => {
    const rig = await startRig({ kafka })
    let jumps = 0
    for (const wrongBy of [AN_HOUR_MS, -AN_HOUR_MS, 0]) {
      rig.sendSome(2)
      await rig.allAcked()
      setRelayClock(wrongBy)
      jumps++
      rig.sendSome(2)
      await rig.allAcked()
    }
    await rig.stop()
    expect(await rig.problems()).toEqual([])
    expect(await rig.metric('doubts_total')).toBeLessThanOrEqual(jumps)
    expect(rig.log.count(MSG.doubt)).toBe(await rig.metric('doubts_total'))
  })
})

describe("the edge's clock", () => {
  it('is an hour slow: records carry its time', async ({ expect }) => {
    const rig = await startRig({ kafka })
    const envelopes = rig.sendSome(3, { received: rightNow() - AN_HOUR_MS })
    await rig.allAcked()
    await rig.stop()
    expect(await rig.problems()).toEqual([])
    expect(await timesOf(rig, envelopes)).toEqual(envelopes.map(({ received }) => received))
  })

  it('is an hour fast: records carry the time of the relay, because the broker refuses the other', async ({
    expect,
  }) => {
    const rig = await startRig({ kafka })
    const since = rightNow()
    const late = rig.sendSome(2, { received: since + AN_HOUR_MS })
    const good = rig.sendSome(2)
    await rig.allAcked()
    await rig.stop()
    expect(await rig.problems()).toEqual([])
    for (const time of await timesOf(rig, late)) {
      expect(time).toBeGreaterThanOrEqual(since)
      expect(time).toBeLessThanOrEqual(rightNow())
    }
    // In another partition, or refused with the others and stamped like them; never lost.
    expect(await timesOf(rig, good)).not.toContain(undefined)
  })
})
