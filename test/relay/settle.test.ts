import { describe, it } from 'vitest'
import type { EnvelopeId, LedgerRecord, Outcome } from '#contract'
import type { Point } from '../../relay/failpoints.ts'
import type { Item } from '../../relay/item.ts'
import { Remembered } from '../../relay/ledger/remembered.ts'
import { Settler, type Settlement } from '../../relay/settle.ts'
import {
  backText,
  claimOf,
  idOf,
  itemOf,
  leaseOf,
  outcomeOf,
  queueDouble,
  rawOf,
} from '../support/items.ts'

interface World {
  // What the status store takes of a call; all of it when it does not say.
  takes?: (ids: readonly EnvelopeId[], call: number) => readonly EnvelopeId[]
  // The call is answered when this is.
  answered?: (call: number) => Promise<void> | undefined
  ackFails?: (call: number) => boolean
  cutAt?: Point
  deleteFails?: boolean
}

const settled = () => new Promise((resolve) => setImmediate(resolve))

// A settler on a status store and a queue of nothing; its sleeps end when the test says so.
function makeSettler(world: World = {}) {
  const calls: string[] = []
  const sleeping: (() => void)[] = []
  const remembered = new Remembered({ keep: 0, clock: () => 0 })
  remembered.beginAt(0n)
  let posts = 0
  let acks = 0
  const settler = new Settler({
    remembered,
    queue: queueDouble(calls, () => world.ackFails?.(++acks) ?? false),
    worker: {
      async postOutcomes(outcomes) {
        const call = ++posts
        const ids = outcomes.map(([id]) => id)
        calls.push(`post ${ids.length > 4 ? ids.length : ids.map(numberOf).join(',')}`)
        await world.answered?.(call)
        const taken = new Set(world.takes?.(ids, call) ?? ids)
        return { taken, failed: taken.size < ids.length ? new Error('away') : undefined }
      },
      async deleteRecords(object) {
        calls.push(`delete ${object.slice(0, 16) === idOf(1) ? 1 : 2}`)
        if (world.deleteFails) throw new Error('away')
      },
    },
    onTaken: () => calls.push(`taken, ${remembered.untaken} left`),
    onSettled: (taken, leases) => calls.push(`settled ${taken}/${leases}`),
    onNotTaken: (ids) => calls.push(`not taken ${ids.length}`),
    onHandedBack: (all) => calls.push(`handed back ${backText(all)}`),
    onAckFailed: (error) => calls.push(`ack failed: ${(error as Error).message}`),
    onCleanUpFailed: () => calls.push('clean-up failed'),
    clock: () => 0,
    random: () => 1,
    async sleep(ms, signal) {
      calls.push(`sleep ${ms}`)
      await new Promise<void>((resolve) => {
        sleeping.push(resolve)
        signal.addEventListener('abort', () => resolve())
      })
    },
    async reach(point) {
      calls.push(point)
      if (point === world.cutAt) throw new Error(`cut at ${point}`)
    },
  })
  return {
    settler,
    calls,
    // As after a commit: remembered, and not taken yet.
    remember(...numbers: number[]) {
      const batch = numbers.map((n): [EnvelopeId, Outcome] => [idOf(n), outcomeOf(n)])
      const record: LedgerRecord = { v: 1, batch }
      remembered.add(record, remembered.next ?? 0n)
    },
    async wakeUp() {
      for (const wake of sleeping.splice(0)) wake()
      await settled()
    },
  }
}

const numberOf = (id: EnvelopeId) => Buffer.from(id, 'base64url').readUInt32BE(8)

function settlementOf(of: Record<number, Item[]>, done: Item[] = []): Settlement {
  const entries = Object.entries(of).map(([n, items]) => [Number(n), items] as const)
  return {
    outcomes: entries.map(([n]) => [idOf(n), outcomeOf(n)]),
    leases: new Map(entries.map(([n, items]) => [idOf(n), items])),
    done,
  }
}

describe('settling', () => {
  it('acks the leases of exactly the envelopes whose outcome was taken, after it was taken; the others are given back', async ({
    expect,
  }) => {
    const { settler, calls } = makeSettler({ takes: () => [idOf(1)] })
    await settler.submit(
      settlementOf({ 1: [itemOf(1), itemOf(1, { lease: 11 })], 2: [itemOf(2, { attempts: 3 })] }),
    )
    await settled()
    expect(calls).toEqual([
      'post 1,2',
      'taken, 0 left',
      'not taken 1',
      'outcomes_taken',
      'ack lease-1,lease-11 give back lease-2+4',
      'acked',
      'handed back lease-2+4',
      'settled 1/2',
    ])
    await settler.stop()
  })

  it('acks nothing and gives everything back when nothing was taken', async ({ expect }) => {
    const { settler, calls } = makeSettler({ takes: () => [] })
    await settler.submit(settlementOf({ 1: [itemOf(1)] }))
    await settled()
    expect(calls.slice(0, 5)).toEqual([
      'post 1',
      'taken, 0 left',
      'not taken 1',
      'give back lease-1+1',
      'handed back lease-1+1',
    ])
    await settler.stop()
  })

  it('what needs no outcome is acked without asking the worker', async ({ expect }) => {
    const { settler, calls } = makeSettler()
    const { envelope } = itemOf(6)
    const done: Item[] = [rawOf(5), { lease: leaseOf(6), kind: 'settled', envelope }]
    await settler.submit(settlementOf({}, done))
    await settler.stop()
    expect(calls).toEqual(['ack lease-5,lease-6', 'taken, 0 left', 'acked', 'settled 0/2'])
  })

  it('what needs no outcome is acked with the rest also when nothing of the rest is taken', async ({
    expect,
  }) => {
    const { settler, calls } = makeSettler({ takes: () => [] })
    await settler.submit(settlementOf({ 1: [itemOf(1)] }, [rawOf(5)]))
    await settled()
    expect(calls).toContain('ack lease-5 give back lease-1+1')
    await settler.stop()
  })

  it('no more than four are under way at once; the next one waits for room', async ({ expect }) => {
    const gates = Array.from({ length: 5 }, () => Promise.withResolvers<void>())
    const { settler, calls } = makeSettler({ answered: (call) => gates[call - 1]?.promise })
    for (const n of [1, 2, 3, 4]) await settler.submit(settlementOf({ [n]: [itemOf(n)] }))
    const fifth = settler.submit(settlementOf({ 5: [itemOf(5)] }))
    await settled()
    expect(calls).toEqual(['post 1', 'post 2', 'post 3', 'post 4'])
    gates[2]?.resolve()
    await fifth
    expect(calls).toContain('post 5')
    for (const gate of gates) gate.resolve()
    await settler.stop()
  })
})

describe('the records of a large envelope', () => {
  const large = (n: number): Item => ({ ...itemOf(n), envelope: claimOf(n) })

  it('are deleted after the ack, those of what is done already as well', async ({ expect }) => {
    const { settler, calls } = makeSettler()
    const repeat: Item = { lease: leaseOf(2), kind: 'settled', envelope: claimOf(2) }
    await settler.submit(
      settlementOf({ 1: [large(1), { ...large(1), lease: leaseOf(11) }] }, [repeat]),
    )
    await settler.stop()
    expect(calls.slice(-4, -2)).toEqual(['acked', 'settled 1/3'])
    expect(calls.slice(-2).sort()).toEqual(['delete 1', 'delete 2'])
  })

  it.for<[string, World]>([
    ['its outcome is not taken', { takes: () => [] }],
    ['the ack fails', { ackFails: () => true }],
    ['it is cut off before the ack', { cutAt: 'outcomes_taken' }],
    ['it is cut off after the ack', { cutAt: 'acked' }],
  ])('stay when %s', async ([, world], { expect }) => {
    const { settler, calls } = makeSettler(world)
    await settler.submit(settlementOf({ 1: [large(1)] }))
    await settled()
    await settler.stop()
    expect(calls.filter((call) => call.startsWith('delete'))).toEqual([])
  })

  it('that can not be deleted disturb nobody', async ({ expect }) => {
    const { settler, calls } = makeSettler({ deleteFails: true })
    await settler.submit(settlementOf({ 1: [large(1)] }))
    await settler.stop()
    expect(calls.slice(-2)).toEqual(['delete 1', 'clean-up failed'])
  })
})

describe('a settlement that is cut off', () => {
  it.for<[string, World, string[]]>([
    [
      'before the ack acks nothing',
      { cutAt: 'outcomes_taken' },
      ['outcomes_taken', 'ack failed: cut at outcomes_taken'],
    ],
    [
      'after the ack tells nobody that it is settled',
      { cutAt: 'acked' },
      ['outcomes_taken', 'ack lease-1', 'acked', 'ack failed: cut at acked'],
    ],
    [
      'by a failing queue says so',
      { ackFails: () => true },
      ['outcomes_taken', 'ack lease-1', 'ack failed: the queue API is away'],
    ],
  ])('%s, and what was taken stays taken', async ([, world, expected], { expect }) => {
    const { settler, calls, remember } = makeSettler(world)
    remember(1)
    await settler.submit(settlementOf({ 1: [itemOf(1)] }))
    await settler.stop()
    expect(calls).toEqual(['post 1', 'taken, 0 left', ...expected])
  })
})

describe('what was not taken', () => {
  it('is posted again by itself, ever more rarely, until it is taken', async ({ expect }) => {
    const { settler, calls, remember, wakeUp } = makeSettler({
      takes: (ids, call) => (call < 10 ? [] : ids),
    })
    remember(1)
    await settler.submit(settlementOf({ 1: [] }))
    await settled()
    for (let i = 0; i < 8; i++) await wakeUp()
    expect(calls.filter((call) => call.startsWith('sleep'))).toEqual(
      [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000].map((ms) => `sleep ${ms}`),
    )
    expect(calls.filter((call) => call === 'post 1')).toHaveLength(10)
    expect(calls.at(-1)).toBe('taken, 0 left')
    await wakeUp()
    expect(calls.at(-1)).toBe('taken, 0 left')
    await settler.stop()
  })

  it.for<[string, World]>([
    ['its leases could not be given back', { ackFails: () => true }],
    ['the settlement was cut off', { cutAt: 'outcomes_taken' }],
  ])('is posted again also when %s', async ([, world], { expect }) => {
    const { settler, calls, remember } = makeSettler({
      takes: (ids, call) => (call === 1 ? [idOf(1)] : ids),
      ...world,
    })
    remember(1, 2)
    await settler.submit(settlementOf({ 1: [itemOf(1)], 2: [itemOf(2)] }))
    await settled()
    expect(calls).toContain('post 2')
    expect(calls).toContain('taken, 0 left')
    await settler.stop()
  })

  it('is posted in the order of the ledger, a thousand at once, and no further when all of a call fails', async ({
    expect,
  }) => {
    const { settler, calls, remember, wakeUp } = makeSettler({
      takes: (ids, call) => (call === 1 ? [] : ids),
    })
    remember(...Array.from({ length: 2_500 }, (_, n) => n))
    settler.settleAgain()
    settler.settleAgain()
    await settled()
    expect(calls.filter((call) => call.startsWith('post'))).toEqual(['post 1000'])
    await wakeUp()
    expect(calls.filter((call) => /post|sleep/.test(call))).toEqual([
      'post 1000',
      'sleep 500',
      'post 1000',
      'post 1000',
      'post 500',
    ])
    await settler.stop()
  })

  it('one silent part of the status store does not keep the rest waiting', async ({ expect }) => {
    const { settler, calls, remember } = makeSettler({
      takes: (ids) => ids.filter((id) => id !== idOf(0)),
    })
    remember(...Array.from({ length: 1_500 }, (_, n) => n))
    settler.settleAgain()
    await settled()
    expect(calls.filter((call) => /post|sleep|left/.test(call))).toEqual([
      'post 1000',
      'taken, 501 left',
      'post 500',
      'taken, 1 left',
      'sleep 500',
    ])
    await settler.stop()
  })

  it('is not posted a second time while it is being posted, and not given up when that fails', async ({
    expect,
  }) => {
    const gate = Promise.withResolvers<void>()
    const { settler, calls, remember } = makeSettler({
      answered: (call) => (call === 1 ? gate.promise : undefined),
      takes: (ids, call) => (call === 1 ? [] : ids),
    })
    remember(1, 2)
    await settler.submit(settlementOf({ 1: [] }))
    settler.settleAgain()
    await settled()
    expect(calls.filter((call) => call.startsWith('post'))).toEqual(['post 1', 'post 2'])
    gate.resolve()
    await settled()
    expect(calls.filter((call) => call.startsWith('post'))).toEqual(['post 1', 'post 2', 'post 1'])
    expect(calls.at(-1)).toBe('taken, 0 left')
    await settler.stop()
  })

  it('is posted again whenever it fails, also in the very moment in which a repetition passes it over and ends', async ({
    expect,
  }) => {
    for (let turns = 0; turns < 8; turns++) {
      const gate = Promise.withResolvers<void>()
      const { settler, calls, remember } = makeSettler({
        answered: (call) => (call === 1 ? gate.promise : undefined),
        takes: () => [],
      })
      remember(1)
      await settler.submit(settlementOf({ 1: [] }))
      gate.resolve()
      for (let i = 0; i < turns; i++) await Promise.resolve()
      settler.settleAgain()
      await settled()
      expect(calls.at(-1), `asked ${turns} turns later`).toBe('sleep 500')
      await settler.stop()
    }
  })

  it('is not asked for when nothing is left', async ({ expect }) => {
    const { settler, calls } = makeSettler()
    settler.settleAgain()
    await settler.stop()
    expect(calls).toEqual([])
  })
})

describe('stop', () => {
  it('waits for what was submitted, and repeats nothing any more', async ({ expect }) => {
    const gate = Promise.withResolvers<void>()
    const { settler, calls, remember } = makeSettler({
      answered: (call) => (call === 1 ? gate.promise : undefined),
      takes: () => [],
    })
    remember(1)
    await settler.submit(settlementOf({ 1: [itemOf(1)] }))
    const stopping = settler.stop().then(() => calls.push('stopped'))
    await settled()
    gate.resolve()
    await stopping
    settler.settleAgain()
    await settled()
    expect(calls.filter((call) => /post|give|stopped/.test(call))).toEqual([
      'post 1',
      'give back lease-1+1',
      'stopped',
    ])
  })

  it('ends a repetition that sleeps', async ({ expect }) => {
    const { settler, calls, remember } = makeSettler({ takes: () => [] })
    remember(1)
    settler.settleAgain()
    await settled()
    expect(calls.at(-1)).toBe('sleep 500')
    await settler.stop()
    expect(calls.filter((call) => call.startsWith('post'))).toHaveLength(1)
  })
})
