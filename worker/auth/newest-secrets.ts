/**
 * A check of secrets against a credential from the cache, and once more against the stored one when it fails: secrets are rotated while
 * they are cached, and the new one is shown as one that works. Who knows a SecretId and no secret gets one look-up a second by it, in each
 * isolate. Knows no way of calling; what fits is the caller's to say.
 */
import { SOON_MS } from '../registry/ageing-cache.ts'
import type { Credential, Directory } from '../registry/directory.ts'

/**
 * The result for the credential that it is of. `isDoubtful`: whether newer secrets could make the result another one.
 * @throws UnavailableError when they can't be read: a secret that may be right is not called wrong
 */
export async function checkNewest<R>(
  credential: Credential,
  directory: Pick<Directory, 'findCredential'>,
  check: (credential: Credential) => Promise<R>,
  isDoubtful: (result: R) => boolean,
): Promise<{ credential: Credential; result: R }> {
  const result = await check(credential)
  if (!isDoubtful(result)) return { credential, result }
  const newest = await directory.findCredential(credential.secretId, SOON_MS)
  // A check of many candidates is not made twice for nothing.
  if (!newest || secretsOf(newest) === secretsOf(credential)) return { credential, result }
  return { credential: newest, result: await check(newest) }
}

function secretsOf({ secretKeys, sessionToken }: Credential): string {
  return JSON.stringify([secretKeys, sessionToken])
}
