import * as fc from 'fast-check'
import { describe, it } from 'vitest'
import * as z from 'zod/mini'
import { defineAction } from '../../../worker/tencent/action.ts'
import { fitToSchema } from '../../../worker/tencent/by-schema.ts'
import type { Call } from '../../../worker/tencent/call.ts'
import { parametersOfJson, parametersOfQuery } from '../../../worker/tencent/parameters.ts'
import { fakeDeps } from './fake-deps.ts'

const SCHEMA = z.strictObject({
  Id: z.string(),
  Limit: z._default(z.int().check(z.minimum(1), z.maximum(100)), 20),
  Ratio: z.optional(z.number()),
  On: z.optional(z.boolean()),
  Mode: z.optional(z.literal([0, 1])),
  Any: z.optional(z.union([z.int(), z.boolean(), z.string()])),
  Upper: z.optional(
    z.pipe(
      z.string(),
      z.transform((text) => text.toUpperCase()),
    ),
  ),
  Resource: z.optional(
    z.nullable(z.strictObject({ Type: z.string(), Partitions: z.optional(z.int()) })),
  ),
  List: z.optional(z.array(z.strictObject({ N: z.int(), Flag: z.optional(z.boolean()) }))),
  Numbers: z._default(z.array(z.int()), []),
})

/** What an action is given, or what the caller is told. */
async function told(parameters: Call['parameters']): Promise<unknown> {
  const { deps } = fakeDeps()
  let given: unknown
  const action = defineAction(
    { scope: 'send', perSecond: 20, parameters: SCHEMA },
    async (value) => {
      given = value
      return { status: 'answered', fields: {} }
    },
  )
  const credential = {
    secretId: 's',
    secretKeys: ['k'],
    scopes: ['send'],
    datahubs: 'all',
  } as const
  const headers = new Headers()
  const call = { status: 'authenticated', action: 'Test', credential, parameters, headers } as const
  const result = await action(call, deps)
  return result.status === 'refused' ? `${result.error.code}: ${result.error.message}` : given
}

const byQuery = (query: string) => told(() => parametersOfQuery(query))
const byJson = (json: unknown) =>
  told(() => parametersOfJson(new TextEncoder().encode(JSON.stringify(json))))

describe('texts of a query or form', () => {
  it('become what the action wants there, at every depth', async ({ expect }) => {
    const query =
      'Id=7&Limit=5&Ratio=-0.5&On=True&Mode=1&Resource.Type=1&Resource.Partitions=3&List.0.N=1&List.0.Flag=0&List.1.N=-2&Numbers.0=10&Numbers.1=9&Upper=a'
    expect(await byQuery(query)).toEqual({
      Id: '7',
      Limit: 5,
      Ratio: -0.5,
      On: true,
      Mode: 1,
      Upper: 'A',
      Resource: { Type: '1', Partitions: 3 },
      List: [{ N: 1, Flag: false }, { N: -2 }],
      Numbers: [10, 9],
    })
    expect(await byQuery('Id=')).toEqual({ Id: '', Limit: 20, Numbers: [] })
  })

  it.for([
    ['true', true],
    ['True', true],
    ['1', true],
    ['false', false],
    ['False', false],
    ['0', false],
  ] as const)('%s is a boolean', async ([text, value], { expect }) => {
    expect(await byQuery(`Id=a&On=${text}`)).toMatchObject({ On: value })
  })

  it.for([
    ['Any=1', 1],
    ['Any=true', true],
    ['Any=x', 'x'],
  ] as const)(
    'where several types fit, the first one counts: %s',
    async ([query, value], { expect }) => {
      expect(await byQuery(`Id=a&${query}`)).toMatchObject({ Any: value })
    },
  )

  const type = (path: string, expected: string) =>
    `InvalidParameter: The value type of parameter \`${path}\` is not valid, input type should be \`${expected}\`.`

  it.for<[string, string]>([
    ['Limit=', type('Limit', 'integer')],
    ['Limit=5.5', type('Limit', 'integer')],
    ['Limit=0x10', type('Limit', 'integer')],
    ['Limit=+5', type('Limit', 'integer')],
    ['Limit=1e1', type('Limit', 'integer')],
    ['Limit=five', type('Limit', 'integer')],
    ['Ratio=NaN', type('Ratio', 'integer')],
    ['On=TRUE', type('On', 'boolean')],
    ['On=yes', type('On', 'boolean')],
    ['On=2', type('On', 'boolean')],
    ['List.0.N=x', type('List.0.N', 'integer')],
    ['List.3.N=1&List.5.N=x', type('List.1.N', 'integer')],
    ['List.0=x', type('List.0', 'object')],
    ['List=x', type('List', 'array')],
    ['Id.0=x', type('Id', 'string')],
    [
      'Resource.Partitions=1',
      'MissingParameter: The request is missing a required parameter `Resource.Type`.',
    ],
    ['List.0.Flag=1', 'MissingParameter: The request is missing a required parameter `List.0.N`.'],
    ['Extra=', 'UnknownParameter: The parameter `Extra` is not recognized.'],
    [
      'List.0.N=1&List.0.Extra=',
      'UnknownParameter: The parameter `List.0.Extra` is not recognized.',
    ],
    ['__proto__.x=1', 'UnknownParameter: The parameter `__proto__` is not recognized.'],
    ['constructor=1', 'UnknownParameter: The parameter `constructor` is not recognized.'],
    ['Id=b', 'InvalidParameter: The parameter `Id` is not valid. It occurs more than once.'],
  ])('%s is refused', async ([query, message], { expect }) => {
    const id = query.startsWith('Id.') ? '' : 'Id=a&'
    expect(await byQuery(id + query)).toBe(message)
  })

  it('name a number too large as one, not another number', async ({ expect }) => {
    expect(await byQuery('Id=a&Limit=101')).toContain('InvalidParameterValue')
    expect(await byQuery('Id=a&Numbers.0=9007199254740993')).toContain('`Numbers.0`')
  })

  it('of any integer and any boolean convert and stay what they were', ({ expect }) => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), fc.boolean(), fc.string(), (n, flag, text) => {
        const given = { Id: text, Numbers: [String(n)], On: String(flag) }
        expect(fitToSchema(SCHEMA, given, false)).toEqual({ Id: text, Numbers: [n], On: flag })
        expect(fitToSchema(SCHEMA, given, true)).toEqual(given)
      }),
    )
  })
})

describe('JSON', () => {
  it.for<[string, unknown, string]>([
    ['a number as a text', { Id: 'a', Limit: '5' }, 'input type should be `integer`'],
    ['a boolean as a text', { Id: 'a', On: 'true' }, 'input type should be `boolean`'],
    ['a text as a number', { Id: 7 }, 'input type should be `string`'],
    ['a list as an object', { Id: 'a', List: { 0: { N: 1 } } }, 'input type should be `array`'],
    ['null in a list', { Id: 'a', List: [null] }, '`List.0`'],
  ])('%s is refused, not converted', async ([, json, words], { expect }) => {
    const message = await byJson(json)
    expect(message).toMatch(/^InvalidParameter: /)
    expect(message).toContain(words)
  })

  it('takes a text for none of the numbers that are allowed', async ({ expect }) => {
    expect(await byJson({ Id: 'a', Mode: 1 })).toMatchObject({ Mode: 1 })
    expect(await byJson({ Id: 'a', Mode: '1' })).toMatch(/^InvalidParameterValue: .*`Mode`/)
  })

  it('null is absent at every depth, for known and unknown parameters', async ({ expect }) => {
    const json = {
      Id: 'a',
      Limit: null,
      Extra: null,
      Resource: { Type: 'x', Partitions: null, Extra: null },
      List: [{ N: 1, Flag: null, Extra: null }],
      Numbers: null,
    }
    expect(await byJson(json)).toEqual({
      Id: 'a',
      Limit: 20,
      Resource: { Type: 'x' },
      List: [{ N: 1 }],
      Numbers: [],
    })
    expect(await byJson({ Id: 'a', List: [{ N: null }] })).toBe(
      'MissingParameter: The request is missing a required parameter `List.0.N`.',
    )
    expect(await byJson({ Id: null })).toContain('MissingParameter')
  })

  it('nested 20,000 deep is refused, not recursed into', async ({ expect }) => {
    const deep = `${'{"Resource":'.repeat(20_000)}null${'}'.repeat(20_000)}`
    const parameters = () => parametersOfJson(new TextEncoder().encode(deep))
    expect(await told(parameters)).toContain('UnknownParameter')
    const list = `{"Id":"a","List":${'['.repeat(20_000)}${']'.repeat(20_000)}}`
    const lists = () => parametersOfJson(new TextEncoder().encode(list))
    expect(await told(lists)).toContain('`List.0`')
  })
})
