import { describe, it } from 'vitest'
import { wakeShard } from '../../../worker/link/waker.ts'
import { makeAccess, RELAY, testClient } from '../support/client.ts'

describe('waking a shard', () => {
  it('asks once for many that wait at the same time, each shard for itself, and again a little later', async ({
    expect,
  }) => {
    const woken: number[] = []
    const clock = { now: 1_000_000 }
    const wakings = new Map<number, number>()
    const deps = {
      relayLink: { wake: async (shards: readonly number[]) => void woken.push(...shards) },
      now: () => clock.now,
    }
    for (const shard of [0, 0, 1, 0, 1]) void wakeShard(shard, wakings, deps)
    expect(woken).toEqual([0, 1])
    clock.now += 199
    expect(wakeShard(0, wakings, deps)).toBeUndefined()
    clock.now += 1
    await wakeShard(0, wakings, deps)
    expect(woken).toEqual([0, 1, 0])
  })
})

describe('who is woken for', () => {
  // What the link object is told, in the order in which it is.
  function recordingClient() {
    const woken: number[][] = []
    const link = {
      wake: async (shards: number[]) => void woken.push(shards),
      watchTargets: async () => {},
    }
    const client = testClient({ RELAY_LINK: { getByName: () => link }, SHARDS: '1' })
    return { client, woken }
  }
  const body = { reports: [{ value: 'x' }] }

  it('a POST that waits for its outcome, and none that does not', async ({ expect }) => {
    const { client, woken } = recordingClient()
    const { datahub, headers } = await makeAccess(client)
    const path = `/v1/datahubs/${datahub}/reports`
    expect((await client.post(path, body, headers)).status).toBe(202)
    expect(woken).toEqual([])
    expect((await client.post(path, body, { ...headers, Prefer: 'wait=1' })).status).toBe(202)
    expect(woken).toEqual([[0]])
  })

  it('a long poll of a fresh receipt, and no look at it without waiting', async ({ expect }) => {
    const { client, woken } = recordingClient()
    const { datahub, headers } = await makeAccess(client)
    const posted = await client.post(`/v1/datahubs/${datahub}/reports`, body, headers)
    const { receipt } = await posted.json<{ receipt: string }>()
    await client.fetch(`/v1/receipts/${receipt}`, { headers: RELAY })
    expect(woken).toEqual([])
    await client.fetch(`/v1/receipts/${receipt}?wait=1`)
    expect(woken).toEqual([[0]])
  })
})
