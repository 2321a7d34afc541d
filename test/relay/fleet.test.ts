import { describe, it } from 'vitest'
import { Fleet } from '../../relay/fleet.ts'
import type { Shard } from '../../relay/shard.ts'

// A fleet whose shards end when the test says so.
function makeFleet({ lows = {} }: { lows?: Record<number, bigint> } = {}) {
  const calls: string[] = []
  const lives: { shard: number; end: PromiseWithResolvers<void> }[] = []
  const fleet = new Fleet({
    ownership: {
      async commit(offsets) {
        calls.push(`commit ${[...offsets].map(([shard, low]) => `${shard}@${low}`).join(',')}`)
        return true
      },
    },
    createShard(shard): Shard {
      return {
        async run(signal) {
          calls.push(`run ${shard}`)
          signal.addEventListener('abort', () => calls.push(`stop ${shard}`))
          const end = Promise.withResolvers<void>()
          lives.push({ shard, end })
          await end.promise
          calls.push(`ended ${shard}`)
        },
        settledLow: () => lows[shard],
        wake: () => calls.push(`wake ${shard}`),
      }
    },
    onOwned: (shards) => calls.push(`owned ${shards}`),
    onFatal: (error) => calls.push(`fatal ${(error as Error).message}`),
  })
  return { fleet, calls, lives }
}

// Everything that needs no I/O has happened then.
const settled = () => new Promise((resolve) => setImmediate(resolve))

describe('the fleet', () => {
  it('runs what is granted once, and stops what is revoked', async ({ expect }) => {
    const { fleet, calls, lives } = makeFleet()
    fleet.grant(0)
    fleet.grant(2)
    fleet.grant(0)
    await settled()
    expect(calls).toEqual(['owned 1', 'owned 2', 'run 0', 'run 2'])
    expect(fleet.owned).toEqual(new Set([0, 2]))
    fleet.revoke(0)
    fleet.revoke(1)
    lives[0]?.end.resolve()
    await settled()
    expect(calls.slice(4)).toEqual(['stop 0', 'owned 1', 'owned 1', 'ended 0'])
    expect(fleet.owned).toEqual(new Set([2]))
  })

  it('a shard that is granted again while it stops begins only when it has ended', async ({
    expect,
  }) => {
    const { fleet, calls, lives } = makeFleet()
    fleet.grant(0)
    await settled()
    fleet.revoke(0)
    fleet.grant(0)
    await settled()
    expect(calls).toEqual(['owned 1', 'run 0', 'stop 0', 'owned 0', 'owned 1'])
    lives[0]?.end.resolve()
    await settled()
    expect(calls.slice(5)).toEqual(['ended 0', 'run 0'])
  })

  it('a shard that is granted and revoked before its last life has ended never begins', async ({
    expect,
  }) => {
    const { fleet, calls, lives } = makeFleet()
    fleet.grant(0)
    await settled()
    fleet.revoke(0)
    fleet.grant(0)
    fleet.revoke(0)
    lives[0]?.end.resolve()
    await fleet.stop()
    expect(calls.filter((call) => call === 'run 0')).toHaveLength(1)
  })

  it('commits how far the owned shards are settled, and nothing of those that do not know it yet', async ({
    expect,
  }) => {
    const { fleet, calls } = makeFleet({ lows: { 0: 17n, 2: 0n, 3: 5n } })
    for (const shard of [0, 1, 2, 3]) fleet.grant(shard)
    fleet.revoke(3)
    await fleet.commit()
    expect(calls).toContain('commit 0@17,2@0')
    const empty = makeFleet()
    empty.fleet.grant(0)
    await empty.fleet.commit()
    expect(empty.calls.filter((call) => call.startsWith('commit'))).toEqual([])
  })

  it('wakes those of the named shards that it runs, once each', async ({ expect }) => {
    const { fleet, calls } = makeFleet()
    for (const shard of [0, 1, 2]) fleet.grant(shard)
    fleet.revoke(1)
    fleet.wake([0, 1, 7])
    expect(calls.filter((call) => call.startsWith('wake'))).toEqual(['wake 0'])
  })

  it('stop ends every shard, waits for it, and still commits what it settled', async ({
    expect,
  }) => {
    const { fleet, calls, lives } = makeFleet({ lows: { 0: 1n, 1: 2n } })
    fleet.grant(0)
    fleet.grant(1)
    await settled()
    const stopping = fleet.stop().then(() => calls.push('stopped'))
    lives[1]?.end.resolve()
    await settled()
    expect(calls.slice(-3)).toEqual(['stop 0', 'stop 1', 'ended 1'])
    lives[0]?.end.resolve()
    await stopping
    await fleet.commit()
    expect(calls.slice(-3)).toEqual(['ended 0', 'stopped', 'commit 0@1,1@2'])
  })

  it('says what no trying again can mend, and can still be stopped', async ({ expect }) => {
    const { fleet, calls, lives } = makeFleet()
    fleet.grant(0)
    await settled()
    lives[0]?.end.reject(new Error('the ledger is gone'))
    await fleet.stop()
    expect(calls).toContain('fatal the ledger is gone')
  })
})
