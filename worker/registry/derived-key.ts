/** Keys derived from MASTER_KEY by HKDF (RFC 5869), one for each purpose, so that no two uses share a key. */

export type Purpose = 'secret-id mac v1' | 'secret-key encryption v1'

/** HMAC-SHA-256, for making MACs. */
export async function deriveMacKey(masterKey: string, purpose: Purpose): Promise<CryptoKey> {
  const algorithm = { name: 'HMAC', hash: 'SHA-256', length: 256 }
  return derive(masterKey, purpose, algorithm, ['sign'])
}

/** AES-GCM with 256 bits. */
export async function deriveEncryptionKey(masterKey: string, purpose: Purpose): Promise<CryptoKey> {
  return derive(masterKey, purpose, { name: 'AES-GCM', length: 256 }, ['encrypt', 'decrypt'])
}

async function derive(
  masterKey: string,
  purpose: Purpose,
  algorithm: SubtleCryptoImportKeyAlgorithm,
  usages: string[],
): Promise<CryptoKey> {
  const text = new TextEncoder()
  const master = await crypto.subtle.importKey('raw', text.encode(masterKey), 'HKDF', false, [
    'deriveKey',
  ])
  const hkdf = {
    name: 'HKDF',
    hash: 'SHA-256',
    salt: new Uint8Array(),
    info: text.encode(`edgehub ${purpose}`),
  }
  return crypto.subtle.deriveKey(hkdf, master, algorithm, false, usages)
}
