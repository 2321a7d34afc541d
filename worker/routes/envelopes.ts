/**
 * `GET|DELETE /internal/envelopes/{object}`: the records of a large envelope, for the relay. Streams bytes as they are; length and digest
 * are the relay's to check. A lost object has a problem type of its own, so that no wrong address is taken for one.
 */
import { Claim } from '#contract'
import { refuse, type AppContext } from '../context.ts'
import type { Rejection } from '../rejection.ts'

const ObjectName = Claim.shape.object

export async function getEnvelope(c: AppContext): Promise<Response> {
  const name = ObjectName.safeParse(c.req.param('object'))
  if (!name.success) return refuse(c, badName)
  const object = await c.get('services').envelopes.get(name.data)
  if (!object) return refuse(c, { reason: 'envelope_not_found', object: name.data })
  const headers = { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' }
  return new Response(object.body.pipeThrough(new FixedLengthStream(object.size)), { headers })
}

/** Repeatable: an object that is gone is as good as deleted. */
export async function deleteEnvelope(c: AppContext): Promise<Response> {
  const name = ObjectName.safeParse(c.req.param('object'))
  if (!name.success) return refuse(c, badName)
  await c.get('services').envelopes.delete(name.data)
  return new Response(null, { status: 204 })
}

const badName: Rejection = {
  reason: 'invalid_value',
  path: 'object',
  problem: 'an envelope id, a dash and a SHA-256 in hex are expected.',
}
