import { describe, it } from 'vitest'
import {
  claimObjectName,
  decodeEnvelope,
  encodeEnvelope,
  Envelope,
  envelopeIdOf,
  idBytes,
  recordCount,
  type EnvelopeId,
} from '#contract'
import claim from './golden/envelope-v1-claim.json' with { type: 'json' }
import receipted from './golden/envelope-v1-receipt.json' with { type: 'json' }
import records from './golden/envelope-v1-records.json' with { type: 'json' }

const golden: [string, unknown, number][] = [
  ['records', records, 3],
  ['claim', claim, 500],
  ['receipt', receipted, 3],
]

describe('an envelope', () => {
  it.for(golden)('v1 with %s is read and written as ever', ([, json, count], { expect }) => {
    const decoded = decodeEnvelope(JSON.stringify(json))
    if (decoded.status !== 'ok') throw new Error('not read')
    expect(decoded.envelope).toEqual(json)
    expect(recordCount(decoded.envelope)).toBe(count)
    expect(JSON.parse(encodeEnvelope(decoded.envelope))).toEqual(json)
    expect(decodeEnvelope(encodeEnvelope(decoded.envelope))).toEqual(decoded)
  })

  it.for([
    ['a newer version of the same shape', { ...records, v: 2 }, 'unknown_version'],
    ['a newer version of another shape', { v: 7, whatever: true }, 'unknown_version'],
    ['version 0', { ...records, v: 0 }, 'undecodable'],
    ['a version that is text', { ...records, v: '2' }, 'undecodable'],
    ['no version', { id: records.id }, 'undecodable'],
    ['v1 with an unknown field', { ...records, extra: 1 }, 'undecodable'],
    ['v1 with a bad id', { ...records, id: 'short' }, 'undecodable'],
    ['v1 with a receipt too long', { ...receipted, receipt: 'A'.repeat(65) }, 'undecodable'],
    ['v1 without records', { ...records, records: [] }, 'undecodable'],
    ['v1 with records and a claim', { ...records, claim: claim.claim }, 'undecodable'],
    ['v1 with base64url', { ...records, records: [{ base64: '__8=' }] }, 'undecodable'],
    ['an array', [], 'undecodable'],
    ['null', null, 'undecodable'],
  ] as const)('tells an unknown version from garbage: %s', ([, json, status], { expect }) => {
    expect(decodeEnvelope(JSON.stringify(json)).status).toBe(status)
  })

  // They go into dead letters, for people.
  it.for([
    [
      'a bad id',
      { id: 'short' },
      '✖ Invalid string: must match pattern /^[A-Za-z0-9_-]{16}$/\n  → at id',
    ],
    [
      'no records',
      { records: [] },
      '✖ Too small: expected array to have >=1 items\n  → at records',
    ],
    [
      'bad base64',
      { records: [{ base64: '__8=' }] },
      '✖ Invalid base64-encoded string\n  → at records[0].base64',
    ],
    ['an unknown field', { extra: 1 }, '✖ Unrecognized key: "extra"'],
    ['a value that is no text', { records: [{ value: 1 }] }, '✖ Invalid input'],
  ] as const)('says what is wrong: %s', ([, change, problem], { expect }) => {
    const text = JSON.stringify({ ...records, ...change })
    expect(decodeEnvelope(text)).toEqual({ status: 'undecodable', problem })
  })

  it.for([undefined, null, {}, { a: 1 }, [], 'x', '', 'QUI=', 'QUI', 0, 1, -1, 1.5, 501, 2 ** 53])(
    'is the same compiled and not, with %j in each of its places',
    (value, { expect }) => {
      for (const [, whole] of golden) {
        for (const path of pathsOf(whole)) {
          const json: unknown = JSON.parse(JSON.stringify(withValue(whole, path, value)))
          const decoded = decodeEnvelope(JSON.stringify(json))
          const parsed = Envelope.safeParse(json)
          expect(decoded.status === 'ok' ? decoded.envelope : undefined).toEqual(parsed.data)
        }
      }
    },
  )

  it.for(['', 'text', '{"v":1', '\u0000'])('%j is undecodable', (text, { expect }) => {
    expect(decodeEnvelope(text).status).toBe('undecodable')
  })

  it('names its object by id and digest', ({ expect }) => {
    const sha256 = claim.claim.object.slice(17)
    const id = claim.id as EnvelopeId
    expect(claimObjectName(id, sha256)).toBe(claim.claim.object)
    expect(Envelope.safeParse(claim).success).toBe(true)
  })
})

describe('an envelope id', () => {
  it('is 12 bytes as 16 characters, both ways', ({ expect }) => {
    const bytes = new Uint8Array([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
    expect(envelopeIdOf(bytes)).toBe(records.id)
    expect(idBytes(envelopeIdOf(bytes))).toEqual(bytes)
  })

  it('refuses any other length', ({ expect }) => {
    expect(() => envelopeIdOf(new Uint8Array(11))).toThrow(RangeError)
    expect(() => idBytes('AAAA' as EnvelopeId)).toThrow(RangeError)
  })
})

function pathsOf(json: unknown, path: readonly string[] = []): (readonly string[])[] {
  if (typeof json !== 'object' || json === null) return [path]
  const deeper = Object.entries(json).flatMap(([key, value]) => pathsOf(value, [...path, key]))
  return path.length === 0 ? deeper : [path, ...deeper]
}

function withValue(json: unknown, [key, ...rest]: readonly string[], value: unknown): unknown {
  if (key === undefined) return value
  const copy = structuredClone(json) as Record<string, unknown>
  copy[key] = withValue(copy[key], rest, value)
  return copy
}
