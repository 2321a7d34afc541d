/**
 * What the routes of managed things share: bodies of changes, the condition `If-Match`, answers with an entity tag, and pages. Knows
 * nothing of the things themselves; who may do what is the control plane's to say.
 */
import type * as z from 'zod/mini'
import { readBody } from '../body.ts'
import { answer, refuse, type AppContext } from '../context.ts'
import { etagOf, isNotModified, parseIfMatch } from '../etag.ts'
import { nextLink, pageOf, parsePageQuery, type SortKey } from '../page.ts'
import { JSON_ONLY, parseAs, readJsonAs, wrongMediaType, type Parsed } from '../parse.ts'
import type { Done } from '../registry/control-plane.ts'
import { rejected } from '../rejection.ts'

/** The largest is a credential for 1,000 datahubs: 20 KB. */
const MAX_CONTROL_BYTES = 65_536

/** JSON Merge Patch (RFC 7396); all its members are plain values here, so `application/json` means the same. */
const MERGE_PATCH = [...JSON_ONLY, 'application/merge-patch+json']

/** The body of a thing to be made. */
export function readNew<T>(c: AppContext, schema: z.ZodMiniType<T>): Promise<Parsed<T>> {
  return readJsonAs(c.req.raw, MAX_CONTROL_BYTES, schema)
}

/** No body at all stands for `{}`. */
export async function readOptional<T>(c: AppContext, schema: z.ZodMiniType<T>): Promise<Parsed<T>> {
  // Clients that always name a type announce an empty body with it.
  if (c.req.raw.body === null || c.req.header('Content-Length') === '0') return parseAs({}, schema)
  if (c.req.header('Content-Type') !== undefined) return readNew(c, schema)
  const body = await readBody(c.req.raw, 0)
  if (body) return parseAs({}, schema)
  return rejected(wrongMediaType())
}

interface Revised {
  revision: number
}

/** What was done, or why it was not. */
export function answerDone<T>(
  c: AppContext,
  result: Done<T>,
  send: (value: T) => Response,
): Response {
  return result.status === 'done' ? send(result.value) : refuse(c, result.rejection)
}

/** A change under the condition `If-Match`. Only a list of tags needs to find out which one is the current one. */
async function changeIf<T>(
  c: AppContext,
  find: () => Promise<Done<Revised>>,
  change: (guard: { ifRevision?: number }) => Promise<Done<T>>,
  send: (value: T) => Response,
): Promise<Response> {
  const expected = parseIfMatch(c.req.header('If-Match') ?? null)
  if (expected.status === 'rejected') return refuse(c, expected.rejection)
  if (expected.value === 'any') return answerDone(c, await change({}), send)
  let [revision] = expected.value
  if (revision === undefined || expected.value.length > 1) {
    const found = await find()
    if (found.status === 'rejected') return refuse(c, found.rejection)
    revision = found.value.revision
    if (!expected.value.includes(revision)) {
      return refuse(c, { reason: 'precondition_failed', current: revision })
    }
  }
  return answerDone(c, await change({ ifRevision: revision }), send)
}

/** After a deletion. */
export function answerNothing(): Response {
  return new Response(null, { status: 204 })
}

/** The answer to a change: the thing as it is now. */
export function answerWithTag(
  status: number,
  shown: Revised,
  headers: Record<string, string> = {},
): Response {
  return answer(status, shown, { ...tagOf(shown), ...headers })
}

/** Of the thing as a GET shows it. */
export function tagOf(shown: Revised): { ETag: string } {
  return { ETag: etagOf(shown.revision, JSON.stringify(shown)) }
}

/** The answer to a GET of one thing; 304 when the client has it. */
function answerUnlessKnown(c: AppContext, shown: Revised): Response {
  const { ETag } = tagOf(shown)
  const known = isNotModified(c.req.header('If-None-Match') ?? null, ETag)
  if (known.status === 'rejected') return refuse(c, known.rejection)
  if (!known.value) return answer(200, shown, { ETag })
  return new Response(null, { status: 304, headers: { ETag, 'Cache-Control': 'no-store' } })
}

/** One kind of managed things: where they are, and what is shown of them. */
export interface Kind<T extends Revised, C> {
  /** Of the list in its answer. */
  list: string
  /** Names of the list's parameters besides `limit` and `cursor`. */
  filters?: readonly string[]
  /** The form of a change. */
  changes: z.ZodMiniType<C>
  keyOf: (thing: T) => SortKey
  show: (thing: T) => Revised
  all: (
    c: AppContext,
    filters: Readonly<Record<string, string | undefined>>,
  ) => Promise<Done<readonly T[]>>
  find: (c: AppContext) => Promise<Done<T>>
  modify: (c: AppContext, changes: C, guard: { ifRevision?: number }) => Promise<Done<T>>
}

/** What every kind has: a list, one thing, its change, and whatever else may be done under the condition `If-Match`. */
export function routesOf<T extends Revised, C>(kind: Kind<T, C>) {
  const { list, filters, changes, keyOf, show, all, find, modify } = kind

  function act<U>(
    c: AppContext,
    change: (guard: { ifRevision?: number }) => Promise<Done<U>>,
    send: (value: U) => Response,
  ): Promise<Response> {
    return changeIf(c, () => find(c), change, send)
  }

  return {
    act,

    async list(c: AppContext): Promise<Response> {
      const query = parsePageQuery(new URL(c.req.url).searchParams, list, filters)
      if (query.status === 'rejected') return refuse(c, query.rejection)
      return answerDone(c, await all(c, query.value.filters), (found) => {
        const { items, cursor } = pageOf(found, keyOf, query.value, list)
        return sendPage(c, list, items.map(show), cursor)
      })
    },

    async get(c: AppContext): Promise<Response> {
      return answerDone(c, await find(c), (thing) => answerUnlessKnown(c, show(thing)))
    },

    async change(c: AppContext): Promise<Response> {
      const input = await readJsonAs(c.req.raw, MAX_CONTROL_BYTES, changes, MERGE_PATCH)
      if (input.status === 'rejected') return refuse(c, input.rejection)
      return act(
        c,
        (guard) => modify(c, input.value, guard),
        (thing) => answerWithTag(200, show(thing)),
      )
    },
  }
}

/** `cursor`: where the list goes on; without it this is its end. */
export function sendPage(
  c: AppContext,
  list: string,
  items: readonly unknown[],
  cursor: string | undefined,
): Response {
  if (cursor === undefined) return answer(200, { [list]: items })
  return answer(200, { [list]: items, cursor }, nextLink(c.req.url, cursor))
}
