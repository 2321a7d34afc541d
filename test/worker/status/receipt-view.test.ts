import * as fc from 'fast-check'
import { describe, it } from 'vitest'
import {
  MAX_SEND_AGE_MS,
  RECEIPT_QUEUED_MS,
  type EnvelopeId,
  type Outcome,
  type ReceiptFields,
} from '#contract'
import { receiptFieldsOf, viewReceipt } from '../../../worker/status/receipt-view.ts'

const ACCEPTED = 1_790_000_000_000
const fields: ReceiptFields = {
  accepted: ACCEPTED,
  id: 'AAAAAAAAAAAAAAAA' as EnvelopeId,
  index: 0,
  count: 1,
}
const outcome: Outcome = {
  datahub: 'datahub-abcdefgh',
  topic: 't',
  received: ACCEPTED,
  sent: ACCEPTED + 1,
  runs: [[1, 0, '5']],
}
const ONE = '00000001'
const TWO = '00000002'

const statusAt = (age: number, row?: Outcome, more: Partial<ReceiptFields> = {}): string =>
  viewReceipt('r', { ...fields, ...more }, row, ACCEPTED + age).status

describe('viewReceipt', () => {
  it.for([
    ['no row, just accepted', 0, undefined, undefined, 'queued'],
    ['no row, the last moment', RECEIPT_QUEUED_MS - 1, undefined, undefined, 'queued'],
    ['no row, too old', RECEIPT_QUEUED_MS, undefined, undefined, 'expired'],
    ['a row', 0, outcome, undefined, 'delivered'],
    ['a row, however late', 2 * RECEIPT_QUEUED_MS, outcome, undefined, 'delivered'],
    ['a row of the same body', 0, { ...outcome, digest: ONE }, ONE, 'delivered'],
    ['a row of another body', 0, { ...outcome, digest: ONE }, TWO, 'failed'],
    [
      'a row of another body, the last moment',
      MAX_SEND_AGE_MS - 1,
      { ...outcome, digest: ONE },
      TWO,
      'failed',
    ],
    [
      'a row of another body, too old to tell',
      MAX_SEND_AGE_MS,
      { ...outcome, digest: ONE },
      TWO,
      'queued',
    ],
    [
      'a row of another body, long gone',
      RECEIPT_QUEUED_MS,
      { ...outcome, digest: ONE },
      TWO,
      'expired',
    ],
    ['a body that hashes to zero', 0, { ...outcome, digest: '00000000' }, undefined, 'delivered'],
  ] as const)('%s', ([, age, row, digest, status], { expect }) => {
    expect(statusAt(age, row, digest ? { digest } : {})).toBe(status)
  })

  it('says expired from 8 days and 6 hours after the accept, and not a moment earlier', ({
    expect,
  }) => {
    const hours = 3_600_000
    expect(MAX_SEND_AGE_MS).toBe(8 * 24 * hours)
    expect(RECEIPT_QUEUED_MS).toBe((8 * 24 + 6) * hours)
    expect(statusAt((8 * 24 + 6) * hours - 1)).toBe('queued')
    expect(statusAt((8 * 24 + 6) * hours)).toBe('expired')
  })

  const age = fc.integer({ min: -60_000, max: 3 * RECEIPT_QUEUED_MS })

  it('says the same of a row at any age, and without one goes from queued to expired once', ({
    expect,
  }) => {
    const digest = fc.constantFrom(undefined, ONE)
    fc.assert(
      fc.property(age, age, digest, (a, b, d) => {
        const more = d === undefined ? {} : { digest: d }
        const row = { ...outcome, ...more }
        const view = viewReceipt('r', { ...fields, ...more }, row, ACCEPTED + a)
        expect(view).toEqual(viewReceipt('r', { ...fields, ...more }, row, ACCEPTED + b))
        expect(view.status).toBe('delivered')
        const seen = [Math.min(a, b), Math.max(a, b)].map((t) => statusAt(t, undefined, more))
        expect([
          ['queued', 'queued'],
          ['queued', 'expired'],
          ['expired', 'expired'],
        ]).toContainEqual(seen)
      }),
    )
  })

  it('gives the row of another body no say on expired', ({ expect }) => {
    const row = { ...outcome, digest: ONE }
    fc.assert(
      fc.property(age, (a) => {
        const seen = statusAt(a, row, { digest: TWO })
        if (a < MAX_SEND_AGE_MS) expect(seen).toBe('failed')
        else expect(seen).toBe(statusAt(a))
      }),
    )
  })

  it('does not answer with fewer reports than the receipt is for', ({ expect }) => {
    expect(() => statusAt(0, outcome, { count: 2 })).toThrow('fewer reports')
    expect(() => statusAt(0, outcome, { index: 1 })).toThrow('fewer reports')
  })
})

describe('receiptFieldsOf', () => {
  it('gives back the fields of the receipt whose outcome it is', ({ expect }) => {
    const runs: Outcome['runs'] = [
      [2, 0, '5'],
      [1, 'record_too_large'],
      [3, 1, '0'],
    ]
    expect(receiptFieldsOf(fields.id, { ...outcome, runs })).toEqual({ ...fields, count: 6 })
    expect(receiptFieldsOf(fields.id, { ...outcome, digest: ONE })).toEqual({
      ...fields,
      digest: ONE,
    })
  })
})
