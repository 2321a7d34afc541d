/**
 * Pages of a list: the parameters `limit` and `cursor`, and where a list goes on. A cursor names the last item that was shown by its sort
 * key, so nothing is shown twice and nothing left out while items come and go. Not signed, because it permits nothing: what is seen is
 * decided anew each time. Pure.
 */
import * as z from 'zod/mini'
import { rejectionOf, type Parsed } from './parse.ts'

export const DEFAULT_PAGE_ITEMS = 100
export const MAX_PAGE_ITEMS = 1_000

/** Items are in ascending order of these: a number first, then a text by its UTF-16 units. */
export type SortKey = readonly [number, string]

export interface PageQuery {
  limit: number
  /** Those after this one. */
  after?: SortKey | undefined
  /** The other parameters that this list takes. */
  filters: Readonly<Record<string, string | undefined>>
}

const problem = `a whole number from 1 to ${MAX_PAGE_ITEMS} is expected`
const Limit = z.pipe(
  z.pipe(z.string().check(z.regex(/^\d{1,9}$/, problem)), z.transform(Number)),
  z.number().check(z.minimum(1, problem), z.maximum(MAX_PAGE_ITEMS, problem)),
)
const Cursor = z.tuple([z.literal(1), z.string(), z.number(), z.string()])

/** `list` names the list that a cursor belongs to. A parameter that is not known or is there twice is refused, not ignored. */
export function parsePageQuery(
  search: URLSearchParams,
  list: string,
  filters: readonly string[] = [],
): Parsed<PageQuery> {
  const entries = [...search]
  const repeated = entries.find(([name], i) => entries.findIndex(([n]) => n === name) < i)
  if (repeated) {
    const problem = 'it is there twice.'
    return {
      status: 'rejected',
      rejection: { reason: 'invalid_value', path: repeated[0], problem },
    }
  }
  const text = z.optional(z.string())
  const parsed = z
    .strictObject({
      ...Object.fromEntries(filters.map((name) => [name, text])),
      limit: z.optional(Limit),
      cursor: text,
    })
    .safeParse(Object.fromEntries(entries), { reportInput: true })
  if (!parsed.success) return { status: 'rejected', rejection: rejectionOf(parsed.error) }
  const { limit = DEFAULT_PAGE_ITEMS, cursor, ...rest } = parsed.data
  const after = cursor === undefined ? undefined : parseCursor(cursor, list)
  if (cursor !== undefined && !after) {
    return { status: 'rejected', rejection: { reason: 'invalid_cursor' } }
  }
  return { status: 'ok', value: { limit, after, filters: rest } }
}

/** The items of one page, in order, and the cursor while there are more. */
export function pageOf<T>(
  items: readonly T[],
  keyOf: (item: T) => SortKey,
  { limit, after }: Pick<PageQuery, 'limit' | 'after'>,
  list: string,
): { items: T[]; cursor?: string } {
  const sorted = items
    .map((item) => ({ item, key: keyOf(item) }))
    .filter(({ key }) => !after || compare(key, after) > 0)
    .sort((a, b) => compare(a.key, b.key))
  const page = sorted.slice(0, limit)
  const last = page.at(-1)
  return {
    items: page.map(({ item }) => item),
    ...(last && sorted.length > limit && { cursor: formatCursor(list, last.key) }),
  }
}

/** `Link` (RFC 8288) to the next page of the list at this address. */
export function nextLink(url: string, cursor: string): { Link: string } {
  const { pathname, searchParams } = new URL(url)
  searchParams.set('cursor', cursor)
  return { Link: `<${pathname}?${searchParams.toString()}>; rel="next"` }
}

/** All of it is ASCII: ids, topic names and numbers. */
export function formatCursor(list: string, [number, text]: SortKey): string {
  return btoa(JSON.stringify([1, list, number, text]))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replace(/=+$/, '')
}

function parseCursor(text: string, list: string): SortKey | undefined {
  let json: unknown
  try {
    json = JSON.parse(atob(text.replaceAll('-', '+').replaceAll('_', '/')))
  } catch {
    return undefined
  }
  const cursor = Cursor.safeParse(json)
  return cursor.success && cursor.data[1] === list ? [cursor.data[2], cursor.data[3]] : undefined
}

function compare(a: SortKey, b: SortKey): number {
  if (a[0] !== b[0]) return a[0] - b[0]
  if (a[1] === b[1]) return 0
  return a[1] < b[1] ? -1 : 1
}
