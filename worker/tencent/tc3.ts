import { TC3_ALGORITHM, TC3_TERMINATOR, type Tc3Authorization } from './tc3-authorization.ts'
/**
 * Verifies a TC3-HMAC-SHA256 signature over the raw request. It knows no actions, looks no credential up and reads
 * no clock: secrets and time are parameters. The payload hash is always that of the body; `UNSIGNED-PAYLOAD` is refused, because
 * it would leave the messages themselves unprotected.
 */
import { candidatesOf, type Candidate, type SignedRequest } from './tc3-candidates.ts'

/** Tolerance each way, as Tencent Cloud API 3.0 describes signature v3. */
export const TIMESTAMP_TOLERANCE_SECONDS = 300

/** Derived keys that an isolate keeps: one for each secret, day and service in use. */
const MAX_DERIVED_KEYS = 256

export type SignatureProblem =
  | { reason: 'timestamp_invalid' }
  | { reason: 'expired'; requestSeconds: number; serverSeconds: number }
  /** The usual cause: a client that takes its local date. */
  | { reason: 'date_mismatch'; credentialDate: string; utcDate: string }
  /** `host` or `content-type` is not among SignedHeaders. */
  | { reason: 'header_not_signed'; header: string }
  /** A name among SignedHeaders that the request does not carry. */
  | { reason: 'signed_header_absent'; header: string }
  /** The client signed the text UNSIGNED-PAYLOAD in place of its body. */
  | { reason: 'payload_not_signed' }
  /** `tried` is for the server's log only: it tells a stranger which names this service answers to. */
  | { reason: 'signature_mismatch'; tried: readonly Candidate[] }

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
}

/** Every refusal is a value; nothing that a client can send makes it throw. */
export async function checkTc3Signature(
  request: SignedRequest,
  authorization: Tc3Authorization,
  { secretKeys, now, hostAliases }: CheckOptions,
): Promise<SignatureCheck> {
  const timestamp = request.headers.get('x-tc-timestamp')?.trim() ?? ''
  const problem =
    timestampProblem(timestamp, authorization.date, now) ??
    signedHeadersProblem(request.headers, authorization.signedHeaders)
  if (problem) return { status: 'refused', problem }

  const payloadHash = await sha256Hex(request.body)
  const tried = candidatesOf(request, authorization, hostAliases)
  const texts: Uint8Array[] = []
  for (const secretKey of secretKeys) {
    const cacheName = JSON.stringify([secretKey, authorization.date, authorization.service])
    const cached = derivedKeys.get(cacheName)
    const key = cached ?? (await deriveKey(secretKey, authorization))
    for (const [i, candidate] of tried.entries()) {
      texts[i] ??= await textOf(request, authorization, candidate, timestamp, payloadHash)
      // `verify` compares in constant time.
      if (await crypto.subtle.verify('HMAC', key, authorization.signature, texts[i])) {
        if (!cached) keep(cacheName, key)
        return { status: 'verified' }
      }
    }
  }
  const unsigned = request.headers.get('x-tc-content-sha256')?.trim() === 'UNSIGNED-PAYLOAD'
  return {
    status: 'refused',
    problem: unsigned ? { reason: 'payload_not_signed' } : { reason: 'signature_mismatch', tried },
  }
}

function timestampProblem(
  timestamp: string,
  credentialDate: string,
  now: number,
): SignatureProblem | undefined {
  if (!/^\d{1,11}$/.test(timestamp)) return { reason: 'timestamp_invalid' }
  const requestSeconds = Number(timestamp)
  const serverSeconds = Math.floor(now / 1000)
  if (Math.abs(serverSeconds - requestSeconds) > TIMESTAMP_TOLERANCE_SECONDS) {
    return { reason: 'expired', requestSeconds, serverSeconds }
  }
  const utcDate = new Date(requestSeconds * 1000).toISOString().slice(0, 10)
  if (credentialDate === utcDate) return undefined
  return { reason: 'date_mismatch', credentialDate, utcDate }
}

function signedHeadersProblem(
  headers: Headers,
  signedHeaders: readonly string[],
): SignatureProblem | undefined {
  for (const header of ['host', 'content-type']) {
    if (!signedHeaders.includes(header)) return { reason: 'header_not_signed', header }
  }
  for (const header of signedHeaders) {
    if (!headers.has(header)) return { reason: 'signed_header_absent', header }
  }
  return undefined
}

/** As Tencent Cloud API 3.0 describes signature v3. A POST's query is not part of it, so nothing may be read from a POST's query. */
export function canonicalRequest(
  request: Pick<SignedRequest, 'method' | 'rawQuery' | 'headers'>,
  signedHeaders: readonly string[],
  { host, uri, contentType, lowerCase }: Candidate,
  payloadHash: string,
): string {
  const lines = signedHeaders.map((name) => {
    if (name === 'host') return `host:${host}\n`
    if (name === 'content-type') return `content-type:${contentType}\n`
    const value = request.headers.get(name)?.trim() ?? ''
    return `${name}:${lowerCase ? value.toLowerCase() : value}\n`
  })
  const query = request.method === 'GET' ? request.rawQuery : ''
  return [request.method, uri, query, lines.join(''), signedHeaders.join(';'), payloadHash].join(
    '\n',
  )
}

/** As in Tencent's description of TC3. The timestamp is the header's text: `0123` and `123` are different texts. */
export function stringToSign(
  timestamp: string,
  { date, service }: Pick<Tc3Authorization, 'date' | 'service'>,
  canonicalHash: string,
): string {
  return [TC3_ALGORITHM, timestamp, `${date}/${service}/${TC3_TERMINATOR}`, canonicalHash].join(
    '\n',
  )
}

async function textOf(
  request: SignedRequest,
  authorization: Tc3Authorization,
  candidate: Candidate,
  timestamp: string,
  payloadHash: string,
): Promise<Uint8Array> {
  const { signedHeaders } = authorization
  const canonical = canonicalRequest(request, signedHeaders, candidate, payloadHash)
  return utf8(stringToSign(timestamp, authorization, await sha256Hex(utf8(canonical))))
}

/**
 * Derived keys of this isolate, the least recently added one dropped first. The client chooses the service, so only a key that verified
 * a signature gets in: nobody without the secret can push others out.
 */
const derivedKeys = new Map<string, CryptoKey>()

function keep(cacheName: string, key: CryptoKey): void {
  const [oldest] = derivedKeys.keys()
  if (oldest !== undefined && derivedKeys.size >= MAX_DERIVED_KEYS) derivedKeys.delete(oldest)
  derivedKeys.set(cacheName, key)
}

async function deriveKey(
  secretKey: string,
  { date, service }: Pick<Tc3Authorization, 'date' | 'service'>,
): Promise<CryptoKey> {
  let key = await importKey(utf8(`TC3${secretKey}`))
  for (const text of [date, service, TC3_TERMINATOR]) {
    key = await importKey(await crypto.subtle.sign('HMAC', key, utf8(text)))
  }
  return key
}

function importKey(bytes: ArrayBuffer | Uint8Array): Promise<CryptoKey> {
  const algorithm = { name: 'HMAC', hash: 'SHA-256' }
  return crypto.subtle.importKey('raw', bytes, algorithm, false, ['sign', 'verify'])
}

export async function sha256Hex(bytes: Uint8Array): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

const encoder = new TextEncoder()
const utf8 = (text: string): Uint8Array => encoder.encode(text)
