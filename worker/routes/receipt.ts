/**
 * `GET /v1/receipts/{receipt}?wait=n`: what became of the reports. A forged receipt touches no storage. A wait is one call to the status
 * shard, however long.
 */
import { answer, refuse, type AppContext } from '../context.ts'
import { requestedWait } from '../prefer.ts'
import { cacheControl, viewReceipt } from '../status/receipt-view.ts'

/** A relay looks at least once a second. */
const FRESH_MS = 2_000

export async function getReceipt(c: AppContext): Promise<Response> {
  const { openReceipt, status, wake, now } = c.get('services')
  const receipt = c.req.param('receipt') ?? ''
  const fields = await openReceipt(receipt)
  if (!fields) return refuse(c, { reason: 'receipt_not_valid' })
  const wait = requestedWait(c.req.query('wait'))
  if (wait.status === 'rejected') return refuse(c, wait.rejection)

  // An older one is not waiting for its relay's next look at the queue.
  if (wait.seconds > 0 && now() - fields.accepted < FRESH_MS) wake(fields.id)
  const view = viewReceipt(
    receipt,
    fields,
    await status.wait(fields.id, wait.seconds * 1_000),
    now(),
  )
  return answer(200, view, { 'Cache-Control': cacheControl(view) })
}
