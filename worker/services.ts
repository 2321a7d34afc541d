/**
 * Puts the parts together for one request: what belongs to the isolate (settings, keys, caches) is made once, what belongs to the request
 * (stubs, background work) each time. The only file that knows bindings by name.
 */
import {
  importReceiptKey,
  mintReceipt,
  openReceipt,
  shardOf,
  type EnvelopeId,
  type Outcome,
  type Receipt,
  type ReceiptFields,
} from '#contract'
import { createAccept, type Accept, type Acceptance } from './accept.ts'
import { createRelayLink, type RelayLinkClient } from './link/link.ts'
import { RELAY_LINK_NAME } from './link/relay-link.ts'
import { wakeShard, type Wakings } from './link/waker.ts'
import { describeError, log } from './log.ts'
import { createRateLimit, type RateLimit } from './rate-limit.ts'
import {
  createDirectoryCache,
  type DirectoryCache,
  type DirectoryKeys,
} from './registry/cached-directory.ts'
import type { Control } from './registry/control-plane.ts'
import { createControl } from './registry/control/control.ts'
import { deriveEncryptionKey, deriveMacKey } from './registry/derived-key.ts'
import type { Directory } from './registry/directory.ts'
import { platformRandomBytes } from './registry/random-text.ts'
import { REGISTRY_NAME } from './registry/registry.ts'
import { parseSettings, SettingsError, type Settings } from './settings.ts'
import { createStatusStore, statusShardName, type StatusStore } from './status/store.ts'

export interface Services {
  settings: Settings
  directory: Directory
  control: Control
  status: StatusStore
  relayLink: RelayLinkClient
  /** Somebody waits for this envelope's outcome: its relay is told to look. Nobody waits for this. */
  wake: (id: EnvelopeId) => void
  envelopes: R2Bucket
  accept: Accept
  /** Of this isolate. */
  rateLimit: RateLimit
  /** Of this Cloudflare location; undefined: callers' addresses are not counted. */
  addressLimit: AddressLimit | undefined
  /** undefined for a text that no key of ours signed. */
  openReceipt: (text: string) => Promise<ReceiptFields | undefined>
  receiptOf: (fields: ReceiptFields) => Promise<Receipt>
  /** One receipt for each report of an accepted envelope, in order. */
  receiptsOf: (acceptance: Acceptance) => Promise<Receipt[]>
  now: () => number
}

/** The platform's rate limit binding. */
export interface AddressLimit {
  limit: (options: { key: string }) => Promise<{ success: boolean }>
}

interface Keys {
  receipt: [CryptoKey, ...CryptoKey[]]
  directory: DirectoryKeys
}

const now = (): number => Date.now()

/** What an isolate keeps between requests. It has one Env object; tests have several. */
interface Isolate {
  settings: Settings
  directoryCache: DirectoryCache
  wakings: Wakings
  rateLimit: RateLimit
  keys?: Keys
}

const isolates = new WeakMap<Env, Isolate>()

/** A key is a credential and an action, or a datahub; about 100 bytes. */
const MAX_RATE_KEYS = 10_000

/** @throws SettingsError also when a setting asks for a binding that is not there */
function startIsolate(env: Env): Isolate {
  const settings = parseSettings(env)
  const missing = queuesOf(env).slice(0, settings.shards).indexOf(undefined)
  if (missing >= 0) throw new SettingsError(`SHARDS: there is no binding QUEUE_${missing}`)
  if (settings.addressRateLimit && !addressLimitOf(env)) {
    throw new SettingsError('ADDRESS_RATE_LIMIT: there is no binding ADDRESS_LIMIT')
  }
  return {
    settings,
    directoryCache: createDirectoryCache({ now, log }),
    wakings: new Map(),
    rateLimit: createRateLimit({ now, maxKeys: MAX_RATE_KEYS }),
  }
}

/** @throws SettingsError */
export function servicesFor(env: Env, waitUntil: (promise: Promise<unknown>) => void): Services {
  const isolate = isolates.get(env) ?? startIsolate(env)
  isolates.set(env, isolate)
  const { settings } = isolate

  // The keys are kept, not the promise of them: a promise belongs to the request that made it. Two requests may import them twice.
  const keys = async (): Promise<Keys> => (isolate.keys ??= await importKeys(settings))
  const receiptKey = async (): Promise<CryptoKey> => (await keys()).receipt[0]
  const directoryKeys = async (): Promise<DirectoryKeys> => (await keys()).directory

  const accept = createAccept({
    shards: settings.shards,
    async send(shard, text) {
      const queue = queuesOf(env)[shard]
      // Never `queue?.send`: a send to nowhere would look like an accept.
      if (!queue) throw new Error(`there is no queue for shard ${shard}`)
      await queue.send(text, { contentType: 'text' })
    },
    putObject: (name, bytes) => env.ENVELOPES.put(name, bytes),
    receiptKey,
    now,
    randomBytes: platformRandomBytes,
    rateLimit: isolate.rateLimit,
    log,
  })

  const registry = env.REGISTRY.getByName(REGISTRY_NAME)
  const relayLink = createRelayLink({
    stub: () => env.RELAY_LINK.getByName(RELAY_LINK_NAME),
    now,
    log,
  })
  return {
    settings,
    directory: isolate.directoryCache.view({ registry, keys: directoryKeys, waitUntil }),
    control: createControl({
      instance: settings.instance,
      registry,
      keys: directoryKeys,
      randomBytes: platformRandomBytes,
      onNewTarget: () => waitUntil(relayLink.watchTargets()),
    }),
    status: createStatusStore({
      shard: (index) => env.STATUS.getByName(statusShardName(index)),
      now,
      log,
    }),
    relayLink,
    wake(id) {
      const waking = wakeShard(shardOf(id, settings.shards), isolate.wakings, { relayLink, now })
      if (waking) waitUntil(waking)
    },
    envelopes: env.ENVELOPES,
    accept,
    rateLimit: isolate.rateLimit,
    addressLimit: settings.addressRateLimit ? addressLimitOf(env) : undefined,
    openReceipt: async (text) => openReceipt(text, (await keys()).receipt),
    receiptOf: async (fields) => mintReceipt(fields, await receiptKey()),
    async receiptsOf({ id, received, count, digest }) {
      const key = await receiptKey()
      const fields = { accepted: received, id, count: 1, ...(digest && { digest }) }
      return Promise.all(
        Array.from({ length: count }, (_, index) => mintReceipt({ ...fields, index }, key)),
      )
    },
    now,
  }
}

/** By shard. What the types promise, a deployment may have left out. */
function queuesOf(env: Env): readonly (Queue | undefined)[] {
  return [
    env.QUEUE_0,
    env.QUEUE_1,
    env.QUEUE_2,
    env.QUEUE_3,
    env.QUEUE_4,
    env.QUEUE_5,
    env.QUEUE_6,
    env.QUEUE_7,
  ]
}

/** What the types promise, a deployment may have left out. */
function addressLimitOf(env: Env): AddressLimit | undefined {
  return env.ADDRESS_LIMIT
}

async function importKeys(settings: Settings): Promise<Keys> {
  const [current, ...previous] = settings.receiptKeys
  const [master, ...previousMasters] = settings.masterKeys
  const vaultKey = (key: string): Promise<CryptoKey> =>
    deriveEncryptionKey(key, 'secret-key encryption v1')
  return {
    receipt: [
      await importReceiptKey(current),
      ...(await Promise.all(previous.map((secret) => importReceiptKey(secret)))),
    ],
    directory: {
      mac: await deriveMacKey(settings.macKey, 'secret-id mac v1'),
      encryption: [await vaultKey(master), ...(await Promise.all(previousMasters.map(vaultKey)))],
    },
  }
}

/** Waits for an accepted envelope's outcome; a store that fails means only that it is not known yet. Never throws. */
export async function outcomeOf(
  { status, wake }: Pick<Services, 'status' | 'wake'>,
  { id }: Acceptance,
  ms: number,
): Promise<Outcome | undefined> {
  if (ms > 0) wake(id)
  try {
    return await status.wait(id, ms)
  } catch (error) {
    const message = 'Outcome of an accepted envelope not known.'
    log({ level: 'error', message, envelope: id, cause: describeError(error) })
    return undefined
  }
}

/** For a status store in good health far more than it needs; for the client of one that is not, bearable. */
const SETTLED_LIMIT_MS = 300

/**
 * The outcome that an idempotency key has already. A store that fails or is slow is passed by, because it only saves work: what is then
 * queued once more, the relay recognises. Never throws.
 */
export async function settledOutcome(
  { status }: Pick<Services, 'status'>,
  id: EnvelopeId,
): Promise<Outcome | undefined> {
  try {
    return (await status.find([id], SETTLED_LIMIT_MS)).get(id)
  } catch (error) {
    const message = 'Could not look for the outcome of an idempotency key.'
    log({ level: 'warn', message, envelope: id, cause: describeError(error) })
    return undefined
  }
}
