import { describe, it } from 'vitest'
import type { EnvelopeId } from '#contract'
import { Settler } from '../../relay/settle.ts'
import { idOf, itemOf, leaseOf, outcomeOf } from '../support/items.ts'

function makeSettler(options: { taken: EnvelopeId[]; ackFails?: boolean }) {
  const calls: string[] = []
  const settler = new Settler({
    worker: {
      async postOutcomes(outcomes) {
        calls.push(`post ${outcomes.length}`)
        return { taken: new Set(options.taken), failed: undefined }
      },
      async deleteRecords(object) {
        calls.push(`delete ${object.slice(-1)}`)
      },
    },
    queue: {
      async settle(acks, retries) {
        calls.push(
          `ack ${acks.join(',')} retry ${retries.map(({ leaseId, delaySeconds }) => `${leaseId}+${delaySeconds}`).join(',')}`,
        )
        if (options.ackFails) throw new Error('queue API away')
      },
    },
    onSettled: (taken, leases) => calls.push(`settled ${taken.size}/${leases}`),
    onNotTaken: (ids) => calls.push(`not taken ${ids.length}`),
    onAckFailed: () => calls.push('ack failed'),
    onCleanUpFailed: () => calls.push('clean-up failed'),
  })
  return { settler, calls }
}

describe('settling', () => {
  it('acks the leases of exactly the envelopes whose outcome was taken, after it was taken', async ({
    expect,
  }) => {
    const { settler, calls } = makeSettler({ taken: [idOf(1)] })
    await settler.submit({
      outcomes: [
        [idOf(1), outcomeOf(1)],
        [idOf(2), outcomeOf(2)],
      ],
      leases: new Map([
        [idOf(1), [itemOf(1, 1), itemOf(1, 11)]],
        [idOf(2), [itemOf(2, 2)]],
      ]),
      raw: [],
    })
    await settler.idle()
    expect(calls).toEqual([
      'post 2',
      'not taken 1',
      'ack lease-1,lease-11 retry lease-2+1',
      'settled 1/2',
    ])
  })

  it('acks nothing and gives everything back when nothing was taken', async ({ expect }) => {
    const { settler, calls } = makeSettler({ taken: [] })
    await settler.submit({
      outcomes: [[idOf(1), outcomeOf(1)]],
      leases: new Map([[idOf(1), [itemOf(1)]]]),
      raw: [],
    })
    await settler.idle()
    expect(calls).toEqual(['post 1', 'not taken 1', 'ack  retry lease-1+1', 'settled 0/0'])
  })

  it('acks dead letters that have no receipt without asking the worker', async ({ expect }) => {
    const { settler, calls } = makeSettler({ taken: [] })
    await settler.submit({
      outcomes: [],
      leases: new Map(),
      raw: [{ lease: leaseOf(5), kind: 'raw', problem: '' }],
    })
    await settler.idle()
    expect(calls).toEqual(['ack lease-5 retry ', 'settled 0/1'])
  })

  it('deletes the object of a large envelope after its ack, and not when the ack failed', async ({
    expect,
  }) => {
    const { envelope, lease } = itemOf(1)
    const { v, id, datahub, topic, received } = envelope
    const claim = { object: `${id}-${'a'.repeat(63)}b`, bytes: 10, count: 1 }
    const item = {
      lease,
      kind: 'envelope' as const,
      envelope: { v, id, datahub, topic, received, claim },
      records: [],
    }
    const settlement = {
      outcomes: [[idOf(1), outcomeOf(1)] as [EnvelopeId, ReturnType<typeof outcomeOf>]],
      leases: new Map([[id, [item]]]),
      raw: [],
    }
    const good = makeSettler({ taken: [id] })
    await good.settler.submit(settlement)
    await good.settler.idle()
    expect(good.calls.at(-1)).toBe('delete b')
    const bad = makeSettler({ taken: [id], ackFails: true })
    await bad.settler.submit(settlement)
    await bad.settler.idle()
    expect(bad.calls.at(-1)).toBe('ack failed')
  })
})
