/**
 * Credentials in the control plane: draws ids and secrets and seals them before they leave. A secret is shown in the answer that made it
 * and never again.
 */
import { rejected } from '../../rejection.ts'
import type { DirectoryKeys } from '../cached-directory.ts'
import type { CredentialControl, Done, ManagedCredential } from '../control-plane.ts'
import type { DrawnCredential, Resealed, StoredCredential } from '../credentials-table.ts'
import { done } from '../done.ts'
import type { CredentialChanges } from '../forms.ts'
import { MIXED_ALPHABET, randomText } from '../random-text.ts'
import { mintSecretId } from '../secret-id.ts'
import { resealSecrets, sealSecret, tokenOwner } from '../secret-vault.ts'
import { nameOf, reached } from './reached.ts'

/** What it asks of the registry object. */
export interface CredentialRegistry {
  createCredential: (by: string, drawn: DrawnCredential) => Promise<Done<ManagedCredential>>
  readCredential: (by: string, secretId: string) => Promise<Done<ManagedCredential>>
  listCredentials: (by: string) => Promise<Done<ManagedCredential[]>>
  modifyCredential: (
    by: string,
    secretId: string,
    changes: CredentialChanges,
    ifRevision: number | undefined,
  ) => Promise<Done<ManagedCredential>>
  rotateCredential: (
    by: string,
    secretId: string,
    rotation: { sealedKey: string; keepMs: number },
    ifRevision: number | undefined,
  ) => Promise<Done<ManagedCredential>>
  deleteCredential: (
    by: string,
    secretId: string,
    ifRevision: number | undefined,
  ) => Promise<Done<ManagedCredential>>
  sealedCredentials: (by: string) => Promise<Done<StoredCredential[]>>
  resealCredentials: (by: string, resealed: readonly Resealed[]) => Promise<Done<number>>
}

export interface CredentialControlDeps {
  registry: CredentialRegistry
  keys: () => Promise<DirectoryKeys>
  randomBytes: (length: number) => Uint8Array<ArrayBuffer>
}

const SECRET_LENGTH = 32
const TOKEN_LENGTH = 64

export function createCredentialControl(deps: CredentialControlDeps): CredentialControl {
  const { registry, keys, randomBytes } = deps

  /** A new secret, plain and sealed. `owner` is what it opens for. */
  async function draw(length: number, owner: string): Promise<{ plain: string; sealed: string }> {
    const [key] = (await keys()).encryption
    const plain = randomText(MIXED_ALPHABET, length, randomBytes)
    return { plain, sealed: await sealSecret(plain, owner, key, randomBytes) }
  }

  return {
    async create(by, { name, scopes, datahubs, expires, sessionToken }) {
      const secretId = await mintSecretId((await keys()).mac, randomBytes)
      const secret = await draw(SECRET_LENGTH, secretId)
      const token = sessionToken ? await draw(TOKEN_LENGTH, tokenOwner(secretId)) : undefined
      const drawn: DrawnCredential = {
        ...{ secretId, name, expires },
        sealedKey: secret.sealed,
        sealedToken: token?.sealed,
        scopes: once(scopes),
        datahubs: once(datahubs),
      }
      const created = await reached(registry.createCredential(nameOf(by), drawn))
      if (created.status === 'rejected') return created
      const secrets = { secretKey: secret.plain, ...(token && { sessionToken: token.plain }) }
      return done({ credential: created.value, secrets })
    },

    find: (by, secretId) => reached(registry.readCredential(nameOf(by), secretId)),
    list: (by) => reached(registry.listCredentials(nameOf(by))),

    modify(by, secretId, { scopes, datahubs, ...plain }, guard) {
      const changes = {
        ...plain,
        ...(scopes && { scopes: once(scopes) }),
        ...(datahubs && { datahubs: once(datahubs) }),
      }
      return reached(registry.modifyCredential(nameOf(by), secretId, changes, guard?.ifRevision))
    },

    async rotate(by, secretId, { keepSeconds }, guard) {
      const { plain, sealed } = await draw(SECRET_LENGTH, secretId)
      const rotation = { sealedKey: sealed, keepMs: keepSeconds * 1_000 }
      const asked = registry.rotateCredential(nameOf(by), secretId, rotation, guard?.ifRevision)
      const rotated = await reached(asked)
      if (rotated.status === 'rejected') return rotated
      return done({ credential: rotated.value, secrets: { secretKey: plain } })
    },

    delete: (by, secretId, guard) =>
      reached(registry.deleteCredential(nameOf(by), secretId, guard?.ifRevision)),

    async reseal(by) {
      const { encryption } = await keys()
      let resealed = 0
      // A credential that is changed meanwhile is looked at once more.
      for (;;) {
        const all = await reached(registry.sealedCredentials(nameOf(by)))
        if (all.status === 'rejected') return all
        const total = all.value.length
        const made: Resealed[] = []
        const lost: string[] = []
        for (const { secretId, sealedKeys, sealedToken } of all.value) {
          const before = { sealedKeys, ...(sealedToken !== undefined && { sealedToken }) }
          try {
            const after = await resealSecrets(secretId, before, encryption, randomBytes)
            if (after) made.push({ secretId, before, after })
          } catch {
            lost.push(secretId)
          }
        }
        const put =
          made.length === 0 ? done(0) : await reached(registry.resealCredentials(nameOf(by), made))
        if (put.status === 'rejected') return put
        resealed += put.value
        if (put.value < made.length) continue
        if (lost.length === 0) return done({ resealed, total })
        const problem = `${resealed} of ${total} were sealed anew; the secrets of ${lost.join(', ')} open under neither key.`
        return rejected({ reason: 'conflict', problem })
      }
    },
  }
}

/** Whatever is listed twice. */
function once<T extends 'all' | readonly unknown[]>(list: T): T {
  return (list === 'all' ? list : [...new Set(list)]) as T
}
