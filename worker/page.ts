/**
 * Pages of a list: the parameters `limit` and `cursor`, and where a list goes on. A cursor names the last item that was shown by its sort
 * key, so nothing is shown twice and nothing left out while items come and go. Pure.
 */
import * as z from 'zod/mini'
import { formatCursorText, parseCursorText } from './cursor-text.ts'
import type { Parsed } from './parse.ts'
import { rejected } from './rejection.ts'
import { parseSearch, whole } from './search-params.ts'

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

const Cursor = z.tuple([z.literal(1), z.string(), z.number(), z.string()])

/** `list` names the list that a cursor belongs to, `filters` the parameters besides `limit` and `cursor`. */
export function parsePageQuery(
  search: URLSearchParams,
  list: string,
  filters: readonly string[] = [],
): Parsed<PageQuery> {
  const text = z.optional(z.string())
  const schema = z.strictObject({
    ...Object.fromEntries(filters.map((name) => [name, text])),
    limit: z.optional(whole(1, MAX_PAGE_ITEMS)),
    cursor: text,
  })
  const parsed = parseSearch(search, schema)
  if (parsed.status === 'rejected') return parsed
  const { limit = DEFAULT_PAGE_ITEMS, cursor, ...rest } = parsed.value
  const after = cursor === undefined ? undefined : parseCursor(cursor, list)
  if (cursor !== undefined && !after) return rejected({ reason: 'invalid_cursor' })
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

export function formatCursor(list: string, [number, text]: SortKey): string {
  return formatCursorText([1, list, number, text])
}

function parseCursor(text: string, list: string): SortKey | undefined {
  const cursor = Cursor.safeParse(parseCursorText(text))
  return cursor.success && cursor.data[1] === list ? [cursor.data[2], cursor.data[3]] : undefined
}

function compare(a: SortKey, b: SortKey): number {
  if (a[0] !== b[0]) return a[0] - b[0]
  if (a[1] === b[1]) return 0
  return a[1] < b[1] ? -1 : 1
}
