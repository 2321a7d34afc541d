/**
 * The parameters of `GET /v1/messages` → what is asked for, or the first thing wrong with them. Pure. A parameter that would be ignored
 * is refused: it would have meant something to whoever wrote it.
 */
import * as z from 'zod/mini'
import type { PartitionOffset } from '#contract'
import { rejected, type Rejected } from '../rejection.ts'
import { parseSearch, whole } from '../search-params.ts'
import { parseCursor } from './cursor.ts'

export const DEFAULT_LIMIT = 20
export const MAX_LIMIT = 100

export type MessageQuery =
  | { kind: 'id'; messageId: string }
  | { kind: 'one'; topic: string; partition: number; offset: string }
  | { kind: 'by_offset'; topic: string; partition: number; offset: string; limit: number }
  | {
      kind: 'by_time'
      topic: string
      partition?: number | undefined
      from: number
      limit: number
      next?: PartitionOffset[] | undefined
    }

export type ParsedMessageQuery = { status: 'ok'; query: MessageQuery } | Rejected

const MAX_OFFSET = 2n ** 63n - 1n
const OFFSET = `a whole number from 0 to ${MAX_OFFSET} is expected`

const Rfc3339 = z.iso.datetime({ offset: true })

/** Unix ms, or RFC 3339; -1 for anything else. */
function time(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text)
  return Rfc3339.safeParse(text).success ? Date.parse(text) : -1
}

const Parameters = z.strictObject({
  messageId: z.optional(z.string()),
  topic: z.optional(z.string()),
  partition: z.optional(whole(0, 2 ** 31 - 1)),
  offset: z.optional(
    z.pipe(
      z.string().check(
        // Without abort the next check would run on what is no number, and throw.
        z.regex(/^\d{1,19}$/, { abort: true, error: OFFSET }),
        z.refine((digits) => BigInt(digits) <= MAX_OFFSET, OFFSET),
      ),
      z.transform((digits) => String(BigInt(digits))),
    ),
  ),
  from: z.optional(
    z.pipe(
      z.pipe(z.string(), z.transform(time)),
      z
        .number()
        .check(z.minimum(0, 'Unix ms or RFC 3339 is expected ("+" is written %2B in an address)')),
    ),
  ),
  limit: z.optional(whole(1, MAX_LIMIT)),
  cursor: z.optional(z.string()),
})

/** Which of the ways to ask it is, or the first thing wrong. */
export function parseMessageQuery(search: URLSearchParams): ParsedMessageQuery {
  const parsed = parseSearch(search, Parameters)
  if (parsed.status === 'rejected') return parsed

  const { messageId, topic, partition, offset, from, limit, cursor } = parsed.value
  if (messageId !== undefined) {
    return search.size === 1
      ? { status: 'ok', query: { kind: 'id', messageId } }
      : invalid('messageId', 'it says all; no other parameter goes with it.')
  }
  if (topic === undefined) return missing('topic', WAYS)
  const next = cursor === undefined ? undefined : parseCursor(cursor, topic, partition)
  if (cursor !== undefined && !next) return rejected({ reason: 'invalid_cursor' })
  if (from !== undefined) {
    if (offset !== undefined) return invalid('from', 'either offset or from, not both.')
    const kind = 'by_time'
    return {
      status: 'ok',
      query: { kind, topic, partition, from, limit: limit ?? DEFAULT_LIMIT, next },
    }
  }
  if (offset === undefined) return missing('from', WAYS)
  if (partition === undefined) return missing('partition', WAYS)
  if (limit === undefined) {
    if (cursor !== undefined) return missing('limit')
    return { status: 'ok', query: { kind: 'one', topic, partition, offset } }
  }
  const begin = next?.[0]?.offset ?? offset
  return { status: 'ok', query: { kind: 'by_offset', topic, partition, offset: begin, limit } }
}

const WAYS = 'Give messageId alone, or topic, partition and offset, or topic and from.'

function missing(path: string, hint?: string): ParsedMessageQuery {
  return rejected({ reason: 'missing', path, ...(hint && { hint }) })
}

function invalid(path: string, problem: string): ParsedMessageQuery {
  return rejected({ reason: 'invalid_value', path, problem })
}
