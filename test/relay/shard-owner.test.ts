import { describe, it } from 'vitest'
import { deadLetterTopic, InstanceId, ledgerTopic, type EnvelopeRecord } from '#contract'
import { Breakers } from '../../relay/breakers.ts'
import type { Batch } from '../../relay/deliver.ts'
import { AppendError } from '../../relay/kafka/append.ts'
import { Doubt } from '../../relay/kafka/lane.ts'
import { Remembered } from '../../relay/ledger/remembered.ts'
import { takeOver } from '../../relay/shard-owner.ts'
import { NOW } from '../support/items.ts'
import { laneDouble, type LaneScript } from '../support/lane-double.ts'
import { doubtOf, keyed, ok, sendable } from '../support/transactions.ts'

describe('an owner of a shard', () => {
  const instance = InstanceId.parse('ckafka-testtest')
  const own = [ledgerTopic(instance), deadLetterTopic(instance)]

  // In doubt about these, unless `script` says otherwise.
  async function deliverOnce(
    partitions: { topic: string; partition: number }[],
    records: EnvelopeRecord[] = [{ value: 'v' }],
    script: LaneScript = {},
  ) {
    let isBooted = false
    const breakers = new Breakers(() => 0)
    const lane = laneDouble({
      topology: new Map([['topic', ok()]]),
      ledger: { topic: ledgerTopic(instance) },
      before(step) {
        if (step !== 'append' || !isBooted) return
        throw new Doubt('append', new AppendError('lost', partitions, undefined))
      },
      ...script,
    })
    const owner = await takeOver({
      openLane: async () => lane,
      instance,
      shard: 0,
      groupId: 'group',
      relay: 'me',
      remembered: new Remembered({ keep: 0, clock: () => 0 }),
      breakers,
      now: () => NOW,
      reach: () => {},
      onBegin: () => {},
      onUnchecked: () => {},
    })
    isBooted = true
    const batch: Batch = { send: [sendable(1, records)], doomed: [], raw: [] }
    return { lane, breakers, error: await doubtOf(owner.deliver(batch)) }
  }

  it('in doubt about partitions keeps the data partitions waiting, and never its own topics', async ({
    expect,
  }) => {
    const { breakers, error } = await deliverOnce([
      { topic: 'topic', partition: 1 },
      { topic: 'topic', partition: 2 },
      ...own.map((topic) => ({ topic, partition: 0 })),
    ])
    expect(error).toBeInstanceOf(Doubt)
    expect(['topic/1', 'topic/2'].map((p) => breakers.reasonFor(p))).toEqual([
      'no_leader',
      'no_leader',
    ])
    expect(breakers.open).toBe(2)
  })

  it('in doubt about nothing in particular keeps nothing waiting', async ({ expect }) => {
    expect((await deliverOnce([])).breakers.open).toBe(0)
  })

  it('in doubt about a partition that was refused for a reason keeps the reason', async ({
    expect,
  }) => {
    const { breakers, error } = await deliverOnce([], keyed(0, 1), {
      before: () => {},
      resultOf: ({ topic, partition }) =>
        topic === 'topic' && partition === 1 ? { status: 'unavailable', code: 29 } : undefined,
    })
    expect(error).toMatchObject({ partitions: [{ topic: 'topic', partition: 1 }] })
    expect(breakers.reasonFor('topic/1')).toBe('not_authorized')
  })

  it('that can not boot closes its lane', async ({ expect }) => {
    const lane = laneDouble({ addRefuses: { [`${ledgerTopic(instance)}/0`]: 29 } })
    const taking = takeOver({
      openLane: async () => lane,
      instance,
      shard: 0,
      groupId: 'group',
      relay: 'me',
      remembered: new Remembered({ keep: 0, clock: () => 0 }),
      breakers: new Breakers(() => 0),
      now: () => NOW,
      reach: () => {},
      onBegin: () => {},
      onUnchecked: () => {},
    })
    await expect(taking).rejects.toThrow(Doubt)
    expect(lane.calls.at(-1)).toBe('close')
  })
})
