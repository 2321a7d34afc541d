/**
 * Settings: zod over vars and secrets, frozen, all bad ones named at once. Messages name settings and rules, never values.
 */
import * as z from 'zod'
import { InstanceId, isShardCount, MAX_WAIT_SECONDS, type ShardCount } from '#contract'

const Key = z.string().min(32, 'at least 32 characters')
const Token = z.string().min(16, 'at least 16 characters')

/** `Number('')` is 0: an empty variable must not pass for one. */
const Decimal = z
  .string()
  .regex(/^\d{1,6}$/, 'a whole number')
  .transform(Number)

const Environment = z.object({
  INSTANCE_ID: InstanceId,
  REGION: z.string().regex(/^[a-z0-9-]+$/),
  SHARDS: Decimal.refine(isShardCount, 'one of 1, 2, 4, 8'),
  SEND_MESSAGE_WAIT_MS: Decimal.pipe(z.number().max(MAX_WAIT_SECONDS * 1_000)),
  HOST_ALIASES: z.string().transform((list) => list.split(',').flatMap((s) => s.trim() || [])),
  RECEIPT_KEY: Key,
  RECEIPT_KEY_PREVIOUS: Key.optional(),
  MASTER_KEY: Key,
  ADMIN_TOKEN: Token,
  RELAY_TOKEN: Token,
})

export interface Settings {
  readonly instance: InstanceId
  readonly region: string
  readonly shards: ShardCount
  readonly sendMessageWaitMs: number
  readonly hostAliases: readonly string[]
  /** The first one signs, all of them open. */
  readonly receiptKeys: readonly [string, ...string[]]
  readonly masterKey: string
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
  return Object.freeze({
    instance: e.INSTANCE_ID,
    region: e.REGION,
    shards: e.SHARDS,
    sendMessageWaitMs: e.SEND_MESSAGE_WAIT_MS,
    hostAliases: e.HOST_ALIASES,
    receiptKeys: e.RECEIPT_KEY_PREVIOUS
      ? ([e.RECEIPT_KEY, e.RECEIPT_KEY_PREVIOUS] as const)
      : ([e.RECEIPT_KEY] as const),
    masterKey: e.MASTER_KEY,
    adminToken: e.ADMIN_TOKEN,
    relayToken: e.RELAY_TOKEN,
  })
}
