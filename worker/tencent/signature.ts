/** What both signature methods share: the result of a check, the rule about time, and the keys that an isolate keeps. */

/** Tolerance each way, as Tencent Cloud API 3.0 describes its signatures. */
export const TIMESTAMP_TOLERANCE_SECONDS = 300

/** Keys that an isolate keeps for each method: one for each secret in use, with TC3 also for each day and service. */
const MAX_KEPT_KEYS = 256

export type SignatureProblem =
  /** `name` is where the time stood. */
  | { reason: 'timestamp_invalid'; name: 'X-TC-Timestamp' | 'Timestamp' }
  | { reason: 'expired'; requestSeconds: number; serverSeconds: number }
  /** The usual cause: a client that takes its local date. */
  | { reason: 'date_mismatch'; credentialDate: string; utcDate: string }
  /** `host` or `content-type` is not among SignedHeaders. */
  | { reason: 'header_not_signed'; header: string }
  /** A name among SignedHeaders that the request does not carry. */
  | { reason: 'signed_header_absent'; header: string }
  /** The client signed the text UNSIGNED-PAYLOAD in place of its body, which this deployment refuses. */
  | { reason: 'payload_not_signed' }
  /** The parameter `Signature` is not the base64 text of as many bytes as its method has. */
  | { reason: 'signature_malformed'; method: 'HmacSHA1' | 'HmacSHA256'; bytes: number }
  /** `tried` is for the server's log only: it tells a stranger which names this service answers to. */
  | { reason: 'signature_mismatch'; tried: readonly object[] }

export type SignatureCheck =
  | { status: 'verified' }
  | { status: 'refused'; problem: SignatureProblem }

export interface CheckOptions {
  /** More than one only while a secret is being rotated. */
  secretKeys: readonly string[]
  /** Unix ms. */
  now: number
  /** Names that clients may sign besides the Host header and Tencent's own. */
  hostAliases: readonly string[]
  /** Whether a TC3 signature may leave the body out. */
  unsignedPayload: 'allow' | 'refuse'
}

/** The request's time, Unix seconds; or what is wrong with it. */
export function timeOf(
  timestamp: string,
  name: 'X-TC-Timestamp' | 'Timestamp',
  now: number,
): number | SignatureProblem {
  if (!/^\d{1,11}$/.test(timestamp)) return { reason: 'timestamp_invalid', name }
  const requestSeconds = Number(timestamp)
  const serverSeconds = Math.floor(now / 1000)
  if (Math.abs(serverSeconds - requestSeconds) > TIMESTAMP_TOLERANCE_SECONDS) {
    return { reason: 'expired', requestSeconds, serverSeconds }
  }
  return requestSeconds
}

export interface KeptKeys {
  get: (name: string) => CryptoKey | undefined
  /** Only for a key that verified a signature: else nobody without a secret could be kept from pushing others out. */
  keep: (name: string, key: CryptoKey) => void
}

/** Keys of this isolate, the least recently added one dropped first. */
export function createKeptKeys(): KeptKeys {
  const keys = new Map<string, CryptoKey>()
  return {
    get: (name) => keys.get(name),
    keep(name, key) {
      const [oldest] = keys.keys()
      if (oldest !== undefined && keys.size >= MAX_KEPT_KEYS) keys.delete(oldest)
      keys.set(name, key)
    },
  }
}

export function importHmacKey(
  bytes: ArrayBuffer | Uint8Array,
  hash: 'SHA-1' | 'SHA-256',
): Promise<CryptoKey> {
  return crypto.subtle.importKey('raw', bytes, { name: 'HMAC', hash }, false, ['sign', 'verify'])
}

const encoder = new TextEncoder()
export const utf8 = (text: string): Uint8Array => encoder.encode(text)
