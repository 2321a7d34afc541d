import { describe, it } from 'vitest'
import type { Item } from '../../relay/item.ts'
import { LedgerMadeAnew } from '../../relay/ledger/boot.ts'
import { itemOf, leaseOf, rawOf } from '../support/items.ts'
import { delivers, END, play } from '../support/loop-script.ts'

describe('a shard', () => {
  it('settles again what its boot read, remembers after the commit and settles after remembering', async ({
    expect,
  }) => {
    const { calls } = await play({ takeOvers: [['commits']], pulls: [[itemOf(1)]] })
    expect(calls).toEqual([
      'take over',
      'settle again',
      'release',
      'deliver 1',
      'remember',
      'settle 1:lease-1',
      ...END,
    ])
  })

  it('sends nothing that it remembers, and settles it again', async ({ expect }) => {
    const { calls } = await play({
      takeOvers: [['commits']],
      pulls: [[itemOf(1)], [itemOf(1, { lease: 2 }), itemOf(2, { lease: 3 })]],
    })
    expect(delivers(calls)).toEqual(['deliver 1', 'deliver 2'])
    expect(calls.slice(-8, -5)).toEqual(['settle 2:lease-3', 'known 1', 'settle 1:lease-2'])
  })

  it('acks what is done without a transaction', async ({ expect }) => {
    const item: Item = { lease: leaseOf(7), kind: 'settled', envelope: itemOf(1).envelope }
    const { calls } = await play({ takeOvers: [[]], pulls: [[item]] })
    expect(calls.slice(3, 5)).toEqual(['known 1', 'settle done lease-7'])
  })

  it('acks raw messages with the settlement of their transaction, and the same one later as done', async ({
    expect,
  }) => {
    const { calls } = await play({
      takeOvers: [['commits']],
      pulls: [[rawOf(1), itemOf(2)], [rawOf(1, { lease: 3 })]],
    })
    expect(calls).toContain('settle 2:lease-2 done lease-1')
    expect(calls).toContain('settle done lease-3')
    expect(delivers(calls)).toEqual(['deliver 2,message-1'])
  })

  it('gives back what waits, and delivers the rest of the batch', async ({ expect }) => {
    const waiting: Item = {
      lease: leaseOf(9, { attempts: 3 }),
      kind: 'wait',
      reason: 'unknown_version',
    }
    const { calls } = await play({ takeOvers: [['commits']], pulls: [[waiting, itemOf(1)]] })
    expect(calls.slice(-8, -5)).toEqual([
      'settle 1:lease-1',
      'give back lease-9+4',
      'handed back unknown_version',
    ])
  })

  it('gives back every lease of an envelope that is blocked, and settles nothing of it', async ({
    expect,
  }) => {
    const { calls } = await play({
      takeOvers: [['blocked']],
      pulls: [[itemOf(1), itemOf(1, { lease: 11 })]],
    })
    expect(calls.slice(3, 6)).toEqual([
      'deliver 1',
      'give back lease-1+1,lease-11+1',
      'handed back blocked,blocked',
    ])
    expect(calls).not.toContain('remember')
  })

  it('goes on when leases can not be given back', async ({ expect }) => {
    const { calls } = await play({
      takeOvers: [['blocked', 'commits']],
      pulls: [[itemOf(1)], [itemOf(2)]],
      queueFails: true,
    })
    expect(calls).toContain('hand-back failed')
    expect(calls).toContain('settle 2:lease-2')
  })

  it('begins the transaction in the turn of the decision: what was new then is new when it is sent', async ({
    expect,
  }) => {
    const turns: string[] = []
    const { calls } = await play({
      takeOvers: [['commits']],
      pulls: [[itemOf(1)]],
      onDecide() {
        turns.push('decided')
        queueMicrotask(() => turns.push('next turn'))
      },
      onDeliver: () => turns.push('delivers'),
    })
    expect(delivers(calls)).toEqual(['deliver 1'])
    expect(turns.slice(0, 3)).toEqual(['decided', 'delivers', 'next turn'])
  })
})

describe('what may be forgotten', () => {
  it.for<[string, bigint | undefined, bigint]>([
    ['what is in hand', undefined, 4n],
    ['what the intake holds, when that is older', 3n, 3n],
    ['what is in hand, when that is older', 9n, 4n],
  ])('during a transaction ends before %s', async ([, intake, bound], { expect }) => {
    const { forgets } = await play({
      takeOvers: [['commits']],
      pulls: [[itemOf(1, { evidence: 4n }), itemOf(2, { evidence: 6n })]],
      onDeliver: (run) => run.forget(),
      neededFrom: () => intake,
    })
    expect(forgets[0]).toBe(bound)
  })

  it('is all but what the intake needs when a batch is through, whether anything was sent or not', async ({
    expect,
  }) => {
    const done: Item = { lease: leaseOf(8), kind: 'settled', envelope: itemOf(3).envelope }
    const { forgets } = await play({
      takeOvers: [['commits']],
      pulls: [[itemOf(1, { evidence: 4n })], [done]],
      neededFrom: () => 9n,
    })
    expect(forgets).toEqual([9n, 9n])
  })

  it('is bound by what is in hand from a doubt until it is decided again', async ({ expect }) => {
    const bounds: (() => void)[] = []
    const { forgets } = await play({
      takeOvers: [['doubt'], ['commits']],
      pulls: [[itemOf(1, { evidence: 4n })]],
      onDeliver: (run) => bounds.push(() => run.forget()),
      onSleep: () => bounds[0]?.(),
    })
    expect(forgets[0]).toBe(4n)
  })
})

describe('the end', () => {
  it('of a shard gives back what it holds, without delay, after its last settlement', async ({
    expect,
  }) => {
    const { calls, error } = await play({
      takeOvers: [[]],
      buffered: [itemOf(4, { attempts: 9 }), rawOf(5)],
    })
    expect(error).toBeUndefined()
    expect(calls.slice(-5)).toEqual([
      'intake stops',
      'settler stops',
      'give back lease-4+0,lease-5+0',
      'handed back stopping,stopping',
      'stopped',
    ])
  })

  it('comes with an error when no trying again helps, after everything was given back', async ({
    expect,
  }) => {
    const madeAnew = new LedgerMadeAnew('ledger', 0, 1n, 2n)
    const { calls, error } = await play({
      takeOvers: [['doubt'], madeAnew],
      pulls: [[itemOf(1)]],
      buffered: [itemOf(2)],
    })
    expect(error).toBe(madeAnew)
    expect(calls.slice(calls.lastIndexOf('take over'))).toEqual([
      'take over',
      'intake stops',
      'settler stops',
      'give back lease-1+0,lease-2+0',
      'handed back stopping,stopping',
      'stopped',
    ])
  })
})
