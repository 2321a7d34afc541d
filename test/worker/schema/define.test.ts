import { describe, it } from 'vitest'
import { schemaProblem } from '../../../worker/schema/define.ts'
import { SchemaField } from '../../../worker/schema/form.ts'

const problemOf = (...fields: unknown[]) =>
  schemaProblem(fields.map((field) => SchemaField.parse(field)))

describe('a schema', () => {
  it('may have every type with a default that fits', ({ expect }) => {
    const fields = [
      { name: 'a', type: 'BOOLEAN', default: false },
      { name: 'b', type: 'INT8', default: -128 },
      { name: 'c', type: 'INT64', default: '-9223372036854775808' },
      { name: 'd', type: 'INT64', default: 9_007_199_254_740_991 },
      { name: 'e', type: 'FLOAT32', default: 1.5 },
      { name: 'f', type: 'FLOAT64', default: 1e300 },
      { name: 'g', type: 'STRING', default: '' },
      { name: 'h', type: 'STRING' },
      { name: '__proto__', type: 'INT8', default: 1 },
      { name: 'constructor', type: 'INT8', allowNull: false, default: 1 },
    ]
    expect(problemOf(...fields)).toBeUndefined()
  })

  it('has each name once', ({ expect }) => {
    const a = { name: 'a', type: 'INT8' }
    expect(problemOf(a, { ...a, name: 'A' })).toBeUndefined()
    expect(problemOf(a, { ...a, name: 'b' }, { ...a, type: 'STRING' })).toEqual({
      path: 'fields.2.name',
      problem: 'the name a is that of fields.0 already.',
    })
  })

  it.for([
    ['BOOLEAN', 'true', 'it must be true or false.'],
    ['BOOLEAN', 1, 'it must be true or false.'],
    ['INT8', 128, 'it must be INT8, an integer from -128 to 127.'],
    ['INT8', 1.5, 'it must be INT8, an integer written without fraction and exponent.'],
    ['INT8', '1', 'it must be INT8, a JSON number.'],
    ['INT16', -32_769, 'it must be INT16, an integer from -32768 to 32767.'],
    ['INT32', 2 ** 31, 'it must be INT32, an integer from -2147483648 to 2147483647.'],
    ['INT32', true, 'it must be INT32, a JSON number.'],
    ['INT64', 2 ** 53, 'an INT64 beyond 2^53 must be given as text, in decimal digits.'],
    ['INT64', '05', 'an INT64 must be given as a number or, as text, in decimal digits.'],
    ['INT64', '1e3', 'an INT64 must be given as a number or, as text, in decimal digits.'],
    [
      'INT64',
      '9223372036854775808',
      'it must be INT64, an integer from -9223372036854775808 to 9223372036854775807.',
    ],
    ['FLOAT32', 3.5e38, 'it is too large for FLOAT32.'],
    ['FLOAT32', '1.5', 'it must be FLOAT32, a JSON number.'],
    ['FLOAT64', false, 'it must be FLOAT64, a JSON number.'],
    ['STRING', 5, 'it must be a string.'],
  ] as const)('of type %s does not take the default %s', ([type, value, problem], { expect }) => {
    const fits = { name: 'a', type: 'STRING', default: 'x' }
    expect(problemOf(fits, { name: 'b', type, default: value })).toEqual({
      path: 'fields.1.default',
      problem,
    })
  })

  // Apart from the table: a title with a lone surrogate does not get to the reporter.
  it('does not take a default with a lone surrogate', ({ expect }) => {
    expect(problemOf({ name: 'a', type: 'STRING', default: '\ud800' })).toEqual({
      path: 'fields.0.default',
      problem: 'the text has a lone surrogate.',
    })
  })
})
