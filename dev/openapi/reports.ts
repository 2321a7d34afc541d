/**
 * The form of a POST of reports, for the description. The worker's own parser (worker/report-body.ts) is written out, because it names every
 * place and counts bytes on the way; a test holds the two together. What no schema can say is left to it: sums of bytes, numbers beyond
 * 2^53 in `json`, and its depth.
 */
import * as z from 'zod/mini'
import { MAX_REPORT_HEADERS, MAX_REPORTS } from '#contract'

const Text = z.string().check(z.refine((text) => text.isWellFormed()))

/** Padded, standard alphabet, without surplus bits (RFC 4648 sections 3.2, 3.5 and 4). */
const Base64 = z
  .string()
  .check(
    z.regex(
      /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$/,
    ),
  )

const Headers = z
  .record(Text.check(z.regex(/^(?!edgehub-|__proto__$)[\s\S]+$/)), Text)
  .check(z.refine((headers) => Object.keys(headers).length <= MAX_REPORT_HEADERS))
// What a refinement says does not get into the description by itself.
Headers.register(z.globalRegistry, { maxProperties: MAX_REPORT_HEADERS })

const rest = { key: z.optional(Text), headers: z.optional(Headers) }

export const Report = z.union([
  z.strictObject({ ...rest, value: Text }),
  z.strictObject({ ...rest, json: z.unknown() }),
  z.strictObject({ ...rest, base64: Base64 }),
  z.strictObject(rest),
])

export const Reports = z.strictObject({
  reports: z.array(Report).check(z.minLength(1), z.maxLength(MAX_REPORTS)),
})
