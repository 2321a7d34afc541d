import * as fc from 'fast-check'
import { describe, it } from 'vitest'
import { MAX_POST_BYTES, MAX_REPORT_BYTES, type EnvelopeRecord } from '#contract'
import { checkRecord, checkRecords } from '../../../worker/schema/check.ts'
import { FIELD_TYPES, type Schema, type SchemaField } from '../../../worker/schema/form.ts'
import { schemaOf } from './schema.ts'

const PATH = 'reports.3'
const strict = schemaOf(
  { name: 'id', type: 'INT64', allowNull: false },
  { name: 'paid', type: 'BOOLEAN' },
)
const utf8 = (text: string): string => new TextEncoder().encode(text).toBase64()

function problemOf(schema: Schema, record: EnvelopeRecord): unknown {
  const check = checkRecord(schema, record, PATH)
  return check.status === 'fits' ? 'fits' : check.rejection
}

function mismatch(problem: string, field?: string): object {
  return { reason: 'schema_mismatch', path: PATH, problem, ...(field && { field }) }
}

describe('a report under a schema', () => {
  it.for([
    ['{"id":9007199254740993}', 'fits'],
    ['{"id":1,"paid":null}', 'fits'],
    [' {\n "id" : -0 , "paid":true}\t', 'fits'],
    ['{"id":1,"more":{"id":"x","paid":[1e999]}}', 'fits'],
    ['{"id":1,"Paid":"x"}', 'fits'],
    ['{"\\u0069d":1}', 'fits'],
    ['{}', mismatch('is missing', 'id')],
    ['{"paid":true}', mismatch('is missing', 'id')],
    ['{"more":{"id":1}}', mismatch('is missing', 'id')],
    ['{"id":null}', mismatch('must not be null', 'id')],
    ['{"id":"1"}', mismatch('must be INT64, a JSON number', 'id')],
    [
      '{"id":1.0}',
      mismatch('must be INT64, an integer written without fraction and exponent', 'id'),
    ],
    [
      '{"id":1e3}',
      mismatch('must be INT64, an integer written without fraction and exponent', 'id'),
    ],
    [
      '{"id":9223372036854775808}',
      mismatch('must be INT64, an integer from -9223372036854775808 to 9223372036854775807', 'id'),
    ],
    ['{"id":1,"paid":"true"}', mismatch('must be true or false', 'paid')],
    ['{"id":"x","id":1}', mismatch('is there more than once', 'id')],
    ['{"id":1,"\\u0069\\u0064":1}', mismatch('is there more than once', 'id')],
    ['', mismatch('must be a JSON object')],
    ['null', mismatch('must be a JSON object')],
    ['[{"id":1}]', mismatch('must be a JSON object')],
    ['"{}"', mismatch('must be a JSON object')],
    ['{"id":1}{}', mismatch('must be a JSON object')],
    ['{"id":1,}', mismatch('must be a JSON object')],
    ['{id:1}', mismatch('must be a JSON object')],
    ['{"id":01}', mismatch('must be a JSON object')],
    ['\ufeff{"id":1}', mismatch('must be a JSON object')],
    ['{"id":1', mismatch('must be a JSON object')],
  ] as const)('with the value %s: %o', ([value, expected], { expect }) => {
    expect(problemOf(strict, { value })).toEqual(expected)
    expect(problemOf(strict, { base64: utf8(value) })).toEqual(expected)
  })

  it('needs a value, and bytes that are UTF-8', ({ expect }) => {
    const lenient = schemaOf({ name: 'a', type: 'INT8', default: 1 })
    for (const record of [{}, { key: 'k' }, { base64: '' }, { base64: '/w==' }]) {
      expect(problemOf(lenient, record)).toEqual(mismatch('must be a JSON object'))
    }
    // {"a":"\xff"}
    const broken = new Uint8Array([0x7b, 0x22, 0x61, 0x22, 0x3a, 0x22, 0xff, 0x22, 0x7d])
    expect(problemOf(lenient, { base64: broken.toBase64() })).toEqual(
      mismatch('must be a JSON object'),
    )
  })

  it('takes fields named like what every object has for fields and nothing else', ({ expect }) => {
    const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty']
    for (const name of names) {
      const schema = schemaOf({ name, type: 'INT8', allowNull: false })
      expect(problemOf(schema, { value: '{}' })).toEqual(mismatch('is missing', name))
      expect(problemOf(schema, { value: `{"${name}":1}` })).toBe('fits')
      expect(problemOf(schema, { value: `{"${name}":{}}` })).toMatchObject({ field: name })
    }
  })

  it('may be deep and large', ({ expect }) => {
    const deep = '{"x":'.repeat(100_000) + '1' + '}'.repeat(100_000)
    expect(problemOf(strict, { value: `{"id":1,"deep":${deep}}` })).toBe('fits')
    expect(problemOf(strict, { value: `{"id":${deep}}` })).toMatchObject({ field: 'id' })
    expect(problemOf(strict, { value: '{"a":'.repeat(100_000) })).toMatchObject({ path: PATH })
    expect(problemOf(strict, { value: `{"id":${'1'.repeat(900_000)}}` })).toMatchObject({
      field: 'id',
    })
  })
})

const DEFAULTS = schemaOf(
  { name: 'flag', type: 'BOOLEAN', default: false },
  { name: 'big', type: 'INT64', default: '9007199254740993' },
  { name: 'ratio', type: 'FLOAT32', default: 0.5 },
  { name: 'text', type: 'STRING', default: 'say "ü"\n' },
  { name: 'digits', type: 'STRING', default: '12' },
  { name: '__proto__', type: 'INT8', default: 1 },
  { name: 'none', type: 'STRING' },
  { name: 'must', type: 'INT8', allowNull: false, default: 1 },
)
const ALL =
  '"flag":false,"big":9007199254740993,"ratio":0.5,"text":"say \\"ü\\"\\n","digits":"12","__proto__":1'

function written(record: EnvelopeRecord): EnvelopeRecord {
  const check = checkRecord(DEFAULTS, record, PATH)
  if (check.status === 'rejected') throw new Error(JSON.stringify(check.rejection))
  return check.record
}

describe('defaults', () => {
  it('are added at the end where fields are missing, and all else stays as it was', ({
    expect,
  }) => {
    const value = ' { "must": 1 , "x":12345678901234567890.10, "x": 1E2 } '
    expect(written({ key: 'k', headers: { h: '1' }, value })).toEqual({
      key: 'k',
      headers: { h: '1' },
      value: ` { "must": 1 , "x":12345678901234567890.10, "x": 1E2 ,${ALL}} `,
    })
  })

  it('are the whole of an empty object', ({ expect }) => {
    const schema = schemaOf({ name: 'a', type: 'INT8', default: 1 })
    for (const [value, expected] of [
      ['{}', '{"a":1}'],
      ['{ \n }', '{ \n "a":1}'],
    ] as const) {
      expect(checkRecord(schema, { value }, PATH)).toEqual({
        status: 'fits',
        record: { value: expected },
      })
    }
  })

  it('go into bytes as bytes', ({ expect }) => {
    const { base64, ...rest } = written({ key: 'k', base64: utf8('{"must":1,"ü":1}') })
    expect(rest).toEqual({ key: 'k' })
    expect(base64).toBe(utf8(`{"must":1,"ü":1,${ALL}}`))
  })

  it('are not written for a null, for what is there, nor for a field that may not be missing', ({
    expect,
  }) => {
    const value = `{"must":1,"flag":null,"big":1,"ratio":null,"text":"","digits":"","__proto__":null}`
    const record = { value }
    expect(written(record)).toBe(record)
    expect(checkRecord(DEFAULTS, { value: '{}' }, PATH)).toMatchObject({
      rejection: { field: 'must', problem: 'is missing' },
    })
  })

  it('must fit into the limits of a report and of a POST, which name what was too large', ({
    expect,
  }) => {
    const schema = schemaOf({ name: 'd', type: 'STRING', default: 'x'.repeat(1_000) })
    // {"a":"…"} is 8 bytes more than its text, the default 1,007 with its comma and name.
    const record = (bytes: number) => ({ key: 'k', value: `{"a":"${'a'.repeat(bytes - 1_016)}"}` })
    const names = { reports: 'Message', value: 'Body' }
    const most = checkRecords(schema, [{ value: '{}' }, record(MAX_REPORT_BYTES)], names)
    expect(most).toMatchObject({ status: 'fits' })
    const over = checkRecords(schema, [{ value: '{}' }, record(MAX_REPORT_BYTES + 1)], names)
    expect(over).toMatchObject({
      rejection: {
        path: 'Message.1',
        problem: 'has more than 1000000 bytes with the defaults of the schema',
      },
    })

    const share = MAX_POST_BYTES / 10
    const ten = Array.from({ length: 10 }, () => record(share))
    expect(checkRecords(schema, ten, names)).toMatchObject({ status: 'fits' })
    const more = [...ten.slice(1), record(share + 1)]
    expect(checkRecords(schema, more, names)).toMatchObject({
      rejection: {
        path: 'Message',
        problem: 'has more than 5242880 bytes with the defaults of the schema',
      },
    })
  })
})

/** How a fitting value of each type is written, with some that a double could not carry. */
const FITTING = {
  BOOLEAN: fc.constantFrom('true', 'false'),
  INT8: fc.integer({ min: -128, max: 127 }).map(String),
  INT16: fc.integer({ min: -32_768, max: 32_767 }).map(String),
  INT32: fc.integer().map(String),
  INT64: fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n).map(String),
  FLOAT32: fc.float({ noNaN: true, noDefaultInfinity: true }).map((n) => JSON.stringify(n)),
  FLOAT64: fc.constantFrom('1.0', '1E2', '-0.0', '0.1000000000000000055511151231257827'),
  STRING: fc.string().map((text) => JSON.stringify(text)),
}

const field = fc.record({
  name: fc.stringMatching(/^[a-d_.-]{1,2}$/),
  type: fc.constantFrom(...FIELD_TYPES),
  allowNull: fc.boolean(),
})

/** A schema, and for each of its fields a literal, null, or nothing. */
const cases = fc
  .uniqueArray(field, { selector: ({ name }) => name, minLength: 1, maxLength: 6 })
  .chain((fields) =>
    fc.record({
      fields: fc.constant(fields),
      literals: fc.tuple(
        ...fields.map(({ type, allowNull }) =>
          allowNull
            ? fc.option(fc.oneof(FITTING[type], fc.constant('null')), { nil: undefined })
            : FITTING[type],
        ),
      ),
      other: fc.json({ maxDepth: 2 }),
    }),
  )

function objectOf(
  fields: readonly SchemaField[],
  literals: readonly (string | undefined)[],
  other: string,
) {
  const members = fields.flatMap(({ name }, i) =>
    literals[i] === undefined ? [] : [`"${name}": ${literals[i]}`],
  )
  return `{${[`"other" :${other}`, ...members].join(', ')}}`
}

describe('for every schema', () => {
  it('a value that fits stays byte for byte, and with any default what was sent is still its start', ({
    expect,
  }) => {
    fc.assert(
      fc.property(cases, ({ fields, literals, other }) => {
        const value = objectOf(fields, literals, other)
        const check = checkRecord(schemaOf(...fields), { value }, PATH)
        expect(check).toEqual({ status: 'fits', record: { value } })

        const withDefaults = fields.map((f) => ({
          ...f,
          default: f.type === 'BOOLEAN' ? true : f.type === 'STRING' ? 'd' : 1,
        }))
        const added = checkRecord(schemaOf(...withDefaults), { value }, PATH)
        const after = added.status === 'fits' ? (added.record.value ?? '') : ''
        expect(after.startsWith(value.slice(0, -1))).toBe(true)
        const before = JSON.parse(value) as object
        const absent = withDefaults.filter((_, i) => literals[i] === undefined)
        const expected = Object.fromEntries(absent.map((f) => [f.name, f.default]))
        expect(JSON.parse(after)).toEqual({ ...before, ...expected })
      }),
      { numRuns: 500 },
    )
  })

  it('a field that may not be missing is refused by its name when it is, or is null', ({
    expect,
  }) => {
    fc.assert(
      fc.property(cases, fc.nat(), fc.constantFrom(undefined, 'null'), (given, pick, instead) => {
        const at = pick % given.fields.length
        const fields = given.fields.map((f, i) => (i === at ? { ...f, allowNull: false } : f))
        const literals = given.literals.map((literal, i) => (i === at ? instead : literal))
        const value = objectOf(fields, literals, given.other)
        expect(problemOf(schemaOf(...fields), { value })).toMatchObject({
          reason: 'schema_mismatch',
          field: fields[at]?.name,
        })
      }),
    )
  })
})
