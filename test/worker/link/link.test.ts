import { env } from 'cloudflare:workers'
import { describe, it, vi } from 'vitest'
import { LINK_QUERY_MS } from '#contract'
import { createRelayLink, type RelayLinkStub } from '../../../worker/link/link.ts'
import type { Asked } from '../../../worker/link/questions.ts'
import { UnavailableError } from '../../../worker/unavailable.ts'

const QUERY = { op: 'cluster' } as const
const ANSWERED: Asked = {
  status: 'answered',
  answer: { status: 'cluster', clusterId: 'c', brokers: 1 },
}
const broken = (over: object = {}): Error => Object.assign(new Error('broken'), over)

/** One try after the other does the next of these. */
function setUp(...tries: (() => Promise<Asked>)[]) {
  const asked: number[] = []
  const logged: string[] = []
  let stubs = 0
  const fail = (): Promise<never> => Promise.reject(broken())
  const client = createRelayLink({
    stub: () => {
      stubs++
      return {
        fetch: fail,
        watchTargets: fail,
        wake: fail,
        ask(_, ms) {
          asked.push(ms)
          return tries.shift()?.() ?? fail()
        },
      }
    },
    now: () => Date.now(),
    log: ({ message }) => logged.push(message),
  })
  return { client, asked, logged, stubs: () => stubs }
}

describe('the link as the worker sees it', () => {
  it('takes the object as its stub', async ({ expect }) => {
    const name = crypto.randomUUID()
    const stub = (): RelayLinkStub => env.RELAY_LINK.getByName(name)
    const client = createRelayLink({ stub, now: () => Date.now(), log: () => {} })
    expect(await client.ask(QUERY)).toEqual({ status: 'no_relay' })
    await client.watchTargets()
    await client.wake([1])
  })

  it('asks once when it is answered, with the usual time', async ({ expect }) => {
    const { client, asked } = setUp(async () => ANSWERED)
    expect(await client.ask(QUERY)).toEqual(ANSWERED)
    expect(asked).toEqual([LINK_QUERY_MS])
  })

  it('asks once more, by a new stub and with the time left, when the object fails', async ({
    expect,
  }) => {
    vi.useFakeTimers()
    try {
      const { client, asked, stubs } = setUp(
        () => {
          vi.advanceTimersByTime(300)
          return Promise.reject(broken())
        },
        async () => ANSWERED,
      )
      expect(await client.ask(QUERY, 1_000)).toEqual(ANSWERED)
      expect(asked).toEqual([1_000, 700])
      expect(stubs()).toBe(2)
    } finally {
      vi.useRealTimers()
    }
  })

  it('answers no_relay when it fails twice, and logs it', async ({ expect }) => {
    const { client, asked, logged } = setUp()
    expect(await client.ask(QUERY, 1_000)).toEqual({ status: 'no_relay' })
    expect(asked).toHaveLength(2)
    expect(logged).toEqual(['The relay link does not answer.'])
  })

  it('does not ask an overloaded object again', async ({ expect }) => {
    const overloaded = (): Promise<never> => Promise.reject(broken({ overloaded: true }))
    const { client, asked } = setUp(overloaded)
    expect(await client.ask(QUERY, 1_000)).toEqual({ status: 'busy' })
    expect(asked).toHaveLength(1)
  })

  it('answers in time when the object never does', async ({ expect }) => {
    vi.useFakeTimers()
    try {
      const { client, asked } = setUp(() => new Promise(() => {}))
      const asking = client.ask(QUERY, 1_000)
      await vi.advanceTimersByTimeAsync(1_000)
      expect(await asking).toEqual({ status: 'timed_out' })
      expect(asked).toHaveLength(1)
      expect(vi.getTimerCount()).toBe(0)
    } finally {
      vi.useRealTimers()
    }
  })

  it('logs what relays were not told, and throws only for a connection', async ({ expect }) => {
    const { client, logged, stubs } = setUp()
    await client.watchTargets()
    await client.wake([0])
    expect(stubs()).toBe(4)
    expect(logged).toEqual(['Relays were not told of a new target.', 'Relays were not woken.'])
    const request = new Request('https://edge.test/internal/link')
    await expect(client.connect(request)).rejects.toThrow(UnavailableError)
  })
})
