/** The id of an envelope: 12 bytes, written as 16 base64url characters. Minted and parsed here only. */
import * as z from 'zod/mini'
import { fromBase64url, toBase64url } from './base64url.ts'

export const ENVELOPE_ID_BYTES = 12

export const EnvelopeId = z
  .string()
  .check(z.regex(/^[A-Za-z0-9_-]{16}$/))
  .brand<'EnvelopeId'>()
export type EnvelopeId = z.infer<typeof EnvelopeId>

/** @throws RangeError when there are not exactly 12 bytes */
export function envelopeIdOf(bytes: Uint8Array): EnvelopeId {
  if (bytes.length !== ENVELOPE_ID_BYTES) {
    throw new RangeError(`an envelope id has ${ENVELOPE_ID_BYTES} bytes, not ${bytes.length}`)
  }
  return toBase64url(bytes) as EnvelopeId
}

/** @throws RangeError for text that is no envelope id */
export function idBytes(id: EnvelopeId): Uint8Array<ArrayBuffer> {
  const bytes = fromBase64url(id, ENVELOPE_ID_BYTES)
  if (!bytes) throw new RangeError(`not an envelope id: ${id}`)
  return bytes
}
