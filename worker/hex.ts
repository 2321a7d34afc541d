/** Bytes as text: two lower-case hex digits each. */

export function toHex(bytes: Uint8Array): string {
  return bytes.toHex()
}

/** The SHA-256 of these bytes. */
export async function sha256Hex(bytes: Uint8Array): Promise<string> {
  return toHex(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)))
}
