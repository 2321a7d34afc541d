import * as fc from 'fast-check'
import { describe, it } from 'vitest'
import { formatCursor, nextLink, pageOf, parsePageQuery, type SortKey } from '../../worker/page.ts'

const parse = (query: string, filters?: string[]) =>
  parsePageQuery(new URLSearchParams(query), 'things', filters)

describe('parsePageQuery', () => {
  it('takes the default without parameters, and filters that are named', ({ expect }) => {
    expect(parse('')).toEqual({ status: 'ok', value: { limit: 100, filters: {} } })
    expect(parse('limit=1000&name=a', ['name'])).toEqual({
      status: 'ok',
      value: { limit: 1_000, filters: { name: 'a' } },
    })
  })

  it.for([
    ['limit=0', 'limit'],
    ['limit=1001', 'limit'],
    ['limit=', 'limit'],
    ['limit=1.5', 'limit'],
    ['limit=-1', 'limit'],
    ['limit=1&limit=2', 'limit'],
    ['offset=1', 'offset'],
    ['name=a', 'name'],
  ] as const)('refuses %s by its name', ([query, path], { expect }) => {
    expect(parse(query)).toMatchObject({ status: 'rejected', rejection: { path } })
  })

  it.for([
    '',
    'x',
    'e30',
    btoa('[1,"things"]'),
    btoa('[2,"things",1,"a"]'),
    formatCursor('others', [1, 'a']),
  ])('refuses the cursor %j', (cursor, { expect }) => {
    const query = new URLSearchParams({ cursor }).toString()
    expect(parse(query)).toMatchObject({ rejection: { reason: 'invalid_cursor' } })
  })

  it('reads back every cursor of its list', ({ expect }) => {
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.stringMatching(/^[ -~]{0,60}$/), (number, text) => {
        const cursor = formatCursor('things', [number, text])
        expect(cursor).toMatch(/^[A-Za-z0-9_-]+$/)
        expect(parse(`cursor=${cursor}`)).toMatchObject({ value: { after: [number, text] } })
      }),
    )
  })
})

describe('the pages of a list', () => {
  const keyOf = (key: SortKey): SortKey => key
  const key = fc.tuple(fc.nat({ max: 20 }), fc.constantFrom('a', 'b', 'B', 'c'))
  const keys = fc.uniqueArray(key, { selector: String, maxLength: 30 })

  it('show every item that stays exactly once and in order, whatever comes and goes meanwhile', ({
    expect,
  }) => {
    fc.assert(
      fc.property(keys, fc.array(keys), fc.integer({ min: 1, max: 7 }), (stay, others, limit) => {
        const shown: SortKey[] = []
        let query: Parameters<typeof pageOf>[2] = { limit }
        for (let turn = 0; ; turn++) {
          if (turn > 100) throw new Error('the list does not end')
          const passing = (others[turn] ?? []).filter(
            (o) => !stay.some((s) => String(s) === String(o)),
          )
          const { items, cursor } = pageOf([...passing, ...stay], keyOf, query, 'things')
          expect(items.length).toBeLessThanOrEqual(limit)
          shown.push(...items)
          if (cursor === undefined) break
          const parsed = parse(`cursor=${cursor}&limit=${limit}`)
          if (parsed.status === 'rejected') throw new Error('not a cursor')
          query = parsed.value
        }
        const texts = shown.map(String)
        expect(new Set(texts).size).toBe(texts.length)
        expect(stay.filter((s) => !texts.includes(String(s)))).toEqual([])
        const sorted = shown.toSorted((a, b) => a[0] - b[0] || (a[1] < b[1] ? -1 : 1))
        expect(shown).toEqual(sorted)
      }),
    )
  })

  it('have a cursor only while there is more', ({ expect }) => {
    const items: SortKey[] = [
      [1, 'a'],
      [1, 'b'],
    ]
    expect(pageOf(items, keyOf, { limit: 2 }, 'things')).toEqual({ items })
    expect(pageOf([], keyOf, { limit: 2 }, 'things')).toEqual({ items: [] })
    expect(pageOf(items, keyOf, { limit: 1 }, 'things')).toHaveProperty('cursor')
  })

  it('have a link that keeps the other parameters', ({ expect }) => {
    expect(nextLink('https://edge.test/v1/things?limit=2&name=a%26b&cursor=old', 'new')).toEqual({
      Link: '</v1/things?limit=2&name=a%26b&cursor=new>; rel="next"',
    })
  })
})
