/** Comparing secrets in constant time. */

/** Of equal length only; lengths are not secret. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && crypto.subtle.timingSafeEqual(a, b)
}

/** Of any length: hashed first, so that not even the length of the secret shows. */
export async function equalSecrets(a: string, b: string): Promise<boolean> {
  const text = new TextEncoder()
  const [x, y] = await Promise.all(
    [a, b].map((s) => crypto.subtle.digest('SHA-256', text.encode(s))),
  )
  return x !== undefined && y !== undefined && crypto.subtle.timingSafeEqual(x, y)
}
