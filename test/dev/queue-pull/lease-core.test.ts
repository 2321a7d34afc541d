import { describe, it } from 'vitest'
import {
  conditionOf,
  DEFAULT_LEASE_SETTINGS,
  formatLeaseId,
  judge,
  leasedSeqs,
  parseLeaseId,
  planAck,
  planPull,
  type MessageHead,
} from '../../../dev/queue-pull/lease-core.ts'

const NOW = 1_700_000_000_000
const SETTINGS = { ...DEFAULT_LEASE_SETTINGS, maxRetries: 3 }

const message = (change: Partial<MessageHead> = {}): MessageHead => ({
  seq: 7,
  id: '0123456789abcdef0123456789abcdef',
  side: 'queue',
  fate: 'live',
  bytes: 10,
  timestamp: NOW - 1000,
  attempts: 0,
  moves: 0,
  visibleAt: NOW - 1000,
  leased: false,
  ...change,
})

const leaseOf = (m: MessageHead, change: { attempts?: number; moves?: number } = {}) =>
  formatLeaseId({ ...m, ...change })

function ack(head: MessageHead, request: { acks?: string[]; retries?: [string, number][] }) {
  return planAck(
    {
      acks: request.acks ?? [],
      retries: (request.retries ?? []).map(([leaseId, delayMs]) => ({ leaseId, delayMs })),
    },
    'queue',
    (seq) => (seq === head.seq ? head : undefined),
    NOW,
    SETTINGS,
  )
}

describe('what is due for a message', () => {
  it.for([
    ['delivered once visible', {}, 'deliver'],
    [
      'delivered at the very end of its lease',
      { leased: true, attempts: 1, visibleAt: NOW },
      'deliver',
    ],
    ['kept during its lease', { leased: true, attempts: 1, visibleAt: NOW + 1 }, 'wait'],
    ['kept during its delay', { visibleAt: NOW + 1 }, 'wait'],
    ['kept during its last lease', { leased: true, attempts: 3, visibleAt: NOW + 1 }, 'wait'],
    ['dead-lettered after its last lease', { leased: true, attempts: 3 }, 'dead_letter'],
    ['dropped out of a dead-letter queue', { side: 'deadLetter', attempts: 3 }, 'drop'],
    ['dropped at its retention', { timestamp: NOW - SETTINGS.retentionMs }, 'drop'],
    [
      'dropped at its retention even while leased',
      { timestamp: NOW - SETTINGS.retentionMs, visibleAt: NOW + 1 },
      'drop',
    ],
  ] as const)('a message is %s', ([, change, verdict], { expect }) => {
    expect(judge(message(change), NOW, SETTINGS)).toBe(verdict)
  })

  it('every message is in exactly one condition', ({ expect }) => {
    expect(conditionOf(message(), NOW)).toBe('ready')
    expect(conditionOf(message({ leased: true, visibleAt: NOW }), NOW)).toBe('ready')
    expect(conditionOf(message({ leased: true, visibleAt: NOW + 1 }), NOW)).toBe('leased')
    expect(conditionOf(message({ visibleAt: NOW + 1 }), NOW)).toBe('delayed')
    expect(conditionOf(message({ fate: 'acked', visibleAt: NOW + 1 }), NOW)).toBe('acked')
  })
})

describe('a pull', () => {
  it('leases at most the limit, in the order of the candidates', ({ expect }) => {
    const candidates = [1, 2, 3].map((seq) => message({ seq }))
    const plan = planPull(candidates, { limit: 2 }, NOW, SETTINGS)
    expect(plan.lease.map((m) => m.seq)).toEqual([1, 2])
    expect(plan.visibleAt).toBe(NOW + SETTINGS.visibilityTimeoutMs)
  })

  it('counts the delivery that it makes, in attempts and in the lease', ({ expect }) => {
    const { deliveries } = planPull([message({ attempts: 1 })], { limit: 9 }, NOW, SETTINGS)
    expect(deliveries).toMatchObject([{ attempts: 2 }])
    expect(parseLeaseId(deliveries[0]?.leaseId ?? '')).toMatchObject({ seq: 7, attempts: 2 })
  })

  it("takes the caller's visibility timeout over the consumer's", ({ expect }) => {
    const request = { limit: 1, visibilityTimeoutMs: 5 }
    expect(planPull([message()], request, NOW, SETTINGS).visibleAt).toBe(NOW + 5)
  })
})

describe('an ack', () => {
  const leased = message({ attempts: 2, leased: true, visibleAt: NOW + 10_000 })

  it('finishes a leased message', ({ expect }) => {
    const plan = ack(leased, { acks: [leaseOf(leased)] })
    expect(plan).toMatchObject({ finish: [leased], ackCount: 1, retryCount: 0, warnings: {} })
  })

  it('is accepted after the lease expired', ({ expect }) => {
    const expired = message({ attempts: 2, leased: true, visibleAt: NOW - 1 })
    expect(ack(expired, { acks: [leaseOf(expired)] }).finish).toEqual([expired])
  })

  it('is accepted while another consumer holds a newer lease', ({ expect }) => {
    const plan = ack(leased, { acks: [leaseOf(leased, { attempts: 1 })] })
    expect(plan).toMatchObject({ finish: [leased], ackCount: 1, warnings: {} })
  })

  it('of a message acked before counts and does nothing', ({ expect }) => {
    const acked = message({ attempts: 1, fate: 'acked' })
    expect(ack(acked, { acks: [leaseOf(acked)] })).toMatchObject({
      finish: [],
      ackCount: 1,
      warnings: {},
    })
  })

  it('by a lease from before the move to the dead-letter queue does nothing', ({ expect }) => {
    const moved = message({ side: 'deadLetter', moves: 1, attempts: 1 })
    const old = formatLeaseId({ ...moved, side: 'queue', moves: 0, attempts: 3 })
    expect(ack(moved, { acks: [old] })).toMatchObject({ finish: [], ackCount: 1, warnings: {} })
  })

  it('by a lease from before a redrive does not touch the message that starts anew', ({
    expect,
  }) => {
    const redriven = message({ moves: 2, attempts: 1 })
    const old = leaseOf(redriven, { moves: 0, attempts: 1 })
    expect(ack(redriven, { acks: [old] })).toMatchObject({ finish: [], ackCount: 1 })
  })

  it.for([
    ['no lease at all', 'nonsense'],
    ['an empty text', ''],
    ['a lease of another message', leaseOf(message({ seq: 8 }), { attempts: 1 })],
    ['a lease under another id', formatLeaseId({ ...leased, id: 'f'.repeat(32) })],
    ['a lease not given yet', leaseOf(leased, { attempts: 3 })],
    ['a lease of no delivery', leaseOf(leased, { attempts: 0 })],
    ['a lease of the other queue', formatLeaseId({ ...leased, side: 'deadLetter' })],
    ['a lease of a stay to come', leaseOf(leased, { moves: 1 })],
  ])('by %s is a warning and no more', ([, leaseId = ''], { expect }) => {
    const plan = ack(leased, { acks: [leaseId], retries: [[leaseId, 0]] })
    expect(plan).toMatchObject({ finish: [], release: [], ackCount: 0, retryCount: 0 })
    expect(Object.keys(plan.warnings)).toEqual([leaseId])
  })

  it('wins over a retry of the same lease in the same request', ({ expect }) => {
    const plan = ack(leased, { acks: [leaseOf(leased)], retries: [[leaseOf(leased), 0]] })
    expect(plan).toMatchObject({ finish: [leased], release: [], ackCount: 1, retryCount: 1 })
  })
})

describe('a retry', () => {
  const leased = message({ attempts: 2, leased: true, visibleAt: NOW + 10_000 })

  it.for([0, 1000, 86_400_000])(
    'brings the message back after its delay of %i ms',
    (delayMs, { expect }) => {
      const plan = ack(leased, { retries: [[leaseOf(leased), delayMs]] })
      expect(plan).toMatchObject({
        release: [{ message: leased, visibleAt: NOW + delayMs }],
        retryCount: 1,
        ackCount: 0,
      })
    },
  )

  it('by an older lease does not take the message from its new holder', ({ expect }) => {
    const plan = ack(leased, { retries: [[leaseOf(leased, { attempts: 1 }), 0]] })
    expect(plan).toMatchObject({ release: [], retryCount: 1, warnings: {} })
  })

  it('of the last attempt dead-letters the message whatever its delay', ({ expect }) => {
    const last = message({ attempts: 3, leased: true, visibleAt: NOW + 1 })
    expect(ack(last, { retries: [[leaseOf(last), 60_000]] })).toMatchObject({
      deadLetter: [last],
      release: [],
    })
  })
})

it('an ack names the messages that it will ask for, and only well-formed leases do', ({
  expect,
}) => {
  const acks = [leaseOf(message({ seq: 1 })), 'x']
  const retries = [{ leaseId: leaseOf(message({ seq: 2 })), delayMs: 0 }]
  expect(leasedSeqs({ acks, retries })).toEqual([1, 2])
})
