/**
 * `POST /v1/datahubs/{datahub}/reports`: checked whole, accepted whole, answered with a receipt. With `Prefer: wait=n` the answer is held
 * for the outcome; when that does not come in time, the reports are queued all the same, and the answer says so.
 *
 * With an `Idempotency-Key` the id of the envelope follows from the key. A key that has its outcome is answered with it, and nothing is
 * queued. One that has none is queued, even if it is queued already: the relay stores an id once.
 */
import { bodyDigestOf, keyedEnvelopeId, MAX_BODY_BYTES, type Outcome } from '#contract'
import type { KeyedPost } from '../accept.ts'
import { answer, refuse, type AppContext } from '../context.ts'
import { parseIdempotencyKey } from '../idempotency-key.ts'
import { readJson } from '../parse.ts'
import { preferredWait } from '../prefer.ts'
import { SENDS_PER_SECOND, takeSend } from '../rate-limit.ts'
import { mayUse } from '../registry/directory.ts'
import { parseReports } from '../report-body.ts'
import { outcomeOf, settledOutcome } from '../services.ts'
import { receiptFieldsOf, sameDigest, viewReceipt } from '../status/receipt-view.ts'
import { validTraceparent } from '../trace-context.ts'

/** Callers with a secret share one space of keys in each datahub. */
const KEY_SCOPE = 'api'

export async function postReports(c: AppContext): Promise<Response> {
  const services = c.get('services')
  const credential = c.get('credential')
  const { headers } = c.req.raw

  if (!credential.scopes.includes('send')) {
    return refuse(c, { reason: 'forbidden', problem: 'The credential has no scope send.' })
  }
  if (!takeSend(services.rateLimit, credential)) {
    return refuse(c, { reason: 'rate_limited', perSecond: SENDS_PER_SECOND })
  }
  const key = parseIdempotencyKey(headers.get('Idempotency-Key'))
  if (key.status === 'rejected') return refuse(c, key.rejection)
  const body = await readJson(c.req.raw, MAX_BODY_BYTES)
  if (body.status === 'rejected') return refuse(c, body.rejection)
  const parsed = parseReports(body.value.json)
  if (parsed.status === 'rejected') return refuse(c, parsed.rejection)

  // A datahub that the credential does not list is answered like one that does not exist.
  const datahub = c.req.param('datahub') ?? ''
  const task = mayUse(credential, 'send', datahub)
    ? await services.directory.findTask(datahub)
    : undefined
  if (!task) return refuse(c, { reason: 'datahub_not_found', datahub })

  let keyed: KeyedPost | undefined
  if (key.value !== undefined) {
    const id = await keyedEnvelopeId({ datahub, scope: KEY_SCOPE }, key.value)
    keyed = { id, digest: await bodyDigestOf(body.value.bytes) }
    // Before `accept`, which refuses for a task that does not run: what became of reports is told also when no more are taken.
    const outcome = await settledOutcome(services, id)
    if (outcome) return replay(c, keyed, outcome)
  }

  const traceparent = validTraceparent(headers.get('traceparent'))
  const { records } = parsed
  const accepted = await services.accept({
    task,
    records,
    path: 'reports',
    ...(keyed && { keyed }),
    ...(traceparent && { traceparent }),
  })
  if (accepted.status === 'rejected') return refuse(c, accepted.rejection)

  const { receipt, count, id, received, digest } = accepted
  const wait = preferredWait(headers.get('Prefer'))
  const outcome = wait > 0 ? await outcomeOf(services, accepted, wait * 1_000) : undefined
  const location = { Location: `/v1/receipts/${receipt}` }
  if (!outcome) return answer(202, { receipt, count, status: 'queued' }, location)
  const fields = { accepted: received, id, index: 0, count, ...(digest && { digest }) }
  // Another body was on its way under the same key, and won.
  if (!sameDigest(outcome, fields)) return refuse(c, { reason: 'idempotency_key_reused' })
  const view = viewReceipt(receipt, fields, outcome, services.now())
  return answer(200, view, { ...location, 'Preference-Applied': `wait=${wait}` })
}

/** The stored answer: what `GET` says for the receipt of the POST that was stored. A failure is as final as a delivery. */
async function replay(c: AppContext, keyed: KeyedPost, outcome: Outcome): Promise<Response> {
  if (!sameDigest(outcome, keyed)) return refuse(c, { reason: 'idempotency_key_reused' })
  const { receiptOf, now } = c.get('services')
  const fields = receiptFieldsOf(keyed.id, outcome)
  const receipt = await receiptOf(fields)
  const view = viewReceipt(receipt, fields, outcome, now())
  const location = `/v1/receipts/${receipt}`
  return answer(200, view, { Location: location, 'Idempotent-Replayed': 'true' })
}
