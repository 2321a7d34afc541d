/**
 * Verifies a TC3-HMAC-SHA256 signature over the raw request. It knows no actions, looks no credential up and reads
 * no clock: secrets and time are parameters.
 */
import { sha256Hex } from '../hex.ts'
import {
  createKeptKeys,
  importHmacKey,
  timeOf,
  utf8,
  type CheckOptions,
  type SignatureCheck,
  type SignatureProblem,
} from './signature.ts'
import type { SignedRequest } from './signed-request.ts'
import { TC3_ALGORITHM, TC3_TERMINATOR, type Tc3Authorization } from './tc3-authorization.ts'
import { candidatesOf, type Candidate } from './tc3-candidates.ts'

/** SHA-256 of the text `UNSIGNED-PAYLOAD`. The SDKs sign it in place of the body's hash, and not the text itself, as AWS does. */
const UNSIGNED_PAYLOAD_HASH = '438d4109ef0d676b8c2c7ed13cdfcb418e494d53b843d4634ce3b1085f07bb96'

/** By secret, day and service, because the client chooses the service. */
const derivedKeys = createKeptKeys()

/** Every refusal is a value; nothing that a client can send makes it throw. */
export async function checkTc3Signature(
  request: SignedRequest,
  authorization: Tc3Authorization,
  { secretKeys, now, hostAliases, unsignedPayload }: CheckOptions,
): Promise<SignatureCheck> {
  const timestamp = request.headers.get('x-tc-timestamp')?.trim() ?? ''
  const problem =
    timeProblem(timestamp, authorization.date, now) ??
    signedHeadersProblem(request.headers, authorization.signedHeaders)
  if (problem) return { status: 'refused', problem }

  const isUnsigned = request.headers.get('x-tc-content-sha256')?.trim() === 'UNSIGNED-PAYLOAD'
  const isBodyLeftOut = isUnsigned && unsignedPayload === 'allow'
  const payloadHash = isBodyLeftOut ? UNSIGNED_PAYLOAD_HASH : await sha256Hex(request.body)
  const tried = candidatesOf(request, authorization, hostAliases)
  const texts: Uint8Array[] = []
  for (const secretKey of secretKeys) {
    const keyName = JSON.stringify([secretKey, authorization.date, authorization.service])
    const kept = derivedKeys.get(keyName)
    const key = kept ?? (await deriveKey(secretKey, authorization))
    for (const [i, candidate] of tried.entries()) {
      texts[i] ??= await textOf(request, authorization, candidate, timestamp, payloadHash)
      // `verify` compares in constant time.
      if (await crypto.subtle.verify('HMAC', key, authorization.signature, texts[i])) {
        if (!kept) derivedKeys.keep(keyName, key)
        return { status: 'verified' }
      }
    }
  }
  const refused: SignatureProblem =
    isUnsigned && !isBodyLeftOut
      ? { reason: 'payload_not_signed' }
      : { reason: 'signature_mismatch', tried }
  return { status: 'refused', problem: refused }
}

function timeProblem(
  timestamp: string,
  credentialDate: string,
  now: number,
): SignatureProblem | undefined {
  const time = timeOf(timestamp, 'X-TC-Timestamp', now)
  if (typeof time !== 'number') return time
  const utcDate = new Date(time * 1000).toISOString().slice(0, 10)
  return credentialDate === utcDate
    ? undefined
    : { reason: 'date_mismatch', credentialDate, utcDate }
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

async function deriveKey(
  secretKey: string,
  { date, service }: Pick<Tc3Authorization, 'date' | 'service'>,
): Promise<CryptoKey> {
  let key = await importHmacKey(utf8(`TC3${secretKey}`), 'SHA-256')
  for (const text of [date, service, TC3_TERMINATOR]) {
    key = await importHmacKey(await crypto.subtle.sign('HMAC', key, utf8(text)), 'SHA-256')
  }
  return key
}
