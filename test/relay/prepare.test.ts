import { describe, it } from 'vitest'
import { encodeEnvelope, MAX_LOOKUP_IDS, type Envelope, type EnvelopeId } from '#contract'
import type { Item, PulledLease } from '../../relay/item.ts'
import type { Memory } from '../../relay/ledger/remembered.ts'
import { prepare } from '../../relay/prepare.ts'
import type { FetchedRecords } from '../../relay/status/worker-client.ts'
import { claimOf, envelopeOf, idOf, leaseOf, outcomeOf } from '../support/items.ts'

interface World {
  remembered?: EnvelopeId[]
  found?: EnvelopeId[]
  absent?: EnvelopeId[] | 'others'
  // The ledger's end.
  next?: bigint | undefined
  lookUpFails?: (call: number) => boolean
  // Called in the turn in which the worker is asked.
  onAsked?: (world: { next: bigint | undefined }) => void
  fetched?: FetchedRecords | Error
}

// Prepares these messages and says what came of it: every call in order, and the items by their lease.
async function run(leases: PulledLease[], world: World = {}) {
  const { remembered = [], found = [], absent = 'others', onAsked, lookUpFails } = world
  const state = { next: 'next' in world ? world.next : 7n }
  const calls: string[] = []
  const items = new Map<string, Item>()
  const asked: number[] = []
  let lookUps = 0
  await prepare(
    leases,
    {
      stopping: new AbortController().signal,
      clock: () => 0,
      shard: 0,
      shards: 2,
      remembered: {
        look: (id): Memory | undefined =>
          remembered.includes(id)
            ? { status: 'untaken', offset: 3n, outcome: outcomeOf(1) }
            : undefined,
        get next() {
          return state.next
        },
      },
      worker: {
        async lookUp(ids) {
          asked.push(ids.length)
          calls.push(`look up ${ids.slice(0, 4).join(',')}`)
          onAsked?.(state)
          await Promise.resolve()
          if (lookUpFails?.(++lookUps)) throw new Error('away')
          return {
            found: new Set(ids.filter((id) => found.includes(id))),
            absent: new Set(
              ids.filter((id) => (absent === 'others' ? !found.includes(id) : absent.includes(id))),
            ),
          }
        },
        async fetchRecords(claim) {
          calls.push(`fetch ${claim.object.slice(0, 16)}`)
          const { fetched = { status: 'ok', records: [{ value: 'fetched' }] } } = world
          if (fetched instanceof Error) throw fetched
          return fetched
        },
      },
      async room(bytes) {
        calls.push(`room for ${bytes}`)
        return () => calls.push('room given back')
      },
      onLookUpFailed: (ids) => calls.push(`${ids} not answered`),
      onLookedUp: (a, f) => calls.push(`${a} absent, ${f} found`),
      onFetchFailed: () => calls.push('fetch failed'),
    },
    (item) => {
      if (items.has(item.lease.leaseId)) throw new Error(`${item.lease.leaseId} comes out twice`)
      items.set(item.lease.leaseId, item)
      calls.push(`emit ${item.lease.leaseId}`)
    },
  )
  return { calls, asked, of: (n: number) => items.get(`lease-${n}`), size: items.size }
}

const message = (n: number, envelope: Envelope = envelopeOf(n)) =>
  leaseOf(n, { body: encodeEnvelope(envelope) })

describe('what needs no look-up', () => {
  it.for<[string, string, object]>([
    ['no JSON', '{', { kind: 'raw', problem: 'not JSON' }],
    ['a newer version', '{"v": 2}', { kind: 'wait', reason: 'unknown_version' }],
    [
      "another shard's envelope",
      encodeEnvelope({ ...envelopeOf(1), id: idOf(1, 1) }),
      { kind: 'wait', reason: 'other_shard' },
    ],
  ])('%s is told without asking anybody', async ([, body, expected], { expect }) => {
    const { of, calls } = await run([leaseOf(1, { body })])
    expect(of(1)).toMatchObject(expected)
    expect(calls).toEqual(['emit lease-1'])
  })

  it('a remembered id is not looked up and its records are not fetched', async ({ expect }) => {
    const { of, calls } = await run([message(1, claimOf(1)), message(2)], {
      remembered: [idOf(1)],
    })
    expect(of(1)).toMatchObject({ kind: 'remembered', offset: 3n })
    expect(calls).toEqual([
      'emit lease-1',
      `look up ${idOf(2)}`,
      '1 absent, 0 found',
      'emit lease-2',
    ])
  })
})

describe('a look-up', () => {
  it("has as evidence the ledger's end of the turn in which it is asked, not of the answer", async ({
    expect,
  }) => {
    const { of } = await run([message(1)], {
      next: 7n,
      onAsked: (world) => (world.next = 99n),
    })
    expect(of(1)).toMatchObject({
      kind: 'envelope',
      records: [{ value: 'v1' }],
      evidence: 7n,
    })
  })

  it('row: settled; surely none: an envelope; neither: it waits', async ({ expect }) => {
    const { of, calls } = await run([message(1), message(2), message(3)], {
      found: [idOf(1)],
      absent: [idOf(2)],
    })
    expect([1, 2, 3].map((n) => of(n))).toMatchObject([
      { kind: 'settled' },
      { kind: 'envelope' },
      { kind: 'wait', reason: 'look_up_failed' },
    ])
    expect(calls).toContain('1 not answered')
  })

  it('that fails makes what was asked wait, and no records are fetched', async ({ expect }) => {
    const { of, calls } = await run([message(1), message(2, claimOf(2))], {
      lookUpFails: () => true,
    })
    expect([1, 2].map((n) => of(n))).toMatchObject(
      Array(2).fill({ kind: 'wait', reason: 'look_up_failed' }),
    )
    expect(calls.slice(0, 2)).toEqual([`look up ${idOf(1)},${idOf(2)}`, '2 not answered'])
    expect(calls.filter((call) => call.startsWith('fetch'))).toEqual([])
  })

  it('is not asked before the first boot: everything waits', async ({ expect }) => {
    const { of, calls } = await run([message(1)], { next: undefined })
    expect(of(1)).toMatchObject({ kind: 'wait', reason: 'look_up_failed' })
    expect(calls).toEqual(['emit lease-1'])
  })

  it('asks once for an id that came twice, and each copy comes out', async ({ expect }) => {
    const copy = { ...message(1), leaseId: 'lease-2' }
    const { of, calls } = await run([message(1), copy])
    expect(calls[0]).toBe(`look up ${idOf(1)}`)
    expect([1, 2].map((n) => of(n)?.kind)).toEqual(['envelope', 'envelope'])
  })

  it('for more ids than one call takes is split; a part that fails costs the others nothing', async ({
    expect,
  }) => {
    const count = 2 * MAX_LOOKUP_IDS + 1
    const { of, asked, size } = await run(
      Array.from({ length: count }, (_, n) => message(n)),
      { lookUpFails: (call) => call === 2, onAsked: (world) => (world.next = 99n) },
    )
    expect(asked).toEqual([MAX_LOOKUP_IDS, MAX_LOOKUP_IDS, 1])
    expect(size).toBe(count)
    expect(of(0)).toMatchObject({ kind: 'envelope', evidence: 7n })
    expect(of(MAX_LOOKUP_IDS)).toMatchObject({ kind: 'wait' })
    // What is asked later stands on the earlier end: that asks more of the memory, never less.
    expect(of(count - 1)).toMatchObject({ kind: 'envelope', evidence: 7n })
  })
})

describe('the records of a large envelope', () => {
  it('are fetched only when it is surely absent, after there is room, which is given back as they come out', async ({
    expect,
  }) => {
    const { of, calls } = await run(
      [message(1, claimOf(1)), message(2, claimOf(2)), message(3, claimOf(3))],
      { found: [idOf(2)], absent: [idOf(1)] },
    )
    expect(calls.slice(-4)).toEqual([
      'emit lease-3',
      `fetch ${idOf(1)}`,
      'room given back',
      'emit lease-1',
    ])
    expect(calls.filter((call) => /^(room|fetch)/.test(call))).toEqual([
      'room for 1000',
      `fetch ${idOf(1)}`,
      'room given back',
    ])
    expect(of(1)).toMatchObject({
      kind: 'envelope',
      records: [{ value: 'fetched' }],
      evidence: 7n,
    })
  })

  it.for<[string, FetchedRecords | Error, object]>([
    ['are lost', { status: 'lost', problem: 'gone' }, { kind: 'lost', evidence: 7n }],
    ['can not be had now', new Error('away'), { kind: 'wait', reason: 'records_unavailable' }],
  ])('that %s give their room back as well', async ([, fetched, expected], { expect }) => {
    const { of, calls } = await run([message(1, claimOf(1))], { fetched })
    expect(of(1)).toMatchObject(expected)
    expect(calls.slice(-2)).toEqual(['room given back', 'emit lease-1'])
  })
})
