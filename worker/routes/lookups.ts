/**
 * `POST /internal/lookups`: which envelopes have an outcome and which have none. The relay sends only what is said to be absent, so an id
 * of a status shard that fails is in neither list; the answer is 200 all the same, and the relay asks again. Changes nothing.
 */
import { LookupsRequest, type LookupsResponse } from '#contract'
import { answer, refuse, type AppContext } from '../context.ts'
import { readJsonAs } from '../parse.ts'

/** 1,000 ids take 19 KB. */
const MAX_LOOKUPS_BYTES = 65_536

export async function postLookups(c: AppContext): Promise<Response> {
  const request = await readJsonAs(c.req.raw, MAX_LOOKUPS_BYTES, LookupsRequest)
  if (request.status === 'rejected') return refuse(c, request.rejection)
  const found = await c.get('services').status.lookUp(request.value.ids)
  return answer(200, found satisfies LookupsResponse)
}
