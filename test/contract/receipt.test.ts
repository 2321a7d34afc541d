import { beforeAll, describe, it } from 'vitest'
import {
  importReceiptKey,
  mintReceipt,
  openReceipt,
  type EnvelopeId,
  type ReceiptFields,
} from '#contract'
import golden from './golden/receipts.json' with { type: 'json' }

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
const cases = golden.receipts.map(({ fields, text }) => ({ fields: fields as ReceiptFields, text }))

let key: CryptoKey
beforeAll(async () => {
  key = await importReceiptKey(golden.key)
})

describe('a receipt', () => {
  it('is written and read as ever', async ({ expect }) => {
    for (const { fields, text } of cases) {
      expect(await mintReceipt(fields, key)).toBe(text)
      expect(text).toMatch(/^[\w-]{43}$/)
      expect(await openReceipt(text, [key])).toEqual(fields)
    }
  })

  it('is refused with any one character changed to any other', async ({ expect }) => {
    const { text } = cases[1] ?? { text: '' }
    const changed = Array.from(text).flatMap((original, i) =>
      Array.from(ALPHABET)
        .filter((character) => character !== original)
        .map((character) => text.slice(0, i) + character + text.slice(i + 1)),
    )
    expect(changed).toHaveLength(43 * 63)
    const opened = await Promise.all(changed.map((forged) => openReceipt(forged, [key])))
    expect(opened.filter((fields) => fields !== undefined)).toEqual([])
  })

  it('has one spelling: surplus bits, padding and other alphabets are refused', async ({
    expect,
  }) => {
    const { text } = cases[0] ?? { text: '' }
    const last = ALPHABET.indexOf(text.slice(-1))
    const surplus = [1, 2, 3].map((bits) => text.slice(0, -1) + ALPHABET[last + bits])
    expect(last % 4).toBe(0)
    for (const other of [
      ...surplus,
      `${text}=`,
      ` ${text}`,
      `${text}\n`,
      text.slice(1),
      `A${text}`,
      '',
    ]) {
      expect(await openReceipt(other, [key])).toBeUndefined()
    }
    const { text: highest } = cases[2] ?? { text: '' }
    const standard = highest.replaceAll('-', '+').replaceAll('_', '/')
    expect(standard).not.toBe(highest)
    expect(await openReceipt(standard, [key])).toBeUndefined()
  })

  it('is opened by either of two keys during a rotation, and by no other', async ({ expect }) => {
    const next = await importReceiptKey('the next key')
    const { fields, text } = cases[0] ?? { fields: undefined, text: '' }
    if (!fields) throw new Error('no golden receipt')
    const newer = await mintReceipt(fields, next)
    expect(newer).not.toBe(text)
    for (const receipt of [text, newer]) {
      expect(await openReceipt(receipt, [next, key])).toEqual(fields)
      expect(await openReceipt(receipt, [key, next])).toEqual(fields)
    }
    expect(await openReceipt(text, [next])).toBeUndefined()
    expect(await openReceipt(text, [])).toBeUndefined()
  })

  it.for([
    ['a time beyond 2^44', { accepted: 2 ** 44 }],
    ['a negative time', { accepted: -1 }],
    ['no report', { count: 0 }],
    ['too many reports', { count: 65_536 }],
    ['an index too high', { index: 65_536 }],
    ['not a number', { accepted: Number.NaN }],
  ] as const)('is not minted for %s', async ([, more], { expect }) => {
    const id = 'AAAAAAAAAAAAAAAA' as EnvelopeId
    await expect(
      mintReceipt({ accepted: 1, id, index: 0, count: 1, ...more }, key),
    ).rejects.toThrow(RangeError)
  })
})
