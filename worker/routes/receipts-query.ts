/** `POST /v1/receipts/query`: up to 100 receipts at once, answered in order. One forged receipt refuses the query, by its place. */
import { answer, refuse, type AppContext } from '../context.ts'
import { readJsonAs } from '../parse.ts'
import { viewReceipt } from '../status/receipt-view.ts'
import { ReceiptsQuery } from '../status/receipts-query-form.ts'

const MAX_QUERY_BYTES = 16_384

export async function queryReceipts(c: AppContext): Promise<Response> {
  const { openReceipt, status, now } = c.get('services')
  const query = await readJsonAs(c.req.raw, MAX_QUERY_BYTES, ReceiptsQuery)
  if (query.status === 'rejected') return refuse(c, query.rejection)

  const opened = await Promise.all(
    query.value.receipts.map(async (receipt) => ({ receipt, fields: await openReceipt(receipt) })),
  )
  const genuine = opened.flatMap(({ receipt, fields }) => (fields ? [{ receipt, fields }] : []))
  const forged = opened.findIndex(({ fields }) => !fields)
  if (forged >= 0) {
    const problem = 'this is no receipt of ours.'
    return refuse(c, { reason: 'invalid_value', path: `receipts.${forged}`, problem })
  }
  const outcomes = await status.find([...new Set(genuine.map(({ fields }) => fields.id))])
  const receipts = genuine.map(({ receipt, fields }) =>
    viewReceipt(receipt, fields, outcomes.get(fields.id), now()),
  )
  return answer(200, { receipts })
}
