/** Signs as a client does; written from Tencent's description of TC3 and of signature v1, with nothing of the verifier. */
import { SECRET_ID, SECRET_KEY } from './captures.ts'

export const NOW_SECONDS = 1_704_790_596

const HOST = 'edgehub.test'

export interface CallOptions {
  secretId?: string
  secretKey?: string
  timestamp?: number
  contentType?: string
  /** What stands in the request, as X-TC-Content-SHA256, and is signed in the place of the body. */
  unsignedPayload?: boolean
  /** After signing: undefined removes a header. */
  headers?: Record<string, string | undefined>
}

/** A signed SendMessage with this body. */
export async function signedCall(
  body: string | Uint8Array<ArrayBuffer>,
  options: CallOptions = {},
): Promise<Request> {
  const bytes = typeof body === 'string' ? utf8(body) : body
  return signedTc3('POST', '', bytes, { contentType: 'application/json', ...options })
}

/** A signed SendMessage with these parameters in its query, by TC3. The text is not encoded here. */
export async function signedQuery(rawQuery: string, options: CallOptions = {}): Promise<Request> {
  const contentType = 'application/x-www-form-urlencoded'
  return signedTc3('GET', rawQuery, new Uint8Array(), { contentType, ...options })
}

async function signedTc3(
  method: 'GET' | 'POST',
  rawQuery: string,
  body: Uint8Array<ArrayBuffer>,
  options: CallOptions & { contentType: string },
): Promise<Request> {
  const { secretId = SECRET_ID, secretKey = SECRET_KEY, timestamp = NOW_SECONDS } = options
  const { contentType, unsignedPayload = false } = options
  const date = new Date(timestamp * 1000).toISOString().slice(0, 10)
  const scope = `${date}/ckafka/tc3_request`
  const signedHeaders = 'content-type;host'
  const payload = unsignedPayload ? utf8('UNSIGNED-PAYLOAD') : body
  const canonical = `${method}\n/\n${rawQuery}\ncontent-type:${contentType}\nhost:${HOST}\n\n${signedHeaders}\n${await sha256(payload)}`
  const text = `TC3-HMAC-SHA256\n${timestamp}\n${scope}\n${await sha256(utf8(canonical))}`
  let key: Uint8Array<ArrayBuffer> = utf8(`TC3${secretKey}`)
  for (const part of scope.split('/')) key = await hmac(key, part, 'SHA-256')
  const signature = hex(await hmac(key, text, 'SHA-256'))

  const headers = new Headers({
    Host: HOST,
    'Content-Type': contentType,
    'X-TC-Action': 'SendMessage',
    'X-TC-Version': '2019-08-19',
    'X-TC-Timestamp': String(timestamp),
    ...(unsignedPayload && { 'X-TC-Content-SHA256': 'UNSIGNED-PAYLOAD' }),
    Authorization: `TC3-HMAC-SHA256 Credential=${secretId}/${scope}, SignedHeaders=${signedHeaders}, Signature=${signature}`,
  })
  change(headers, options.headers)
  const url = `https://${HOST}/${rawQuery === '' ? '' : `?${rawQuery}`}`
  return new Request(url, { method, headers, ...(method === 'POST' && { body }) })
}

export interface V1Options {
  method?: 'GET' | 'POST'
  signatureMethod?: string
  secretId?: string
  secretKey?: string
  timestamp?: number
  action?: string
  /** Common parameters besides the required ones; undefined removes one. Signed. */
  common?: Record<string, string | undefined>
  /** Changes the signature's text before it is sent. */
  garble?: (signature: string) => string
  headers?: Record<string, string | undefined>
}

/** A call signed with v1 (HmacSHA1, or HmacSHA256), with these parameters of its own, by their flattened names. */
export async function signedV1Call(
  parameters: Record<string, string>,
  options: V1Options = {},
): Promise<Request> {
  const { method = 'POST', signatureMethod = 'HmacSHA256', secretKey = SECRET_KEY } = options
  const given = {
    ...parameters,
    Action: options.action ?? 'SendMessage',
    Version: '2019-08-19',
    Region: 'ap-guangzhou',
    Timestamp: String(options.timestamp ?? NOW_SECONDS),
    Nonce: '11886',
    SecretId: options.secretId ?? SECRET_ID,
    SignatureMethod: signatureMethod,
    ...options.common,
  }
  const pairs = Object.entries(given).filter(
    (pair): pair is [string, string] => pair[1] !== undefined,
  )
  const sorted = pairs.map(([name, text]) => ({ name, text, bytes: hex(utf8(name)) }))
  // Hexadecimal keeps the order of the bytes.
  sorted.sort((a, b) => (a.bytes < b.bytes ? -1 : 1))
  const signed = `${method}${HOST}/?${sorted.map(({ name, text }) => `${name}=${text}`).join('&')}`
  const hash = signatureMethod === 'HmacSHA256' ? 'SHA-256' : 'SHA-1'
  const mac = await hmac(utf8(secretKey), signed, hash)
  const signature = btoa(String.fromCharCode(...mac))
  const all = [...pairs, ['Signature', options.garble?.(signature) ?? signature]]
  const text = all.map((pair) => pair.map(encodeURIComponent).join('=')).join('&')

  const headers = new Headers({ Host: HOST })
  if (method === 'POST') headers.set('Content-Type', 'application/x-www-form-urlencoded')
  change(headers, options.headers)
  return method === 'GET'
    ? new Request(`https://${HOST}/?${text}`, { headers })
    : new Request(`https://${HOST}/`, { method, headers, body: text })
}

function change(headers: Headers, changes: Record<string, string | undefined> = {}): void {
  for (const [name, value] of Object.entries(changes)) {
    if (value === undefined) headers.delete(name)
    else headers.set(name, value)
  }
}

function utf8(text: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new TextEncoder().encode(text))
}

async function hmac(
  key: Uint8Array<ArrayBuffer>,
  text: string,
  hash: 'SHA-1' | 'SHA-256',
): Promise<Uint8Array<ArrayBuffer>> {
  const imported = await crypto.subtle.importKey('raw', key, { name: 'HMAC', hash }, false, [
    'sign',
  ])
  return new Uint8Array(await crypto.subtle.sign('HMAC', imported, utf8(text)))
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return hex(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)))
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
