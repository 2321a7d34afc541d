/**
 * The envelope: all reports of one POST as one queue message, JSON text. Large ones carry a claim on an object that holds the records.
 * The writer writes the newest version; the reader takes the current and the previous one and tells an unknown version from garbage,
 * because the first must wait for a newer relay and the second never heals.
 */
import * as z from 'zod/mini'
import { EnvelopeId } from './envelope-id.ts'
import { MAX_REPORTS } from './limits.ts'
import { DatahubId, TopicName } from './names.ts'
import { reader } from './reader.ts'

/** One report: at most one of `value` (text) and `base64` (bytes); neither is a null value. Header values are text. */
export const EnvelopeRecord = z.strictObject({
  key: z.optional(z.string()),
  value: z.optional(z.string()),
  base64: z.optional(z.base64()),
  headers: z.optional(z.record(z.string(), z.string())),
})
export type EnvelopeRecord = z.infer<typeof EnvelopeRecord>

export const EnvelopeRecords = z
  .array(EnvelopeRecord)
  .check(z.minLength(1), z.maxLength(MAX_REPORTS))
export type EnvelopeRecords = z.infer<typeof EnvelopeRecords>

/** First 4 bytes of the SHA-256 of a keyed POST's raw body, hex. */
export const BodyDigest = z.string().check(z.regex(/^[0-9a-f]{8}$/))
export type BodyDigest = z.infer<typeof BodyDigest>

/** Where the records of a large envelope are: the object is the UTF-8 JSON of an `EnvelopeRecords`, its name ends in its SHA-256. */
export const Claim = z.strictObject({
  object: z.string().check(z.regex(/^[A-Za-z0-9_-]{16}-[0-9a-f]{64}$/)),
  bytes: z.int().check(z.positive()),
  count: z.int().check(z.minimum(1), z.maximum(MAX_REPORTS)),
})
export type Claim = z.infer<typeof Claim>

const envelopeHead = {
  v: z.literal(1),
  id: EnvelopeId,
  datahub: DatahubId,
  topic: TopicName,
  /** When the edge accepted the POST, Unix ms. */
  received: z.int().check(z.positive()),
  /** Only with an idempotency key. */
  digest: z.optional(BodyDigest),
  /** The receipt for all its reports, so that a dead letter can name it. The client holds it only if the queue took the envelope. */
  receipt: z.optional(z.string().check(z.maxLength(64))),
  /** W3C trace context of the POST: https://www.w3.org/TR/trace-context/ */
  traceparent: z.optional(z.string().check(z.maxLength(128))),
}

export const Envelope = z.union([
  z.strictObject({ ...envelopeHead, records: EnvelopeRecords }),
  z.strictObject({ ...envelopeHead, claim: Claim }),
])
export type Envelope = z.infer<typeof Envelope>

export type DecodedEnvelope =
  | { status: 'ok'; envelope: Envelope }
  /** A version that this build does not know: not poison, a newer relay will read it. */
  | { status: 'unknown_version' }
  | { status: 'undecodable'; problem: string }

/** The text of its queue message. */
export function encodeEnvelope(envelope: Envelope): string {
  return JSON.stringify(envelope)
}

/** Total: never throws. */
export function decodeEnvelope(text: string): DecodedEnvelope {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    return { status: 'undecodable', problem: 'not JSON' }
  }
  const parsed = readable().safeParse(json)
  if (parsed.success) return { status: 'ok', envelope: parsed.data }
  if (Versioned.safeParse(json).success) return { status: 'unknown_version' }
  return { status: 'undecodable', problem: z.prettifyError(parsed.error) }
}

const readable = /* @__PURE__ */ reader(Envelope)

const Versioned = z.object({ v: z.int().check(z.minimum(2)) })

/** Reports in it, also where they are only claimed. */
export function recordCount(envelope: Envelope): number {
  return 'records' in envelope ? envelope.records.length : envelope.claim.count
}

/** The same records always have the same name. `sha256Hex` is of their bytes. */
export function claimObjectName(id: EnvelopeId, sha256Hex: string): string {
  return `${id}-${sha256Hex}`
}
