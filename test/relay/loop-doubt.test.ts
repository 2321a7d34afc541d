import { describe, it } from 'vitest'
import type { Item } from '../../relay/item.ts'
import { itemOf, leaseOf, rawOf } from '../support/items.ts'
import { delivers, END, play, type End } from '../support/loop-script.ts'

describe('in doubt a shard', () => {
  it('boots before it decides again: what was committed is settled, not sent', async ({
    expect,
  }) => {
    const { calls } = await play({
      takeOvers: [['doubt but committed'], []],
      pulls: [[itemOf(1)]],
    })
    expect(calls.slice(3)).toEqual([
      'deliver 1',
      'hold',
      'close',
      'doubt',
      'sleep 20',
      'take over',
      'settle again',
      'release',
      'known 1',
      'settle 1:lease-1',
      ...END,
    ])
  })

  it('sends again what the ledger does not have', async ({ expect }) => {
    const { calls } = await play({ takeOvers: [['doubt'], ['commits']], pulls: [[itemOf(1)]] })
    expect(delivers(calls)).toEqual(['deliver 1', 'deliver 1'])
    expect(calls.filter((call) => call === 'settle 1:lease-1')).toHaveLength(1)
  })

  it('settles and gives back what the transaction was not about: at once, and once', async ({
    expect,
  }) => {
    const known: Item = { lease: leaseOf(8), kind: 'settled', envelope: itemOf(3).envelope }
    const waiting: Item = { lease: leaseOf(9), kind: 'wait', reason: 'other_shard' }
    const { calls } = await play({
      takeOvers: [['doubt'], ['commits']],
      pulls: [[itemOf(1), known, waiting]],
    })
    expect(calls.slice(3, 9)).toEqual([
      'deliver 1',
      'known 1',
      'settle done lease-8',
      'give back lease-9+1',
      'handed back other_shard',
      'hold',
    ])
    expect(calls.filter((call) => /lease-[89]/.test(call))).toHaveLength(2)
    expect(calls).toContain('settle 1:lease-1')
  })

  it('gives back all that it holds when it can not take over again, ever more rarely trying', async ({
    expect,
  }) => {
    const { calls } = await play({
      takeOvers: [['doubt'], 'fails', 'fails', 'fails', []],
      pulls: [[itemOf(1)]],
      buffered: [itemOf(2)],
    })
    expect(calls.slice(calls.indexOf('doubt'))).toEqual([
      'doubt',
      'sleep 20',
      'take over',
      'boot failed',
      'give back lease-1+1,lease-2+1',
      'handed back kafka_away,kafka_away',
      'sleep 200',
      'take over',
      'boot failed',
      'sleep 400',
      'take over',
      'boot failed',
      'sleep 800',
      'take over',
      'settle again',
      'release',
      ...END,
    ])
  })

  it('gives a batch back that is in doubt three times in a row, so that others get their turn; a commit starts the count anew', async ({
    expect,
  }) => {
    const { calls } = await play({
      takeOvers: [['doubt'], ['doubt'], ['doubt'], ['commits', 'doubt'], ['commits']],
      pulls: [[itemOf(1)], [itemOf(2)], [itemOf(3)]],
    })
    expect(delivers(calls)).toEqual([
      ...Array<string>(3).fill('deliver 1'),
      'deliver 2',
      'deliver 3',
      'deliver 3',
    ])
    expect(calls.filter((call) => /give|sleep/.test(call))).toEqual([
      'sleep 20',
      'sleep 40',
      'give back lease-1+1',
      'sleep 80',
      'sleep 20',
    ])
  })

  it('cut off right after a commit it settles what it remembers, and sends nothing again', async ({
    expect,
  }) => {
    const { calls } = await play({
      takeOvers: [['commits'], []],
      pulls: [[itemOf(1), rawOf(2)]],
      cutAt: 'committed',
    })
    expect(delivers(calls)).toEqual(['deliver 1,message-2'])
    expect(calls).toContain('settle 1:lease-1 done lease-2')
  })
})

describe('a shard that was fenced', () => {
  it('boots only when the group confirms it: at once, then after waits doubling up to a lease', async ({
    expect,
  }) => {
    const fences = Array<End[]>(7).fill(['fenced'])
    const { calls } = await play({
      takeOvers: [...fences.map((ends) => [...ends]), ['commits']],
      pulls: Array.from({ length: 8 }, (_, n) => [itemOf(n)]),
      leaseMs: 10_000,
    })
    expect(calls.filter((call) => /^(fenced|sleep|confirm)/.test(call))).toEqual([
      'fenced, waits 0',
      'confirm',
      ...[1_000, 2_000, 4_000, 8_000, 10_000, 10_000].flatMap((ms) => [
        `fenced, waits ${ms}`,
        `sleep ${ms}`,
        'confirm',
      ]),
    ])
  })

  it('a committed batch sets the wait back; a batch that was blocked does not', async ({
    expect,
  }) => {
    const { calls } = await play({
      takeOvers: [['fenced'], ['blocked', 'fenced'], ['commits', 'fenced'], []],
      pulls: Array.from({ length: 6 }, (_, n) => [itemOf(n)]),
    })
    expect(calls.filter((call) => call.startsWith('fenced'))).toEqual([
      'fenced, waits 0',
      'fenced, waits 1000',
      'fenced, waits 0',
    ])
  })

  it('ends when the group does not confirm it, and gives everything back without delay', async ({
    expect,
  }) => {
    const { calls } = await play({
      takeOvers: [['fenced']],
      pulls: [[itemOf(1, { attempts: 9 })]],
      buffered: [itemOf(2, { attempts: 9 })],
      confirms: [false],
    })
    expect(calls.slice(calls.indexOf('doubt'))).toEqual([
      'doubt',
      'fenced, waits 0',
      // Before it asks: the other one may be the rightful owner.
      'give back lease-1+0,lease-2+0',
      'handed back fenced,fenced',
      'confirm',
      'intake stops',
      'settler stops',
      'stopped',
    ])
  })

  it('while it boots does the same', async ({ expect }) => {
    const { calls } = await play({
      takeOvers: ['fenced', 'fenced', ['commits']],
      pulls: [[itemOf(1)]],
    })
    expect(calls.slice(0, 9)).toEqual([
      'take over',
      'boot failed',
      'fenced, waits 0',
      'confirm',
      'take over',
      'boot failed',
      'fenced, waits 1000',
      'sleep 1000',
      'confirm',
    ])
    expect(calls).toContain('settle 1:lease-1')
    const refused = await play({ takeOvers: ['fenced'], confirms: [false] })
    expect(refused.calls.slice(-4)).toEqual(['confirm', 'intake stops', 'settler stops', 'stopped'])
  })
})
