import * as fc from 'fast-check'
import { describe, it } from 'vitest'
import { FIELD_TYPES, type FieldType } from '../../../worker/schema/form.ts'
import { literalProblem } from '../../../worker/schema/literal.ts'

// Each line: a type, what fits, what does not. Texts of JSON.
const TABLE: readonly [FieldType, fits: readonly string[], not: readonly string[]][] = [
  ['BOOLEAN', ['true', 'false'], ['"true"', '"false"', '0', '1', '""', '[]', '{}']],
  ['INT8', ['0', '-0', '7', '127', '-128'], ['128', '-129', '1.0', '1e1', '"1"', 'true', '1E0']],
  ['INT16', ['32767', '-32768'], ['32768', '-32769', '3e2', '1.5']],
  ['INT32', ['2147483647', '-2147483648'], ['2147483648', '-2147483649', '[1]', '{"a":1}']],
  [
    'INT64',
    ['9007199254740993', '9223372036854775807', '-9223372036854775808', '-0'],
    [
      '9223372036854775808',
      '-9223372036854775809',
      '1e3',
      '1.0',
      '-1.0',
      '"9007199254740993"',
      '12345678901234567890123',
      '9'.repeat(1_000_000),
    ],
  ],
  [
    'FLOAT32',
    [
      '0',
      '-0.0',
      '1',
      '1.5e3',
      '3.4028234663852886e38',
      '1e-300',
      '123456789012345678901234567890',
    ],
    ['3.5e38', '-3.5e38', '1e39', '1e999', '"1.5"', 'true'],
  ],
  ['FLOAT64', ['1.7976931348623157e308', '-1e-999', '5'], ['1e999', '-1e309', '"NaN"', '[]']],
  ['STRING', ['""', '"1"', '"null"', '"\\u0000"'], ['1', 'true', '{}', '["a"]', '1e3']],
]

const fits = (type: FieldType, source: string): boolean =>
  literalProblem(type, source) === undefined

describe('a literal', () => {
  it.for(TABLE)('of type %s is judged by how it is written', ([type, good, bad], { expect }) => {
    expect(good.filter((source) => !fits(type, source))).toEqual([])
    expect(bad.filter((source) => fits(type, source))).toEqual([])
  })

  it('has every type in the table', ({ expect }) => {
    expect(TABLE.map(([type]) => type).sort()).toEqual([...FIELD_TYPES].sort())
  })

  it('is an integer of its type exactly when it is in its range, to the last digit', ({
    expect,
  }) => {
    const types = [
      ['INT8', 8n],
      ['INT16', 16n],
      ['INT32', 32n],
      ['INT64', 64n],
    ] as const
    const around = fc
      .tuple(fc.constantFrom(...types), fc.constantFrom(-1n, 1n), fc.bigInt(-3n, 3n))
      .map(([[type, bits], sign, off]) => ({ type, bits, n: sign * 2n ** (bits - 1n) + off }))
    const anywhere = fc
      .tuple(fc.constantFrom(...types), fc.bigInt(-(2n ** 70n), 2n ** 70n))
      .map(([[type, bits], n]) => ({ type, bits, n }))
    fc.assert(
      fc.property(fc.oneof(around, anywhere), ({ type, bits, n }) => {
        expect(fits(type, String(n))).toBe(BigInt.asIntN(Number(bits), n) === n)
      }),
      { numRuns: 1_000 },
    )
  })

  it('is a float exactly when its type has a finite number for it', ({ expect }) => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (n) => {
        expect(fits('FLOAT64', JSON.stringify(n))).toBe(true)
        expect(fits('FLOAT32', JSON.stringify(n))).toBe(Number.isFinite(new Float32Array([n])[0]))
      }),
    )
  })

  it('is never taken for another kind', ({ expect }) => {
    const kinds: readonly [RegExp, readonly FieldType[]][] = [
      [/^(true|false)$/, ['BOOLEAN']],
      [/^"/, ['STRING']],
      [/^[-\d]/, ['INT8', 'INT16', 'INT32', 'INT64', 'FLOAT32', 'FLOAT64']],
      [/^[[{]/, []],
    ]
    fc.assert(
      fc.property(fc.json(), fc.constantFrom(...FIELD_TYPES), (json, type) => {
        fc.pre(json !== 'null')
        const possible = kinds.find(([form]) => form.test(json))?.[1] ?? []
        expect(fits(type, json) && !possible.includes(type)).toBe(false)
      }),
    )
  })
})
