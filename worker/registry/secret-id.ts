/**
 * SecretId: `AKID`, 20 random characters, 12 of a MAC over both. So a forged one is refused without a look-up, and guessing costs
 * nobody a Durable Object request. Minted and checked here only.
 */
import { equalBytes } from '../auth/equal.ts'
import { toHex } from '../hex.ts'
import { MIXED_ALPHABET, randomText, type RandomBytes } from './random-text.ts'

const RANDOM_LENGTH = 20
const MAC_LENGTH = 12

export async function mintSecretId(key: CryptoKey, randomBytes: RandomBytes): Promise<string> {
  const head = `AKID${randomText(MIXED_ALPHABET, RANDOM_LENGTH, randomBytes)}`
  return head + (await macOf(head, key))
}

/** Whether it was minted under this key; whether the credential still exists is for the registry to say. */
export async function isGenuineSecretId(secretId: string, key: CryptoKey): Promise<boolean> {
  if (!/^AKID[A-Za-z0-9]{20}[0-9a-f]{12}$/.test(secretId)) return false
  const head = secretId.slice(0, -MAC_LENGTH)
  const text = new TextEncoder()
  const expected = await macOf(head, key)
  return equalBytes(text.encode(expected), text.encode(secretId.slice(-MAC_LENGTH)))
}

async function macOf(head: string, key: CryptoKey): Promise<string> {
  const mac = await crypto.subtle.sign('HMAC', key, new TextEncoder().encode(head))
  return toHex(new Uint8Array(mac, 0, MAC_LENGTH / 2))
}
