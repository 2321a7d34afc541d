/**
 * Secrets at rest: AES-GCM, bound to whose they are, so that a row's ciphertext means nothing in another row. A first byte names the form;
 * there is one so far. Of several keys the first one seals and all of them open: which one sealed shows only in trying. The registry object
 * never sees a plain secret: sealing and opening happen in the worker.
 */
import type { SealedSecrets } from './credentials-table.ts'

/** The first one seals, all of them open. */
export type VaultKeys = readonly [CryptoKey, ...CryptoKey[]]

const FORM = 1
const IV_BYTES = 12

/** What a session token opens for: not what the credential's secrets open for. */
export const tokenOwner = (secretId: string): string => `${secretId} token`

/** `owner` is a SecretId, or its `tokenOwner`. */
export async function sealSecret(
  secret: string,
  owner: string,
  key: CryptoKey,
  randomBytes: (length: number) => Uint8Array<ArrayBuffer>,
): Promise<string> {
  const iv = randomBytes(IV_BYTES)
  const plain = new TextEncoder().encode(secret)
  const sealed = new Uint8Array(await crypto.subtle.encrypt(gcm(iv, owner), key, plain))
  return btoa(String.fromCharCode(FORM, ...iv, ...sealed))
}

/** @throws when it was sealed under none of these keys, or for another owner, or was changed */
export async function openSecret(sealed: string, owner: string, keys: VaultKeys): Promise<string> {
  return (await open(sealed, owner, keys)).secret
}

/**
 * The same secrets under the first key; undefined when all of them are sealed under it already.
 * @throws when one of them opens under no key
 */
export async function resealSecrets(
  secretId: string,
  { sealedKeys, sealedToken }: SealedSecrets,
  keys: VaultKeys,
  randomBytes: (length: number) => Uint8Array<ArrayBuffer>,
): Promise<SealedSecrets | undefined> {
  let isChanged = false
  async function renewed(sealed: string, owner: string): Promise<string> {
    const { secret, by } = await open(sealed, owner, keys)
    if (by === keys[0]) return sealed
    isChanged = true
    return sealSecret(secret, owner, keys[0], randomBytes)
  }
  const secrets: SealedSecrets = {
    sealedKeys: await Promise.all(
      sealedKeys.map(async (key) => ({ ...key, sealed: await renewed(key.sealed, secretId) })),
    ),
    ...(sealedToken !== undefined && {
      sealedToken: await renewed(sealedToken, tokenOwner(secretId)),
    }),
  }
  return isChanged ? secrets : undefined
}

async function open(
  sealed: string,
  owner: string,
  keys: VaultKeys,
): Promise<{ secret: string; by: CryptoKey }> {
  const bytes = Uint8Array.from(atob(sealed), (c) => c.charCodeAt(0))
  if (bytes[0] !== FORM) throw new Error(`a sealed secret of an unknown form: ${bytes[0]}`)
  const iv = bytes.subarray(1, 1 + IV_BYTES)
  for (const by of keys) {
    try {
      const plain = await crypto.subtle.decrypt(gcm(iv, owner), by, bytes.subarray(1 + IV_BYTES))
      return { secret: new TextDecoder().decode(plain), by }
    } catch {
      // Not this one.
    }
  }
  throw new Error('a sealed secret opens under no key')
}

function gcm(iv: Uint8Array<ArrayBuffer>, owner: string): SubtleCryptoEncryptAlgorithm {
  return { name: 'AES-GCM', iv, additionalData: new TextEncoder().encode(owner) }
}
