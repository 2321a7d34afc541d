import { describe, it } from 'vitest'
import type { EnvelopeId, LedgerRecord, Outcome } from '#contract'
import type { Batch, Delivered } from '../../relay/deliver.ts'
import type { Item } from '../../relay/item.ts'
import { runShard, type ShardDeps } from '../../relay/loop.ts'
import type { Settlement } from '../../relay/settle.ts'
import { envelopeOf, idOf, itemOf, leaseOf, NOW, outcomeOf } from '../support/items.ts'

interface Script {
  /** What each take-over does: an owner whose transactions behave so, or a failure. */
  takeOvers: (
    | 'fails'
    | { found?: [EnvelopeId, Outcome][]; transactions: ('commits' | 'doubt' | 'fenced')[] }
  )[]
  /** What the queue hands out, batch by batch; after the last one the shard is stopped. */
  pulls: Item[][]
}

class ScriptedDoubt extends Error {
  readonly fenced: boolean
  constructor(fenced: boolean) {
    super('in doubt')
    this.fenced = fenced
  }
}

/** Runs a script to its end and returns every call in order. */
async function play({ takeOvers, pulls }: Script): Promise<string[]> {
  const calls: string[] = []
  const known = new Map<EnvelopeId, Outcome>()
  const stop = new AbortController()
  const names = (items: readonly Item[]) => items.map(({ lease }) => lease.leaseId).join(',')
  let offset = 0n

  function commit(batch: Batch): Delivered {
    const outcomes = batch.send.map(({ envelope }): [EnvelopeId, Outcome] => [
      envelope.id,
      outcomeOf(1),
    ])
    return {
      committed: { record: { v: 1, batch: outcomes }, offset: offset++ },
      outcomes,
      blocked: [],
    }
  }

  const deps: ShardDeps = {
    async takeOver() {
      const next = takeOvers.shift() ?? { transactions: [] }
      calls.push('take over')
      if (next === 'fails') throw new Error('no Kafka')
      for (const [id, outcome] of next.found ?? []) known.set(id, outcome)
      return {
        found: next.found ?? [],
        async deliver(batch) {
          const end = next.transactions.shift()
          calls.push(`deliver ${batch.send.map(({ envelope }) => envelope.id.slice(-2)).join(',')}`)
          if (end === 'commits') return commit(batch)
          throw new ScriptedDoubt(end === 'fenced')
        },
        async close() {
          calls.push('close')
        },
      }
    },
    remembered: {
      outcomeOf: (id) => known.get(id),
      hasRaw: () => false,
      addCommitted(record: LedgerRecord) {
        if ('batch' in record) for (const [id, outcome] of record.batch) known.set(id, outcome)
        calls.push('remember')
      },
    },
    intake: {
      resume: () => void calls.push('resume'),
      pause: () => void calls.push('pause'),
      async take() {
        const next = pulls.shift()
        if (!next) stop.abort()
        return next ?? []
      },
      drain: () => [],
      stop: async () => [],
    },
    settler: {
      async submit({ outcomes, leases, raw }: Settlement) {
        calls.push(
          `settle ${outcomes.map(([id]) => names(leases.get(id) ?? [])).join(',')}${raw.length > 0 ? ` raw ${names(raw)}` : ''}`,
        )
      },
      idle: async () => void calls.push('idle'),
    },
    queue: {
      async settle(_, retries) {
        calls.push(
          `give back ${retries.map(({ leaseId, delaySeconds }) => `${leaseId}+${delaySeconds}`).join(',')}`,
        )
      },
    },
    now: () => NOW,
    random: () => 0,
    sleep: async (ms) => void calls.push(`sleep ${ms}`),
    observe: {
      booted: () => {},
      bootFailed: () => {},
      doubt: () => calls.push('doubt'),
      sending: () => {},
      committed: () => {},
      known: () => {},
      gaveBack: () => {},
      giveBackFailed: () => {},
      stopped: () => calls.push('stopped'),
    },
  }
  await runShard(deps, stop.signal)
  return calls
}

const tail = (n: number) => idOf(n).slice(-2)

describe('a shard', () => {
  it('remembers after the commit and settles after remembering', async ({ expect }) => {
    const calls = await play({ takeOvers: [{ transactions: ['commits'] }], pulls: [[itemOf(1)]] })
    expect(calls).toEqual([
      'take over',
      'resume',
      `deliver ${tail(1)}`,
      'remember',
      'settle lease-1',
      'pause',
      'close',
      'idle',
      'stopped',
    ])
  })

  it('sends nothing that it remembers, and settles it again', async ({ expect }) => {
    const calls = await play({
      takeOvers: [{ transactions: ['commits'] }],
      pulls: [[itemOf(1, 1)], [itemOf(1, 2)]],
    })
    expect(calls.filter((c) => c.startsWith('deliver'))).toHaveLength(1)
    expect(calls).toContain('settle lease-2')
  })

  it('in doubt reads the ledger before it decides again: what was committed is settled, not sent', async ({
    expect,
  }) => {
    const calls = await play({
      takeOvers: [
        { transactions: ['doubt'] },
        { found: [[idOf(1), outcomeOf(1)]], transactions: [] },
      ],
      pulls: [[itemOf(1)]],
    })
    expect(calls.filter((c) => c.startsWith('deliver'))).toEqual([`deliver ${tail(1)}`])
    expect(calls.slice(calls.indexOf('doubt'))).toEqual([
      'doubt',
      'sleep 10',
      'take over',
      'settle ',
      'resume',
      'settle lease-1',
      'pause',
      'close',
      'idle',
      'stopped',
    ])
  })

  it('in doubt sends again what the ledger does not have', async ({ expect }) => {
    const calls = await play({
      takeOvers: [{ transactions: ['doubt'] }, { transactions: ['commits'] }],
      pulls: [[itemOf(1)]],
    })
    expect(calls.filter((c) => c.startsWith('deliver'))).toEqual([
      `deliver ${tail(1)}`,
      `deliver ${tail(1)}`,
    ])
    expect(calls.filter((c) => c === 'settle lease-1')).toHaveLength(1)
  })

  it('gives back what it holds when it can not take over again, and pulls nothing until it can', async ({
    expect,
  }) => {
    const calls = await play({
      takeOvers: [{ transactions: ['doubt'] }, 'fails', { transactions: [] }],
      pulls: [[itemOf(1)]],
    })
    const after = calls.slice(calls.indexOf('doubt'))
    expect(after).toEqual([
      'doubt',
      'sleep 10',
      'take over',
      'give back lease-1+1',
      'sleep 100',
      'take over',
      'resume',
      'pause',
      'close',
      'idle',
      'stopped',
    ])
  })

  it('gives a batch back that is in doubt again and again, so that others get their turn', async ({
    expect,
  }) => {
    const doubt = { transactions: ['doubt' as const] }
    const calls = await play({
      takeOvers: [doubt, doubt, doubt, { transactions: ['commits'] }],
      pulls: [[itemOf(1)], [itemOf(2)]],
    })
    expect(calls.filter((c) => c.startsWith('deliver'))).toEqual([
      ...Array<string>(3).fill(`deliver ${tail(1)}`),
      `deliver ${tail(2)}`,
    ])
    expect(calls).toContain('give back lease-1+1')
  })

  it('gives way for seconds, not milliseconds, to an owner that fenced it', async ({ expect }) => {
    const calls = await play({
      takeOvers: [{ transactions: ['fenced'] }, { transactions: ['commits'] }],
      pulls: [[itemOf(1)]],
    })
    expect(calls).toContain('sleep 1000')
  })

  it('gives back what waits, and delivers the rest of the batch', async ({ expect }) => {
    const waiting: Item = { lease: leaseOf(9, '', 3), kind: 'wait', reason: 'unknown_version' }
    const calls = await play({
      takeOvers: [{ transactions: ['commits'] }],
      pulls: [[waiting, itemOf(1)]],
    })
    expect(calls).toContain('give back lease-9+4')
    expect(calls).toContain('settle lease-1')
  })

  it('settles only the leases of envelopes that were committed; a blocked one is given back', async ({
    expect,
  }) => {
    const blocked = envelopeOf(2)
    const stop = new AbortController()
    const calls: string[] = []
    const pulls = [[itemOf(1), itemOf(2)]]
    await runShard(
      {
        takeOver: async () => ({
          found: [],
          deliver: async () => ({
            committed: { record: { v: 1, batch: [[idOf(1), outcomeOf(1)]] }, offset: 1n },
            outcomes: [[idOf(1), outcomeOf(1)]],
            blocked: [
              {
                sendable: { envelope: blocked, records: [] },
                topic: 'topic',
                reason: 'topic_not_found',
              },
            ],
          }),
          close: async () => {},
        }),
        remembered: { outcomeOf: () => undefined, hasRaw: () => false, addCommitted: () => {} },
        intake: {
          resume: () => {},
          pause: () => {},
          drain: () => [],
          stop: async () => [],
          async take() {
            const next = pulls.shift()
            if (!next) stop.abort()
            return next ?? []
          },
        },
        settler: {
          submit: async ({ outcomes }) =>
            void calls.push(`settle ${outcomes.map(([id]) => id).join(',')}`),
          idle: async () => {},
        },
        queue: {
          settle: async (_, retries) =>
            void calls.push(`give back ${retries.map((r) => r.leaseId).join(',')}`),
        },
        now: () => NOW,
        random: () => 0,
        sleep: async () => {},
        observe: {
          booted: () => {},
          bootFailed: () => {},
          doubt: () => {},
          sending: () => {},
          committed: () => {},
          known: () => {},
          gaveBack: () => {},
          giveBackFailed: () => {},
          stopped: () => {},
        },
      },
      stop.signal,
    )
    expect(calls).toEqual([`settle ${idOf(1)}`, 'give back lease-2'])
  })
})
