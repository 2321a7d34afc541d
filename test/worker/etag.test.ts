import * as fc from 'fast-check'
import { describe, it } from 'vitest'
import { etagOf, isNotModified, parseIfMatch } from '../../worker/etag.ts'

describe('an entity tag', () => {
  it('differs when the revision does or anything that is shown', ({ expect }) => {
    const tags = [etagOf(1, 'a'), etagOf(2, 'a'), etagOf(1, 'b'), etagOf(1, 'ab'), etagOf(1, 'ba')]
    expect(new Set(tags).size).toBe(tags.length)
    expect(etagOf(1, 'a')).toBe(etagOf(1, 'a'))
  })

  it('is what If-Match takes the revision from, and what If-None-Match takes whole', ({
    expect,
  }) => {
    fc.assert(
      fc.property(fc.nat(), fc.string(), (revision, shown) => {
        const tag = etagOf(revision, shown)
        expect(parseIfMatch(tag)).toEqual({ status: 'ok', value: [revision] })
        expect(isNotModified(tag, tag)).toEqual({ status: 'ok', value: true })
        expect(isNotModified(`W/${tag}`, tag)).toEqual({ status: 'ok', value: true })
        expect(isNotModified(`"x", ${tag}`, tag)).toEqual({ status: 'ok', value: true })
        expect(isNotModified(`"${revision}"`, tag)).toEqual({ status: 'ok', value: false })
      }),
    )
  })
})

describe('If-Match', () => {
  it.for([
    [null, 'any'],
    ['*', 'any'],
    ['"3"', [3]],
    ['"3-abc"', [3]],
    ['"3-a" ,, "4-b","3"', [3, 4]],
    // None of ours, and weak ones, match nothing.
    ['"abc"', []],
    ['W/"3"', []],
    ['"3,4"', []],
    ['"abc", "7"', [7]],
  ] as const)('%s asks for %j', ([header, value], { expect }) => {
    expect(parseIfMatch(header)).toEqual({ status: 'ok', value })
  })

  it.for(['', '3', '"3', '"3" "4"', '"3, 4"', '*, "3"', 'w/"3"', '"a\u0001"', '"3";x'])(
    'refuses %j',
    (header, { expect }) => {
      for (const parsed of [parseIfMatch(header), isNotModified(header, '"1"')]) {
        expect(parsed).toMatchObject({ rejection: { reason: 'invalid_header' } })
      }
    },
  )
})
