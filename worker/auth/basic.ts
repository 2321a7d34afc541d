/** `Authorization: Basic` (RFC 7617) → SecretId and SecretKey, or undefined. */
import { decodeUtf8 } from '../body.ts'

export interface BasicCredentials {
  secretId: string
  secretKey: string
}

/** undefined: no header, or not in the form of RFC 7617. */
export function parseBasic(header: string | undefined): BasicCredentials | undefined {
  const token = /^Basic +([A-Za-z0-9+/]{1,1024}={0,2})$/i.exec(header ?? '')?.[1]
  if (token === undefined) return undefined
  let bytes: Uint8Array
  try {
    bytes = Uint8Array.from(atob(token), (c) => c.charCodeAt(0))
  } catch {
    return undefined
  }
  const text = decodeUtf8(bytes)
  const colon = text?.indexOf(':') ?? -1
  // The user id ends at the first colon, a password may have more.
  return text === undefined || colon < 1
    ? undefined
    : { secretId: text.slice(0, colon), secretKey: text.slice(colon + 1) }
}
