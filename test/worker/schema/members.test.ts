import * as fc from 'fast-check'
import { describe, it } from 'vitest'
import { memberSources } from '../../../worker/schema/members.ts'

const sourcesOf = (object: string, ...names: string[]) =>
  Object.fromEntries(memberSources(object, new Set(names)))

const space = fc.stringMatching(/^[ \t\n\r]{0,3}$/)
/** Few letters, so that names meet; quotes and backslashes, which are what ends a text too early. */
const name = fc.stringMatching(/^[ab"\\{}:,]{0,3}$/)

/** One member: its name, how that is written, its value's source, and space around both. */
const member = fc.record({
  name,
  escaped: fc.boolean(),
  source: fc.json({ maxDepth: 3 }),
  spaces: fc.tuple(space, space, space, space),
})

function nameSource({ name, escaped }: { name: string; escaped: boolean }): string {
  if (!escaped) return JSON.stringify(name)
  const units = Array.from(name, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)
  return `"${units.join('')}"`
}

describe('the members of an object', () => {
  it('are found with their sources as they were written, all of them, in order', ({ expect }) => {
    fc.assert(
      fc.property(fc.array(member, { maxLength: 6 }), space, space, (members, before, after) => {
        const texts = members.map(
          (m) =>
            `${m.spaces[0]}${nameSource(m)}${m.spaces[1]}:${m.spaces[2]}${m.source}${m.spaces[3]}`,
        )
        const object = `${before}{${texts.join(',') || before}}${after}`
        JSON.parse(object)
        const names = new Set(members.map((m) => m.name))
        const expected = Map.groupBy(members, (m) => m.name)
        const found = memberSources(object, names)
        expect([...found.keys()].sort()).toEqual([...expected.keys()].sort())
        for (const [key, same] of expected) {
          expect(found.get(key)).toEqual(same.map(({ source }) => source))
        }
      }),
      { numRuns: 500 },
    )
  })

  it.for([
    ['{}', {}],
    [' { \n} ', {}],
    ['{"a":{"b":1},"b":[{"b":2}]}', { b: ['[{"b":2}]'] }],
    ['{"a":"\\\\","b":"\\"b\\":1"}', { b: ['"\\"b\\":1"'] }],
    ['{"b":1,"\\u0062":2}', { b: ['1', '2'] }],
    ['{"__proto__":1,"b":{"__proto__":2}}', { b: ['{"__proto__":2}'] }],
    ['{"b": -0 , "a":1}', { b: ['-0'] }],
  ] as const)('of %s that are asked for are %o', ([object, expected], { expect }) => {
    expect(sourcesOf(object, 'b')).toEqual(expected)
  })

  it('may be nested a million levels deep', ({ expect }) => {
    const deep = '['.repeat(1_000_000) + ']'.repeat(1_000_000)
    expect(sourcesOf(`{"a":${deep},"b":1}`, 'b')).toEqual({ b: ['1'] })
  })

  it('are found in one pass, however many quotes and backslashes there are', ({ expect }) => {
    const text = JSON.stringify('\\"'.repeat(500_000))
    expect(sourcesOf(`{"a":${text},"b":1}`, 'b')).toEqual({ b: ['1'] })
    const backslashes = JSON.stringify('\\'.repeat(1_000_000))
    expect(sourcesOf(`{"a":${backslashes},"b":1}`, 'b')).toEqual({ b: ['1'] })
  })
})
