/**
 * Reads the `Authorization` header of a TC3 request. Pure: it looks nothing up and checks no signature; it only
 * refuses text that is not in Tencent's form. Blanks around the parts and their order are free, everything else is strict.
 */

export const TC3_ALGORITHM = 'TC3-HMAC-SHA256'
export const TC3_TERMINATOR = 'tc3_request'

/** More names than any client signs; each costs a header look-up in every canonical request. */
const MAX_SIGNED_HEADERS = 32

export interface Tc3Authorization {
  secretId: string
  /** `yyyy-mm-dd` as the client wrote it. */
  date: string
  /** Whatever the client derived from its endpoint: `ckafka`, `127`, `localhost:18180`. */
  service: string
  /** Lower-case names in the client's order, which is the order of the canonical request. */
  signedHeaders: readonly string[]
  /** 32 bytes. */
  signature: Uint8Array<ArrayBuffer>
}

/** undefined: not in the documented form. Total: never throws. */
export function parseTc3Authorization(header: string): Tc3Authorization | undefined {
  const text = header.trim()
  if (!/^TC3-HMAC-SHA256[ \t]/.test(text)) return undefined
  const parts = new Map<string, string>()
  for (const part of text.slice(TC3_ALGORITHM.length).split(',')) {
    const [, name = '', value = ''] =
      /^(Credential|SignedHeaders|Signature)=(.+)$/.exec(part.trim()) ?? []
    if (name === '' || parts.has(name)) return undefined
    parts.set(name, value)
  }
  const credential = parseCredential(parts.get('Credential') ?? '')
  const signedHeaders = (parts.get('SignedHeaders') ?? '').split(';')
  const signature = parts.get('Signature') ?? ''
  if (!credential || signedHeaders.length > MAX_SIGNED_HEADERS) return undefined
  if (!signedHeaders.every((name) => /^[a-z0-9_-]+$/.test(name))) return undefined
  if (!/^[0-9a-f]{64}$/.test(signature)) return undefined
  return { ...credential, signedHeaders, signature: fromHex(signature) }
}

/** From both ends: a service may hold `:` and even `/`, a SecretId and a date may not. */
function parseCredential(
  text: string,
): Pick<Tc3Authorization, 'secretId' | 'date' | 'service'> | undefined {
  const [secretId = '', date = '', ...rest] = text.split('/')
  const terminator = rest.pop()
  const service = rest.join('/')
  if (secretId === '' || !/^\d{4}-\d{2}-\d{2}$/.test(date)) return undefined
  if (service === '' || terminator !== TC3_TERMINATOR) return undefined
  return { secretId, date, service }
}

function fromHex(hex: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: hex.length / 2 }, (_, i) =>
    Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16),
  )
}
