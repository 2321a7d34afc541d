import { describe, it } from 'vitest'
import type { Envelope } from '#contract'
import { deadRaw, deadReport } from '../../../relay/dead-letter.ts'
import {
  matches,
  parseLetter,
  textOf,
  toJson,
  type FetchedLetter,
  type Filters,
  type Letter,
} from '../../../relay/dead-letters/letter.ts'
import { listRow, showLetter } from '../../../relay/dead-letters/text.ts'
import type { LaneMessage } from '../../../relay/kafka/kafkajs.ts'
import { idOf, NOW } from '../../support/items.ts'
import { storedValue } from '../../support/stored-value.ts'

const ID = idOf(1)
const ENVELOPE: Envelope = {
  v: 1,
  id: ID,
  datahub: 'datahub-testtest',
  topic: 'orders',
  received: NOW,
  receipt: 'AaDEUGwAAAECAwQFBgcICQoLAAAAAwAAAABYM7zJRVQ',
  records: [{}],
}
const RECORD = { key: 'k1', value: 'größer', headers: { source: 'web' } }
const LETTER = parseLetter(3, fetched(deadReport(ENVELOPE, RECORD, 4, 'record_too_large', NOW + 5)))

// As kafkajs decodes what it encoded: header values come back as bytes.
function fetched(message: LaneMessage): FetchedLetter {
  const { key, headers = {}, timestamp } = message
  const bytes = Object.entries(headers).map(([name, text]) => [name, Buffer.from(text)])
  return {
    offset: '12',
    key,
    value: storedValue(message),
    headers: Object.fromEntries(bytes),
    timestamp: String(timestamp),
  }
}

describe('parseLetter', () => {
  it('has all that the relay wrote of a report', ({ expect }) => {
    expect(LETTER).toEqual({
      position: { partition: 3, offset: 12n },
      failed: NOW + 5,
      received: NOW,
      reason: 'record_too_large',
      datahub: 'datahub-testtest',
      topic: 'orders',
      receipt: ENVELOPE.receipt,
      id: `${ID}.4`,
      key: Buffer.from('k1'),
      value: Buffer.from('größer'),
      headers: [['source', 'web']],
    })
  })

  it('keeps a traceparent among the headers, and leaves out a receipt that is not there', ({
    expect,
  }) => {
    const { receipt: _, ...old } = ENVELOPE
    const traced = { ...old, traceparent: '00-a-b-01' }
    const letter = parseLetter(0, fetched(deadReport(traced, RECORD, 0, 'invalid_record', NOW)))
    expect(letter.headers).toEqual([
      ['traceparent', '00-a-b-01'],
      ['source', 'web'],
    ])
    expect('receipt' in letter).toBe(false)
  })

  it('has all that the relay wrote of a message that was no envelope', ({ expect }) => {
    const raw = {
      messageId: 'a1',
      body: Buffer.from([0xff]),
      reason: 'undecodable' as const,
      problem: 'not JSON',
    }
    expect(parseLetter(0, fetched(deadRaw(raw, NOW)))).toEqual({
      position: { partition: 0, offset: 12n },
      failed: NOW,
      reason: 'undecodable',
      messageId: 'a1',
      problem: 'not JSON',
      key: Buffer.from('a1'),
      value: Buffer.from([0xff]),
      headers: [],
    })
  })

  it('takes what others wrote for a letter that says little', ({ expect }) => {
    const record = { offset: '0', key: null, value: null, timestamp: '77' }
    const bare = { position: { partition: 0, offset: 0n }, failed: 77, key: null, value: null }
    expect(parseLetter(0, record)).toEqual({ ...bare, headers: [] })
    const odd = { 'edgehub-failed': Buffer.from('soon'), 'edgehub-received': Buffer.from('') }
    expect(parseLetter(0, { ...record, headers: odd })).toEqual({ ...bare, headers: [] })
  })

  it('a header named like a method of every object is read as any other', ({ expect }) => {
    // What kafkajs makes of one.
    const headers = { toString: [Object.prototype.toString, Buffer.from('x')] as never }
    const record = { offset: '0', key: null, value: null, timestamp: '0', headers }
    expect(parseLetter(0, record).headers).toEqual([['toString', 'x']])
  })
})

describe('matches', () => {
  const table: [filters: Filters, expected: boolean][] = [
    [{}, true],
    [{ reason: 'record_too_large', datahub: 'datahub-testtest', topic: 'orders' }, true],
    [{ reason: 'purged' }, false],
    [{ datahub: 'datahub-otherone' }, false],
    [{ topic: 'other' }, false],
    [{ since: NOW + 5, until: NOW + 5 }, true],
    [{ since: NOW + 6 }, false],
    [{ until: NOW + 4 }, false],
    [{ topic: 'orders', reason: 'purged' }, false],
  ]
  it.for(table)('%o is %s', ([filters, expected], { expect }) => {
    expect(matches(LETTER, filters)).toBe(expected)
  })
})

it.for<[string, number[], string | undefined]>([
  ['nothing', [], ''],
  ['ASCII', [0x61], 'a'],
  ['a byte order mark', [0xef, 0xbb, 0xbf, 0x61], '\ufeffa'],
  ['a NUL', [0], '\0'],
  ['half a character', [0xc3], undefined],
  ['a surrogate', [0xed, 0xa0, 0x80], undefined],
])('textOf %s keeps every byte or says that it can’t', ([, bytes, text], { expect }) => {
  expect(textOf(Buffer.from(bytes))).toBe(text)
  if (text !== undefined) expect([...Buffer.from(text)]).toEqual(bytes)
})

describe('toJson', () => {
  it('is everything, with times and bytes as text', ({ expect }) => {
    expect(toJson(LETTER)).toEqual({
      position: '3:12',
      failed: '2026-11-18T11:06:40.005Z',
      received: '2026-11-18T11:06:40.000Z',
      reason: 'record_too_large',
      datahub: 'datahub-testtest',
      topic: 'orders',
      receipt: ENVELOPE.receipt,
      id: `${ID}.4`,
      key: 'k1',
      value: 'größer',
      headers: { source: 'web' },
    })
  })

  it.for<[string, Partial<Letter>, Record<string, unknown>]>([
    ['no key and no value', { key: null, value: null }, { key: null, value: null }],
    ['bytes', { value: Buffer.from([0, 255]) }, { key: 'k1', base64: 'AP8=' }],
    ['a key of bytes', { key: Buffer.from([255]) }, { keyBase64: '/w==', value: 'größer' }],
  ])('%s', ([, change, expected], { expect }) => {
    const json = toJson({ ...LETTER, ...change })
    const fields = ['key', 'keyBase64', 'value', 'base64'].filter((name) => name in json)
    expect(Object.fromEntries(fields.map((name) => [name, json[name]]))).toEqual(expected)
  })
})

describe('for people', () => {
  it('a list row is short, and names the receipt, or else the id', ({ expect }) => {
    expect(listRow(LETTER)).toEqual([
      '3:12',
      '2026-11-18T11:06:40.005Z',
      'record_too_large',
      'datahub-testtest',
      'orders',
      ENVELOPE.receipt,
      '"k1"',
      '19',
    ])
    const { receipt: _, ...old } = LETTER
    expect(listRow({ ...old, key: Buffer.from('x'.repeat(100)) })).toEqual(
      expect.arrayContaining([`${ID}.4`, `"${'x'.repeat(24)}"…`]),
    )
  })

  it('a whole letter, line by line, with its value at the end', ({ expect }) => {
    expect(showLetter(LETTER)).toBe(
      [
        '3:12',
        '  failed      2026-11-18T11:06:40.005Z',
        '  reason      record_too_large',
        '  received    2026-11-18T11:06:40.000Z',
        '  datahub     datahub-testtest',
        '  topic       orders',
        `  receipt     ${ENVELOPE.receipt}`,
        `  id          ${ID}.4`,
        '  key         "k1"',
        '  header      source: web',
        '  value       8 bytes of text:',
        'größer',
      ].join('\n'),
    )
    expect(showLetter({ ...LETTER, value: Buffer.from([0, 255]) })).toMatch(
      /value {7}2 bytes, base64:\nAP8=$/,
    )
    expect(showLetter({ ...LETTER, value: null, key: null })).toMatch(
      /key {9}none\n[^]*value {7}none$/,
    )
  })

  it('what a client sent can’t drive the terminal', ({ expect }) => {
    const evil = 'a\u001b[2J\u009b\u202e\r\n\tb'
    const letter: Letter = {
      ...LETTER,
      topic: evil,
      key: Buffer.from(evil),
      value: Buffer.from(evil),
      headers: [['h', evil]],
    }
    const text = [showLetter(letter), ...listRow(letter)].join('\n')
    // oxlint-disable-next-line no-control-regex -- control characters are what this is about
    expect(text).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202e]/)
    expect(showLetter(letter).endsWith('a\\u001b[2J\\u009b\\u202e\\u000d\n\tb')).toBe(true)
  })
})
