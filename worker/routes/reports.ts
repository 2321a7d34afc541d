/**
 * `POST /v1/datahubs/{datahub}/reports`: checked whole, accepted whole, answered with a receipt. With `Prefer: wait=n` the answer is held
 * for the outcome; when that does not come in time, the reports are queued all the same, and the answer says so.
 */
import { MAX_BODY_BYTES } from '#contract'
import { answer, refuse, type AppContext } from '../context.ts'
import { readJson } from '../parse.ts'
import { preferredWait } from '../prefer.ts'
import { mayUse } from '../registry/directory.ts'
import { parseReports } from '../report-body.ts'
import { outcomeOf } from '../services.ts'
import { viewReceipt } from '../status/receipt-view.ts'
import { validTraceparent } from '../trace-context.ts'

export async function postReports(c: AppContext): Promise<Response> {
  const services = c.get('services')
  const credential = c.get('credential')
  const { headers } = c.req.raw

  if (!credential.scopes.includes('send')) {
    return refuse(c, { reason: 'forbidden', problem: 'The credential has no scope send.' })
  }
  if (headers.has('Idempotency-Key')) {
    // Ignoring it would promise what is not kept.
    const problem = 'idempotency keys are not supported yet.'
    return refuse(c, { reason: 'invalid_header', header: 'Idempotency-Key', problem })
  }
  const json = await readJson(c.req.raw, MAX_BODY_BYTES)
  if (json.status === 'rejected') return refuse(c, json.rejection)
  const parsed = parseReports(json.value)
  if (parsed.status === 'rejected') return refuse(c, parsed.rejection)

  // A datahub that the credential does not list is answered like one that does not exist.
  const datahub = c.req.param('datahub') ?? ''
  const task = mayUse(credential, 'send', datahub)
    ? await services.directory.findTask(datahub)
    : undefined
  if (!task) return refuse(c, { reason: 'datahub_not_found', datahub })

  const traceparent = validTraceparent(headers.get('traceparent'))
  const { records } = parsed
  const accepted = await services.accept({ task, records, ...(traceparent && { traceparent }) })
  if (accepted.status === 'rejected') return refuse(c, accepted.rejection)

  const { receipt, count, id, received } = accepted
  const wait = preferredWait(headers.get('Prefer'))
  const outcome = wait > 0 ? await outcomeOf(services, accepted, wait * 1_000) : undefined
  const location = { Location: `/v1/receipts/${receipt}` }
  if (!outcome) return answer(202, { receipt, count, status: 'queued' }, location)
  const fields = { accepted: received, id, index: 0, count }
  const view = viewReceipt(receipt, fields, outcome, services.now())
  return answer(200, view, { ...location, 'Preference-Applied': `wait=${wait}` })
}
