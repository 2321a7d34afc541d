/**
 * Settings: zod over vars and secrets, frozen, all bad ones named at once. Messages name settings and rules, never values.
 */
import * as z from 'zod/mini'
import { InstanceId, MAX_WAIT_SECONDS, SHARD_COUNTS, type ShardCount } from '#contract'

const Key = z.string().check(z.minLength(32, 'at least 32 characters'))
const Token = z.string().check(z.minLength(16, 'at least 16 characters'))

/** `Number('')` is 0: an empty variable must not pass for one. */
const Decimal = z.pipe(
  z.string().check(z.regex(/^\d{1,6}$/, 'a whole number')),
  z.transform(Number),
)

const Environment = z.object({
  INSTANCE_ID: InstanceId,
  REGION: z.string().check(z.regex(/^[a-z0-9-]+$/)),
  SHARDS: z.pipe(Decimal, z.literal(SHARD_COUNTS, 'one of 1, 2, 4, 8')),
  SEND_MESSAGE_WAIT_MS: z.pipe(Decimal, z.number().check(z.maximum(MAX_WAIT_SECONDS * 1_000))),
  HOST_ALIASES: z.pipe(
    z.string(),
    z.transform((list) => list.split(',').flatMap((s) => s.trim() || [])),
  ),
  ADDRESS_RATE_LIMIT: z.enum(['on', 'off'], 'on or off'),
  UNSIGNED_PAYLOAD: z.enum(['allow', 'refuse'], 'allow or refuse'),
  RECEIPT_KEY: Key,
  RECEIPT_KEY_PREVIOUS: z.optional(Key),
  MASTER_KEY: Key,
  MASTER_KEY_PREVIOUS: z.optional(Key),
  MAC_KEY: z.optional(Key),
  ADMIN_TOKEN: Token,
  RELAY_TOKEN: Token,
})

export interface Settings {
  readonly instance: InstanceId
  readonly region: string
  readonly shards: ShardCount
  readonly sendMessageWaitMs: number
  readonly hostAliases: readonly string[]
  /** Whether a TC3 signature may leave the body out. */
  readonly unsignedPayload: 'allow' | 'refuse'
  /** Whether calls are counted by their address. */
  readonly addressRateLimit: boolean
  /** The first one signs, all of them open. */
  readonly receiptKeys: readonly [string, ...string[]]
  /** Of sealed secrets: the first one seals, all of them open. */
  readonly masterKeys: readonly [string, ...string[]]
  /** Of the MACs in SecretIds, which must outlive a rotation of the master key. */
  readonly macKey: string
  readonly adminToken: string
  readonly relayToken: string
}

export class SettingsError extends Error {
  override name = 'SettingsError'
}

/** @throws SettingsError that names every bad setting */
export function parseSettings(environment: object): Settings {
  const parsed = Environment.safeParse(environment)
  if (!parsed.success) {
    const problems = parsed.error.issues.map((i) => `${i.path.join('.')}: ${i.message}`)
    throw new SettingsError(`bad settings: ${problems.join('; ')}`)
  }
  const e = parsed.data
  // Every SecretId would be forged under the new key.
  if (e.MASTER_KEY_PREVIOUS !== undefined && e.MASTER_KEY_PREVIOUS !== e.MASTER_KEY && !e.MAC_KEY) {
    const rule =
      'with another MASTER_KEY_PREVIOUS it has to be the MASTER_KEY of before the first rotation'
    throw new SettingsError(`bad settings: MAC_KEY: ${rule}`)
  }
  return Object.freeze({
    instance: e.INSTANCE_ID,
    region: e.REGION,
    shards: e.SHARDS,
    sendMessageWaitMs: e.SEND_MESSAGE_WAIT_MS,
    hostAliases: e.HOST_ALIASES,
    unsignedPayload: e.UNSIGNED_PAYLOAD,
    addressRateLimit: e.ADDRESS_RATE_LIMIT === 'on',
    receiptKeys: withPrevious(e.RECEIPT_KEY, e.RECEIPT_KEY_PREVIOUS),
    masterKeys: withPrevious(e.MASTER_KEY, e.MASTER_KEY_PREVIOUS),
    macKey: e.MAC_KEY ?? e.MASTER_KEY,
    adminToken: e.ADMIN_TOKEN,
    relayToken: e.RELAY_TOKEN,
  })
}

function withPrevious(key: string, previous: string | undefined): readonly [string, ...string[]] {
  return previous === undefined ? [key] : [key, previous]
}
