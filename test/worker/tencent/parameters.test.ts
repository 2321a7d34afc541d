import * as fc from 'fast-check'
import { describe, it } from 'vitest'
import { MAX_PARAMETERS, parsePairs } from '../../../worker/tencent/pairs.ts'
import { parametersOfPairs, parametersOfQuery } from '../../../worker/tencent/parameters.ts'

/** The fields, or what is wrong. */
function read(query: string): unknown {
  const parsed = parametersOfQuery(query)
  if (parsed.status === 'ok') return parsed.value.fields
  const { rejection } = parsed
  return 'problem' in rejection && 'path' in rejection
    ? [rejection.reason, rejection.path, rejection.problem]
    : rejection
}

const wrong = (path: string, problem: string) => ['malformed_parameter', path, problem]

describe('names and values', () => {
  it.for<[string, [string, string][]]>([
    ['', []],
    ['&&', []],
    [
      'a=1&b=2',
      [
        ['a', '1'],
        ['b', '2'],
      ],
    ],
    [
      'a=&b',
      [
        ['a', ''],
        ['b', ''],
      ],
    ],
    ['a=b=c', [['a', 'b=c']]],
    ['a=%20+%2B', [['a', '  +']]],
    ['%61+b=%E4%B8%AD%f0%9F%98%80', [['a b', '\u4e2d\u{1f600}']]],
    ["a=\u4e2d~!*'()", [['a', "\u4e2d~!*'()"]]],
  ])('%j', ([raw, pairs], { expect }) => {
    expect(parsePairs(raw)).toEqual({ status: 'ok', value: pairs })
  })

  it.for(['%', '%4', '%zz', '%u4E2D', '%ff', '%c0%80', '%ed%a0%80', '%E4%B8'])(
    'a value %s is refused, with its name',
    (text, { expect }) => {
      const problem = 'It is not the percent-encoding of UTF-8.'
      expect(read(`a=1&b=${text}`)).toEqual(wrong('b', problem))
      expect(read(`a=1&${text}=b`)).toEqual(wrong(text, problem))
    },
  )

  it('a name that occurs twice is refused, however it is written', ({ expect }) => {
    expect(read('a=1&b=2&%61=1')).toEqual(wrong('a', 'It occurs more than once.'))
  })

  it('may be so many and no more', ({ expect }) => {
    const many = (n: number) => Array.from({ length: n }, (_, i) => `p${i}=`).join('&')
    expect(Object.keys(read(many(MAX_PARAMETERS)) as object)).toHaveLength(MAX_PARAMETERS)
    const problem = 'The request has more than 2048 parameters.'
    expect(read(many(MAX_PARAMETERS + 1))).toEqual(wrong('', problem))
  })
})

describe('dotted names', () => {
  it.for<[string, string, unknown]>([
    ['a list', 'M.0.B=x&M.1.B=y', { M: [{ B: 'x' }, { B: 'y' }] }],
    ['any order', 'M.1.B=y&D=d&M.0.K=k&M.0.B=x', { M: [{ K: 'k', B: 'x' }, { B: 'y' }], D: 'd' }],
    ['gaps', 'M.7=c&M.2=a&M.3=b', { M: ['a', 'b', 'c'] }],
    ['more than ten', 'M.10=b&M.9=a', { M: ['a', 'b'] }],
    ['a list of lists', 'M.0.0=a&M.0.1=b&M.1.0=c', { M: [['a', 'b'], ['c']] }],
    ['nested names', 'T.K.Topic=t&T.Type=KAFKA', { T: { K: { Topic: 't' }, Type: 'KAFKA' } }],
    ['digits at the top', '0=a', { 0: 'a' }],
    ['the largest index', 'M.9999=a', { M: ['a'] }],
  ])('%s', ([, query, fields], { expect }) => {
    expect(read(query)).toEqual(fields)
  })

  it.for<[string, string, [string, string]]>([
    ['a value that has parts', 'M=x&M.0.B=y', ['M.0.B', "`M` has a value and can't have parts."]],
    ['parts that have a value', 'M.0.B=y&M.0=x', ['M.0', "It has parts and can't have a value."]],
    ['indexes and names', 'T.M.0=x&T.M.a=y', ['T.M', 'It has both indexes and names.']],
    [
      'an index too large',
      'M.10000=x',
      ['M.10000', 'An index is 0 to 9999, without leading zeros.'],
    ],
    [
      'an index of many digits',
      `M.${'9'.repeat(400)}=x`,
      [`M.${'9'.repeat(400)}`, 'An index is 0 to 9999, without leading zeros.'],
    ],
    ['leading zeros', 'M.0=x&M.00=y', ['M.00', 'An index is 0 to 9999, without leading zeros.']],
    ['no name', '=x', ['', 'A part of its name is empty.']],
    ['an empty part', 'M..B=x', ['M..B', 'A part of its name is empty.']],
    ['a dot at the end', 'M.=x', ['M.', 'A part of its name is empty.']],
    ['17 parts', `${'a.'.repeat(16)}a=x`, [`${'a.'.repeat(16)}a`, 'It has more than 16 parts.']],
    [
      'a name of a megabyte',
      `${'.'.repeat(1_000_000)}=x`,
      ['.'.repeat(1_000_000), 'It has more than 16 parts.'],
    ],
  ])('%s: refused', ([, query, [path, problem]], { expect }) => {
    expect(read(query)).toEqual(wrong(path, problem))
  })

  it('that objects inherit are names like any other', ({ expect }) => {
    const fields = read('__proto__.x=1&constructor=2&a.__proto__=3&a.toString=4') as object
    expect(Object.keys(fields)).toEqual(['__proto__', 'constructor', 'a'])
    expect(Object.getPrototypeOf(fields)).toBe(Object.prototype)
    expect(({} as { x?: unknown }).x).toBeUndefined()
    const { a } = fields as { a: object }
    expect(Object.entries(a)).toEqual([
      ['__proto__', '3'],
      ['toString', '4'],
    ])
  })
})

describe('any tree', () => {
  const name = fc
    .string({ unit: 'binary', minLength: 1, maxLength: 6 })
    .filter((part) => !part.includes('.') && !/^\d+$/.test(part))
  const { tree } = fc.letrec((tie) => ({
    leaf: fc.string({ unit: 'binary', maxLength: 6 }),
    list: fc.array(tie('node'), { minLength: 1, maxLength: 12 }),
    tree: fc.dictionary(name, tie('node'), { minKeys: 1, maxKeys: 4, noNullPrototype: true }),
    node: fc.oneof({ maxDepth: 3 }, tie('leaf'), tie('list'), tie('tree')),
  }))

  const flatten = (node: unknown, path: string): [string, string][] =>
    typeof node === 'string'
      ? [[path, node]]
      : Object.entries(node as object).flatMap(([part, child]) =>
          flatten(child, path === '' ? part : `${path}.${part}`),
        )

  it('comes back from its dotted names, in any order', ({ expect }) => {
    fc.assert(
      fc.property(tree, fc.infiniteStream(fc.nat()), (root, random) => {
        const pairs = flatten(root, '')
        const keyed = pairs.map((pair) => ({ pair, at: random.next().value ?? 0 }))
        const shuffled = keyed.sort((a, b) => a.at - b.at).map(({ pair }) => pair)
        const query = shuffled.map((pair) => pair.map(encodeURIComponent).join('=')).join('&')
        expect(read(query)).toEqual(root)
        expect(parametersOfPairs(shuffled)).toMatchObject({ value: { typed: false } })
      }),
      { numRuns: 500 },
    )
  })

  it('of any text at all is answered, never thrown at', ({ expect }) => {
    const part = fc.oneof(
      fc.constantFrom('a', '0', '1', '.', '=', '&', '%', '+', '%2E', '%zz', '__proto__'),
      fc.string({ unit: 'binary', maxLength: 2 }),
    )
    fc.assert(
      fc.property(fc.array(part, { maxLength: 20 }), (parts) => {
        const { status } = parametersOfQuery(parts.join(''))
        expect(['ok', 'rejected']).toContain(status)
      }),
      { numRuns: 5_000 },
    )
  })
})
