import * as fc from 'fast-check'
import { describe, it } from 'vitest'
import {
  MAX_RETRY_DELAY_SECONDS,
  MAX_SEND_AGE_MS,
  STATUS_ROW_MS,
  QUEUE_RETENTION_MS,
} from '#contract'
import {
  decide,
  handBack,
  retryDelaySeconds,
  type Decision,
  type HandBackReason,
  type Knowledge,
} from '../../relay/disposition.ts'
import type { Item, SourceName } from '../../relay/item.ts'
import type { Memory } from '../../relay/ledger/remembered.ts'
import {
  backText,
  idOf,
  itemOf,
  leaseIds,
  leaseOf,
  lostOf,
  NOW,
  outcomeOf,
  rawOf,
} from '../support/items.ts'

const nothing: Knowledge = { look: () => undefined, hasRaw: () => false, low: 0n }
const moment = { now: NOW, leaseNeededUntil: 0 }
const untaken: Memory = { status: 'untaken', offset: 1n, outcome: outcomeOf(7) }
const taken: Memory = { status: 'taken', offset: 1n }
const knowing = (memory: Memory): Knowledge => ({ ...nothing, look: () => memory })

function rememberedOf(n: number, lease = n): Item {
  const { envelope } = itemOf(n)
  return { lease: leaseOf(lease), kind: 'remembered', envelope, offset: 1n }
}
function settledOf(n: number, lease = n): Item {
  return { lease: leaseOf(lease), kind: 'settled', envelope: itemOf(n).envelope }
}

// Where an item came out, by its lease.
function endOf(decision: Decision): Record<string, string> {
  const { batch, leases, known, done, raw, handBack: back } = decision
  const doomed = new Map(batch.doomed.map(({ envelope, reason }) => [envelope.id, reason]))
  return Object.fromEntries([
    ...[...leases].flatMap(([id, items]) =>
      leaseIds(items).map((lease) => [lease, doomed.get(id) ?? 'sent']),
    ),
    ...leaseIds(known.map(({ item }) => item)).map((lease) => [lease, 'known']),
    ...leaseIds(done).map((lease) => [lease, 'done']),
    ...leaseIds(raw).map((lease) => [lease, 'raw']),
    ...back.map(({ item, reason }) => [item.lease.leaseId, reason]),
  ])
}

describe('decide', () => {
  it.for<[string, Item, Knowledge, string]>([
    ['an envelope with evidence', itemOf(1), nothing, 'sent'],
    ['one whose outcome is not taken', itemOf(1), knowing(untaken), 'known'],
    ['one whose outcome is taken', itemOf(1), knowing(taken), 'done'],
    ['one that came when it was remembered', rememberedOf(1), knowing(untaken), 'known'],
    ['one that was taken since', rememberedOf(1), knowing(taken), 'done'],
    ['one that was forgotten since', rememberedOf(1), nothing, 'evidence_too_old'],
    ['one that the status store has', settledOf(1), nothing, 'done'],
    ['one that both have', settledOf(1), knowing(untaken), 'done'],
    ['one whose records are lost', lostOf(1), nothing, 'envelope_lost'],
    ['a known one whose records are lost', lostOf(1), knowing(untaken), 'known'],
    ['a taken one whose records are lost', lostOf(1), knowing(taken), 'done'],
    ['evidence at low', itemOf(1, { evidence: 5n }), { ...nothing, low: 5n }, 'sent'],
    [
      'evidence below low',
      itemOf(1, { evidence: 4n }),
      { ...nothing, low: 5n },
      'evidence_too_old',
    ],
    [
      'a loss with evidence below low',
      lostOf(1, { evidence: 4n }),
      { ...nothing, low: 5n },
      'evidence_too_old',
    ],
    [
      'a remembered one with evidence below low',
      itemOf(1, { evidence: 4n }),
      { ...knowing(untaken), low: 5n },
      'known',
    ],
    ['no envelope', rawOf(1), nothing, 'raw'],
    ['no envelope, again', rawOf(1), { ...nothing, hasRaw: () => true }, 'done'],
    [
      'what waits',
      { lease: leaseOf(1), kind: 'wait', reason: 'other_shard' },
      nothing,
      'other_shard',
    ],
  ])('%s ends so: %s', ([, item, knowledge, end], { expect }) => {
    expect(endOf(decide([item], knowledge, moment))).toEqual({ 'lease-1': end })
  })

  it('known is settled with the outcome of the ledger', ({ expect }) => {
    expect(decide([itemOf(1)], knowing(untaken), moment).known).toEqual([
      { item: itemOf(1), id: idOf(1), outcome: outcomeOf(7) },
    ])
  })

  it('what is new is sent once, however often it was pulled, and every lease of it is kept', ({
    expect,
  }) => {
    const items = [itemOf(1, { lease: 1 }), itemOf(1, { lease: 2 }), itemOf(2, { lease: 3 })]
    const { batch, leases } = decide(items, nothing, moment)
    expect(batch.send.map(({ envelope }) => envelope.id)).toEqual([idOf(1), idOf(2)])
    expect(leaseIds(leases.get(idOf(1)) ?? [])).toEqual(['lease-1', 'lease-2'])
  })

  it('of two copies the one that has its records is sent, whichever comes first', ({ expect }) => {
    for (const items of [
      [lostOf(1, { lease: 1 }), itemOf(1, { lease: 2 })],
      [itemOf(1, { lease: 2 }), lostOf(1, { lease: 1 })],
    ]) {
      const { batch, leases } = decide(items, nothing, moment)
      expect(batch.send.map(({ envelope }) => envelope.id)).toEqual([idOf(1)])
      expect(batch.doomed).toEqual([])
      expect(leaseIds(leases.get(idOf(1)) ?? []).sort()).toEqual(['lease-1', 'lease-2'])
    }
  })

  it('a copy without evidence does not keep the copy with it from being sent', ({ expect }) => {
    const items = [
      itemOf(1, { lease: 1, evidence: 1n }),
      itemOf(1, { lease: 2, expires: 9 }),
      itemOf(1, { lease: 3, evidence: 2n, expires: 10 }),
    ]
    const decision = decide(items, { ...nothing, low: 2n }, { now: NOW, leaseNeededUntil: 10 })
    expect(endOf(decision)).toEqual({
      'lease-1': 'evidence_too_old',
      'lease-2': 'evidence_too_old',
      'lease-3': 'sent',
    })
  })

  it('no transaction begins with a lease that ends before it is needed; what is only acked does not need it', ({
    expect,
  }) => {
    const at = { now: NOW, leaseNeededUntil: 10 }
    const short = (n: number) => itemOf(n, { expires: 9 })
    expect(endOf(decide([short(1), itemOf(2, { expires: 10 })], nothing, at))).toEqual({
      'lease-1': 'lease_too_short',
      'lease-2': 'sent',
    })
    expect(endOf(decide([rawOf(1, { expires: 9 })], nothing, at))).toEqual({
      'lease-1': 'lease_too_short',
    })
    expect(endOf(decide([short(1)], knowing(untaken), at))).toEqual({ 'lease-1': 'known' })
    expect(endOf(decide([short(1)], knowing(taken), at))).toEqual({ 'lease-1': 'done' })
  })

  it('nothing is sent later than eight days after its accept; its records go to the dead letters', ({
    expect,
  }) => {
    const records = [{ value: 'a' }, { value: 'b' }]
    const young = itemOf(1, { records, received: NOW - MAX_SEND_AGE_MS })
    expect(endOf(decide([young], nothing, moment))).toEqual({ 'lease-1': 'sent' })
    const old = itemOf(1, { records, received: NOW - MAX_SEND_AGE_MS - 1 })
    const { batch } = decide([old], nothing, moment)
    expect(batch).toEqual({
      send: [],
      doomed: [{ envelope: old.envelope, records, count: 2, reason: 'attempts_exhausted' }],
      raw: [],
    })
    const lost = lostOf(2, { received: NOW - MAX_SEND_AGE_MS - 1 })
    expect(endOf(decide([lost], nothing, moment))).toEqual({ 'lease-2': 'attempts_exhausted' })
  })

  it('of what is older than a status row lives nothing is said: the message is kept as it is', ({
    expect,
  }) => {
    const ancient = itemOf(1, { received: NOW - STATUS_ROW_MS - 1 })
    const decision = decide([ancient], nothing, moment)
    expect(decision.batch).toMatchObject({
      send: [],
      doomed: [],
      raw: [{ messageId: ancient.lease.messageId, reason: 'attempts_exhausted' }],
    })
    expect(leaseIds(decision.raw)).toEqual(['lease-1'])
  })

  it('a raw message that came twice is dead-lettered once, and both its leases are kept', ({
    expect,
  }) => {
    const { batch, raw } = decide(
      [rawOf(1, { lease: 1, body: '{' }), rawOf(1, { lease: 2, body: '{' })],
      nothing,
      moment,
    )
    expect(batch.raw).toEqual([
      {
        messageId: 'message-1',
        body: Buffer.from('{'),
        reason: 'undecodable',
        problem: 'not JSON',
      },
    ])
    expect(leaseIds(raw)).toEqual(['lease-1', 'lease-2'])
  })

  it('property: every item comes out exactly once, no id is sent twice, and none that is remembered or without evidence', ({
    expect,
  }) => {
    const number = fc.nat(9)
    const evidence = fc.bigInt(0n, 3n)
    const expires = fc.nat(3)
    const make = fc.oneof(
      fc.record({ kind: fc.constantFrom('envelope', 'lost'), n: number, evidence, expires }),
      fc.record({ kind: fc.constantFrom('raw', 'wait', 'remembered', 'settled'), n: number }),
    )
    const memories = fc.dictionary(
      fc.constantFrom(...Array.from({ length: 10 }, (_, n) => idOf(n))),
      fc.constantFrom(taken, untaken),
    )
    fc.assert(
      fc.property(
        fc.array(make, { maxLength: 40 }),
        memories,
        evidence,
        fc.uniqueArray(number),
        (drawn, known, low, rawKnown) => {
          const items = drawn.map((d, lease): Item => {
            switch (d.kind) {
              case 'envelope':
                return itemOf(d.n, { lease, ...d })
              case 'lost':
                return lostOf(d.n, { lease, ...d })
              case 'raw':
                return rawOf(d.n, { lease })
              case 'remembered':
                return rememberedOf(d.n, lease)
              case 'settled':
                return settledOf(d.n, lease)
              default:
                return { lease: leaseOf(lease), kind: 'wait', reason: 'unknown_version' }
            }
          })
          const knowledge: Knowledge = {
            look: (id) => known[id],
            hasRaw: (id) => rawKnown.some((n) => id === `message-${n}`),
            low,
          }
          const decision = decide(items, knowledge, { now: NOW, leaseNeededUntil: 2 })
          const { batch, leases, done, raw, handBack: back } = decision
          const out = [
            ...[...leases.values()].flat(),
            ...decision.known.map(({ item }) => item),
            ...done,
            ...raw,
            ...back.map(({ item }) => item),
          ]
          expect(leaseIds(out).sort()).toEqual(leaseIds(items).sort())

          const sent = [...batch.send, ...batch.doomed].map(({ envelope }) => envelope.id)
          expect(new Set(sent).size).toBe(sent.length)
          expect([...leases.keys()].sort()).toEqual([...sent].sort())
          expect(sent.filter((id) => known[id])).toEqual([])
          const grounds = [...leases.values()].map(([first]) => first)
          for (const item of grounds) {
            expect(item && 'evidence' in item && item.evidence >= low).toBe(true)
            expect(item && item.lease.expires >= 2).toBe(true)
          }
          for (const { envelope } of batch.send) {
            const copies = leases.get(envelope.id) ?? []
            expect(copies.some(({ kind }) => kind === 'envelope')).toBe(true)
          }
          for (const { id } of decision.known) expect(known[id]?.status).toBe('untaken')
          const letters = batch.raw.map(({ messageId }) => messageId)
          expect(new Set(letters).size).toBe(letters.length)
          expect(letters.filter((id) => knowledge.hasRaw(id))).toEqual([])
        },
      ),
    )
  })
})

describe('a lease that is given back', () => {
  it.for<[number, SourceName, number]>([
    [0, 'queue', 1],
    [1, 'queue', 1],
    [2, 'queue', 2],
    [5, 'queue', 16],
    [12, 'queue', 2_048],
    [13, 'queue', 4_000],
    [100, 'queue', 4_000],
    [1, 'dead_letter_queue', 4_000],
    [100, 'dead_letter_queue', 4_000],
  ])(
    'after delivery %i from the %s stays away for %i s',
    ([attempts, source, seconds], { expect }) => {
      expect(retryDelaySeconds(attempts, source)).toBe(seconds)
    },
  )

  it.for<SourceName>(['queue', 'dead_letter_queue'])(
    'a hundred deliveries from the %s outlast what it keeps, with delays that the queue allows',
    (source, { expect }) => {
      const delays = Array.from({ length: 100 }, (_, i) => retryDelaySeconds(i + 1, source))
      expect(delays.reduce((a, b) => a + b, 0) * 1_000).toBeGreaterThan(QUEUE_RETENTION_MS)
      expect(Math.max(...delays)).toBeLessThanOrEqual(4_000)
      expect(Math.max(...delays)).toBeLessThanOrEqual(MAX_RETRY_DELAY_SECONDS)
    },
  )

  it('comes back at once only when nothing is wrong with it', ({ expect }) => {
    const atOnce: HandBackReason[] = ['stopping', 'evidence_too_old']
    const later: HandBackReason[] = [
      'unknown_version',
      'other_shard',
      'look_up_failed',
      'records_unavailable',
      'blocked',
      'lease_too_short',
      'not_taken',
      'in_doubt',
      'kafka_away',
    ]
    const item = itemOf(1, { attempts: 4 })
    expect(backText(atOnce.map((reason) => handBack(item, reason)))).toBe('lease-1+0,lease-1+0')
    expect(later.map((reason) => handBack(item, reason).delaySeconds)).toEqual(later.map(() => 8))
  })
})
