/** Signs as a client does; written from Tencent's description of TC3, with nothing of the verifier. */
import { SECRET_ID, SECRET_KEY } from './captures.ts'

export const NOW_SECONDS = 1_704_790_596

export interface CallOptions {
  secretId?: string
  secretKey?: string
  timestamp?: number
  contentType?: string
  /** After signing: undefined removes a header. */
  headers?: Record<string, string | undefined>
}

/** A signed SendMessage with this body. */
export async function signedCall(
  body: string | Uint8Array<ArrayBuffer>,
  options: CallOptions = {},
): Promise<Request> {
  const bytes = typeof body === 'string' ? utf8(body) : body
  const { secretId = SECRET_ID, secretKey = SECRET_KEY, timestamp = NOW_SECONDS } = options
  const contentType = options.contentType ?? 'application/json'
  const date = new Date(timestamp * 1000).toISOString().slice(0, 10)
  const scope = `${date}/ckafka/tc3_request`
  const signedHeaders = 'content-type;host'
  const canonical = `POST\n/\n\ncontent-type:${contentType}\nhost:edgehub.test\n\n${signedHeaders}\n${await sha256(bytes)}`
  const text = `TC3-HMAC-SHA256\n${timestamp}\n${scope}\n${await sha256(utf8(canonical))}`
  let key: Uint8Array<ArrayBuffer> = utf8(`TC3${secretKey}`)
  for (const part of scope.split('/')) key = await hmac(key, part)
  const signature = hex(await hmac(key, text))

  const headers = new Headers({
    Host: 'edgehub.test',
    'Content-Type': contentType,
    'X-TC-Action': 'SendMessage',
    'X-TC-Version': '2019-08-19',
    'X-TC-Timestamp': String(timestamp),
    Authorization: `TC3-HMAC-SHA256 Credential=${secretId}/${scope}, SignedHeaders=${signedHeaders}, Signature=${signature}`,
  })
  for (const [name, value] of Object.entries(options.headers ?? {})) {
    if (value === undefined) headers.delete(name)
    else headers.set(name, value)
  }
  return new Request('https://edgehub.test/', { method: 'POST', headers, body: bytes })
}

function utf8(text: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new TextEncoder().encode(text))
}

async function hmac(key: Uint8Array<ArrayBuffer>, text: string): Promise<Uint8Array<ArrayBuffer>> {
  const algorithm = { name: 'HMAC', hash: 'SHA-256' }
  const imported = await crypto.subtle.importKey('raw', key, algorithm, false, ['sign'])
  return new Uint8Array(await crypto.subtle.sign('HMAC', imported, utf8(text)))
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return hex(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)))
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
