/** The body of `POST /v1/receipts/query`. In a file of its own, so that the description of the interface can be made from it. */
import * as z from 'zod/mini'

const MAX_RECEIPTS = 100

export const ReceiptsQuery = z.strictObject({
  receipts: z.array(z.string()).check(z.minLength(1), z.maxLength(MAX_RECEIPTS)),
})
