/**
 * Secret keys at rest: AES-GCM, bound to their SecretId, so that a row's ciphertext means nothing in another row. A first byte names the
 * master key's version; there is one so far. The registry object never sees a plain secret: sealing and opening happen in the worker.
 */
const KEY_VERSION = 1
const IV_BYTES = 12

export async function sealSecret(
  secretKey: string,
  secretId: string,
  key: CryptoKey,
  randomBytes: (length: number) => Uint8Array<ArrayBuffer>,
): Promise<string> {
  const iv = randomBytes(IV_BYTES)
  const plain = new TextEncoder().encode(secretKey)
  const sealed = new Uint8Array(await crypto.subtle.encrypt(gcm(iv, secretId), key, plain))
  return btoa(String.fromCharCode(KEY_VERSION, ...iv, ...sealed))
}

/** @throws when it was sealed under another key or for another SecretId, or was changed */
export async function openSecret(
  sealed: string,
  secretId: string,
  key: CryptoKey,
): Promise<string> {
  const bytes = Uint8Array.from(atob(sealed), (c) => c.charCodeAt(0))
  if (bytes[0] !== KEY_VERSION) throw new Error(`unknown master key version ${bytes[0]}`)
  const iv = bytes.subarray(1, 1 + IV_BYTES)
  const plain = await crypto.subtle.decrypt(gcm(iv, secretId), key, bytes.subarray(1 + IV_BYTES))
  return new TextDecoder().decode(plain)
}

function gcm(iv: Uint8Array<ArrayBuffer>, secretId: string): SubtleCryptoEncryptAlgorithm {
  return { name: 'AES-GCM', iv, additionalData: new TextEncoder().encode(secretId) }
}
