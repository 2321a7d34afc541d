import { describe, it } from 'vitest'
import {
  MAX_SEND_AGE_MS,
  RECEIPT_QUEUED_MS,
  type EnvelopeId,
  type Outcome,
  type ReceiptFields,
} from '#contract'
import { viewReceipt } from '../../../worker/status/receipt-view.ts'

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

  it('does not answer with fewer reports than the receipt is for', ({ expect }) => {
    expect(() => statusAt(0, outcome, { count: 2 })).toThrow('fewer reports')
    expect(() => statusAt(0, outcome, { index: 1 })).toThrow('fewer reports')
  })
})
