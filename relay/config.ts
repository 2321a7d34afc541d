/**
 * The relay's settings: environment → frozen Config. All problems are listed at once. Nothing here reads `process`, and files only
 * through the given function.
 */
import * as z from 'zod'
import { InstanceId, isShardCount, type ShardCount } from '#contract'
import { FAULTS, parseFailpoint, POINTS } from './failpoints.ts'
import {
  KAFKA_LONG_TEXTS,
  KAFKA_SECRETS,
  KafkaEnvironment,
  kafkaWarnings,
  resolveKafka,
  type ReadFile,
} from './kafka/settings.ts'

const Ms = (fallback: number, min: number, max: number) =>
  z.coerce.number().int().min(min).max(max).default(fallback).describe('milliseconds')

const Origin = z
  .url({ protocol: /^https?$/ })
  // It runs also on what is no URL at all; that is said already.
  .refine((url) => (URL.parse(url)?.pathname ?? '/') === '/', 'must be an origin, without a path')

const Environment = z
  .object({
    INSTANCE_ID: InstanceId.check(
      z.describe('the Kafka cluster that this deployment serves, ckafka-xxxxxxxx'),
    ),
    QUEUE_API_URL: Origin.default('https://api.cloudflare.com').describe('origin of the queue API'),
    QUEUE_API_TOKEN: z.string().min(1).describe('Cloudflare API token with Queues read and write'),
    ACCOUNT_ID: z.string().min(1).describe('Cloudflare account'),
    QUEUE_IDS: z
      .string()
      .transform((text) => text.split(',').map((id) => id.trim()))
      .refine(
        (ids) => isShardCount(ids.length),
        'must name 1, 2, 4 or 8 queue ids, shard 0 first, separated by commas',
      )
      .describe('ids of the queues, shard 0 first'),
    DEAD_LETTER_QUEUE_IDS: z
      .string()
      .transform((text) => text.split(',').map((id) => id.trim()))
      .describe('ids of their dead-letter queues, in the same order'),
    WORKER_URL: Origin.describe('origin of the worker'),
    RELAY_TOKEN: z
      .string()
      .min(16)
      .describe('the bearer token of /internal, the same as in the worker'),
    ...KafkaEnvironment,
    MIN_IN_SYNC_REPLICAS: z.coerce
      .number()
      .int()
      .min(1)
      .max(9)
      .default(2)
      .describe('a partition with fewer is not written to'),
    LEASE_MS: Ms(60_000, 1_000, 43_200_000).describe(
      'how long a pulled message is kept from others, ms',
    ),
    TRANSACTION_TIMEOUT_MS: Ms(15_000, 1_000, 60_000).describe(
      'the broker aborts an open transaction after this, ms',
    ),
    GROUP_SESSION_TIMEOUT_MS: Ms(6_000, 1_000, 60_000).describe(
      'the shards of a relay that died without a word are taken over after this, ms',
    ),
    MAX_TRANSACTION_REPORTS: z.coerce.number().int().min(1).max(10_000).default(2_000),
    MAX_TRANSACTION_BYTES: z.coerce.number().int().min(1).default(8_388_608),
    MAX_PULLS: z.coerce
      .number()
      .int()
      .min(1)
      .max(16)
      .default(4)
      .describe('pulls under way at once for each shard'),
    KEPT_IDS: z.coerce
      .number()
      .int()
      .min(0)
      .max(10_000_000)
      .default(100_000)
      .describe('ids kept in memory beyond need, shared by all shards; saves look-ups of repeats'),
    MAX_UNSETTLED: z.coerce
      .number()
      .int()
      .min(1)
      .max(10_000_000)
      .default(100_000)
      .describe('a shard with more untaken outcomes pulls nothing'),
    TARGET_CHECK_MS: Ms(30_000, 1_000, 86_400_000).describe(
      'between two looks at the topics that tasks write to, ms',
    ),
    FAILPOINT: z
      .string()
      .optional()
      .transform((text, ctx) => {
        const failpoint = text === undefined ? undefined : parseFailpoint(text)
        if (text !== undefined && !failpoint) {
          ctx.addIssue({
            code: 'custom',
            message: `must be point:fault or point:fault:n, with a point of ${POINTS.join(', ')} and a fault of ${FAULTS.join(', ')}`,
          })
        }
        return failpoint
      })
      .describe('for crash tests, with the flag --failpoints only'),
    RELAY_ID: z
      .string()
      .regex(/^[A-Za-z0-9._-]{1,100}$/)
      .default('relay')
      .describe('names this process in the ledger and the logs'),
    OPS_HOST: z.string().default('127.0.0.1'),
    OPS_PORT: z.coerce
      .number()
      .int()
      .min(0)
      .max(65_535)
      .default(9464)
      .describe('/livez /readyz /metrics'),
    LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace']).default('info'),
  })
  .superRefine((env, ctx) => {
    const deadLetterQueues = env.DEAD_LETTER_QUEUE_IDS
    const all = [...env.QUEUE_IDS, ...deadLetterQueues]
    if (deadLetterQueues.length !== env.QUEUE_IDS.length || new Set(all).size < all.length) {
      ctx.addIssue({
        code: 'custom',
        path: ['DEAD_LETTER_QUEUE_IDS'],
        message: 'must name one queue for each of QUEUE_IDS, and no queue twice',
      })
    }
    if (env.TRANSACTION_TIMEOUT_MS >= env.LEASE_MS) {
      ctx.addIssue({
        code: 'custom',
        path: ['LEASE_MS'],
        message: 'must be longer than TRANSACTION_TIMEOUT_MS',
      })
    }
  })

export type Config = Readonly<z.infer<typeof Environment>> & { readonly shards: ShardCount }

export type ConfigResult =
  /** `warnings` are for the log: settings that work and are seldom meant. */
  { status: 'ok'; config: Config; warnings: string[] } | { status: 'invalid'; problems: string[] }

export function readConfig(
  env: Readonly<Record<string, string | undefined>>,
  readFile: ReadFile,
  /** The command line allows a failpoint. */
  allowFailpoints = false,
): ConfigResult {
  // An empty variable is how a shell or a container file says "not set".
  const present = Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) => (value ? [[name, value]] : [])),
  )
  const { variables, problems } = resolveKafka(present, readFile)
  const parsed = Environment.safeParse(variables)
  if (!parsed.success) {
    const ofVariables = parsed.error.issues.map((i) => `${i.path.join('.')}: ${i.message}`)
    return { status: 'invalid', problems: [...ofVariables, ...problems] }
  }
  if (parsed.data.FAILPOINT && !allowFailpoints) {
    problems.push('FAILPOINT: makes the relay fail on purpose; it needs the flag --failpoints')
  }
  if (problems.length > 0) return { status: 'invalid', problems }
  const shards = parsed.data.QUEUE_IDS.length
  if (!isShardCount(shards)) {
    return { status: 'invalid', problems: ['QUEUE_IDS: names no allowed number of queues'] }
  }
  const config = Object.freeze({ ...parsed.data, shards })
  return { status: 'ok', config, warnings: kafkaWarnings(config) }
}

const HIDDEN = ['QUEUE_API_TOKEN', 'RELAY_TOKEN', ...KAFKA_SECRETS, ...KAFKA_LONG_TEXTS] as const

/** The settings as they may be logged. */
export function redacted(config: Config): Record<string, unknown> {
  const hidden = HIDDEN.filter((name) => config[name] !== undefined)
  return { ...config, ...Object.fromEntries(hidden.map((name) => [name, '(set)'])) }
}
