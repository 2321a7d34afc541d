/**
 * What an idempotency key makes of a POST: the envelope's id is a function of the key, so the same POST repeated is the same envelope
 * wherever it goes, and a digest tells whether the body is the same too. Pure. The form of a key is the caller's to check: no part may
 * hold a NUL, which separates them.
 */
import { ENVELOPE_ID_BYTES, envelopeIdOf, type EnvelopeId } from './envelope-id.ts'
import type { BodyDigest } from './envelope.ts'

const DIGEST_BYTES = 4

export interface KeySpace {
  datahub: string
  /** Whose keys: `api` for calls with a secret, the id of a write key for beacons, so that a page can't take a back end's keys. */
  scope: string
}

/** First 12 bytes of SHA-256(datahub ‖ 0x00 ‖ scope ‖ 0x00 ‖ key). */
export async function keyedEnvelopeId(
  { datahub, scope }: KeySpace,
  key: string,
): Promise<EnvelopeId> {
  const name = new TextEncoder().encode([datahub, scope, key].join('\0'))
  return envelopeIdOf((await sha256(name)).subarray(0, ENVELOPE_ID_BYTES))
}

/** Of the raw body, as the client sent it: the same JSON written in another way is another body. */
export async function bodyDigestOf(body: Uint8Array<ArrayBuffer>): Promise<BodyDigest> {
  const digest = (await sha256(body)).subarray(0, DIGEST_BYTES)
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** What the two runtimes take has two names. */
type Hashable = Parameters<typeof crypto.subtle.digest>[1]

async function sha256(bytes: Hashable): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))
}
