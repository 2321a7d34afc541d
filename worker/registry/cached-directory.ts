/**
 * The directory over the registry object: forged SecretIds are refused by their MAC, the rest is cached for an isolate. A view belongs
 * to one request, because stubs and background work do; the cache behind it is shared.
 */
import { DatahubId } from '#contract'
import type { Log } from '../log.ts'
import { AgeingCache } from './ageing-cache.ts'
import { isOver, type StoredCredential } from './credentials-table.ts'
import type { Credential, Directory, Task } from './directory.ts'
import { isGenuineSecretId } from './secret-id.ts'
import { openSecret, tokenOwner, type VaultKeys } from './secret-vault.ts'

/** What the directory asks of the registry object. */
export interface RegistryReader {
  findTask: (datahub: string) => Promise<Task | null>
  findCredential: (secretId: string) => Promise<StoredCredential | null>
  taskTopics: () => Promise<[datahub: string, topic: string][]>
}

export interface DirectoryKeys {
  /** Of SecretIds. */
  mac: CryptoKey
  encryption: VaultKeys
}

export interface RequestScope {
  registry: RegistryReader
  keys: () => Promise<DirectoryKeys>
  waitUntil: (promise: Promise<unknown>) => void
}

/**
 * Of each kind, and the registry holds no more of either: what else is asked for is "not there", a few bytes. Worst case of an isolate:
 * 1,000 tasks with a schema of 24,000 bytes of JSON each, some 40 MB as objects, and 1,000 credentials that list 1,000 datahubs each, some
 * 40 MB, of the 128 MB that it has. Without either an entry is about 1 KB.
 */
const MAX_ENTRIES = 1_000

/** Opened, and what of it ends when: time goes on while it is cached. */
interface Opened extends Omit<Credential, 'secretKeys'> {
  keys: { secret: string; expires: number | undefined }[]
  /** Unix ms. */
  expires: number | undefined
}

export interface DirectoryCache {
  view: (scope: RequestScope) => Directory
}

export function createDirectoryCache(deps: { now: () => number; log: Log }): DirectoryCache {
  // One that takes no reports may soon do so, and whoever resumed or mended it sees that it runs, and sends.
  const isPassing = ({ status }: Task): boolean => status !== 1 && status !== 8
  const tasks = new AgeingCache<Task>({ ...deps, maxEntries: MAX_ENTRIES, isPassing })
  const topics = new AgeingCache<ReadonlyMap<string, string>>({ ...deps, maxEntries: 1 })
  const credentials = new AgeingCache<Opened>({ ...deps, maxEntries: MAX_ENTRIES })

  function view({ registry, keys, waitUntil }: RequestScope): Directory {
    return {
      async findTask(datahub) {
        if (!DatahubId.safeParse(datahub).success) return undefined
        const read = async (): Promise<Task | undefined> =>
          (await registry.findTask(datahub)) ?? undefined
        return tasks.get(datahub, read, waitUntil)
      },

      async topicsOf(datahubs) {
        const read = async () => new Map(await registry.taskTopics())
        const all = (await topics.get('all', read, waitUntil)) ?? new Map<string, string>()
        return new Set(
          datahubs === 'all' ? all.values() : datahubs.flatMap((d) => all.get(d) ?? []),
        )
      },

      async findCredential(secretId, notOlderThanMs) {
        // Only genuine ids come into the cache, so what is in it needs no second check.
        const known = credentials.has(secretId)
        if (!known && !(await isGenuineSecretId(secretId, (await keys()).mac))) return undefined
        const read = async (): Promise<Opened | undefined> => {
          const stored = await registry.findCredential(secretId)
          return stored && !stored.disabled ? open(stored, (await keys()).encryption) : undefined
        }
        const opened = await credentials.get(secretId, read, waitUntil, notOlderThanMs)
        return opened && liveAt(deps.now(), opened)
      },
    }
  }

  return { view }
}

async function open(stored: StoredCredential, keys: VaultKeys): Promise<Opened> {
  const { secretId, sealedKeys, sealedToken, scopes, datahubs, expires } = stored
  return {
    ...{ secretId, scopes, datahubs, expires },
    keys: await Promise.all(
      sealedKeys.map(async (key) => ({
        secret: await openSecret(key.sealed, secretId, keys),
        expires: key.expires,
      })),
    ),
    ...(sealedToken !== undefined && {
      sessionToken: await openSecret(sealedToken, tokenOwner(secretId), keys),
    }),
  }
}

function liveAt(now: number, { keys, expires, ...credential }: Opened): Credential | undefined {
  if (isOver(expires, now)) return undefined
  const live = keys.filter((key) => !isOver(key.expires, now))
  return { ...credential, secretKeys: live.map(({ secret }) => secret) }
}
