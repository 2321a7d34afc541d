/** Signs what is given, well-formed or not, as the SDKs do: TC3 over the bytes, v1 over the decoded parameters. */
import { utf8 } from './values.ts'
import type { Caller } from './world.ts'

export const HOST = 'edgehub.test'
export const VERSION = '2019-08-19'

export type Pairs = readonly (readonly [name: string, value: string])[]

interface Tc3 {
  method: 'GET' | 'POST'
  /** As it is sent; '' for a POST. */
  rawQuery: string
  body: Uint8Array<ArrayBuffer>
  contentType: string
  unsignedPayload: boolean
}

/** The headers of the call. */
export async function tc3Headers(
  caller: Caller,
  action: string,
  request: Tc3,
): Promise<Record<string, string>> {
  const timestamp = String(Math.floor(Date.now() / 1000))
  const scope = `${new Date().toISOString().slice(0, 10)}/ckafka/tc3_request`
  const { method, rawQuery, body, contentType, unsignedPayload } = request
  const payload = unsignedPayload ? utf8('UNSIGNED-PAYLOAD') : body
  const canonical = [
    ...[
      method,
      '/',
      rawQuery,
      `content-type:${contentType}`,
      `host:${HOST}`,
      '',
      'content-type;host',
    ],
    hex(await sha256(payload)),
  ].join('\n')
  const text = `TC3-HMAC-SHA256\n${timestamp}\n${scope}\n${hex(await sha256(utf8(canonical)))}`
  let key = utf8(`TC3${caller.secretKey}`)
  for (const part of scope.split('/')) key = await hmac('SHA-256', key, utf8(part))
  const signature = hex(await hmac('SHA-256', key, utf8(text)))
  return {
    host: HOST,
    'content-type': contentType,
    'x-tc-action': action,
    'x-tc-version': VERSION,
    'x-tc-timestamp': timestamp,
    'x-tc-region': 'ap-guangzhou',
    ...(caller.sessionToken !== undefined && { 'x-tc-token': caller.sessionToken }),
    ...(unsignedPayload && { 'x-tc-content-sha256': 'UNSIGNED-PAYLOAD' }),
    authorization: `TC3-HMAC-SHA256 Credential=${caller.secretId}/${scope}, SignedHeaders=content-type;host, Signature=${signature}`,
  }
}

/** All parameters of the call, the signature among them. */
export async function v1Pairs(
  caller: Caller,
  action: string,
  { method, pairs, sha1 }: { method: 'GET' | 'POST'; pairs: Pairs; sha1: boolean },
): Promise<[string, string][]> {
  const all: [string, string][] = [
    ...pairs.map(([name, value]): [string, string] => [name.toWellFormed(), value.toWellFormed()]),
    ['Action', action],
    ['Version', VERSION],
    ['Region', 'ap-guangzhou'],
    ['Timestamp', String(Math.floor(Date.now() / 1000))],
    ['Nonce', '11886'],
    ['SecretId', caller.secretId],
    ['SignatureMethod', sha1 ? 'HmacSHA1' : 'HmacSHA256'],
    ...(caller.sessionToken === undefined
      ? []
      : [['Token', caller.sessionToken] as [string, string]]),
  ]
  const sorted = all.toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
  const text = `${method}${HOST}/?${sorted.map(([name, value]) => `${name}=${value}`).join('&')}`
  const mac = await hmac(sha1 ? 'SHA-1' : 'SHA-256', utf8(caller.secretKey), utf8(text))
  return [...all, ['Signature', btoa(String.fromCharCode(...mac))]]
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))
}

async function hmac(
  hash: 'SHA-1' | 'SHA-256',
  key: Uint8Array<ArrayBuffer>,
  bytes: Uint8Array<ArrayBuffer>,
): Promise<Uint8Array<ArrayBuffer>> {
  const imported = await crypto.subtle.importKey('raw', key, { name: 'HMAC', hash }, false, [
    'sign',
  ])
  return new Uint8Array(await crypto.subtle.sign('HMAC', imported, bytes))
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
