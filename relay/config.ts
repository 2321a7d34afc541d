/**
 * The relay's settings: environment → frozen Config. All problems are listed at once. Nothing here reads `process`.
 */
import * as z from 'zod'
import { InstanceId, isShardCount, type ShardCount } from '#contract'

const Ms = (fallback: number, min: number, max: number) =>
  z.coerce.number().int().min(min).max(max).default(fallback).describe('milliseconds')

const Origin = z
  .url({ protocol: /^https?$/ })
  .refine((url) => new URL(url).pathname === '/', 'must be an origin, without a path')

const Environment = z
  .object({
    INSTANCE_ID: InstanceId.describe(
      'the Kafka cluster that this deployment serves, ckafka-xxxxxxxx',
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
    WORKER_URL: Origin.describe('origin of the worker'),
    RELAY_TOKEN: z
      .string()
      .min(16)
      .describe('the bearer token of /internal, the same as in the worker'),
    KAFKA_BROKERS: z
      .string()
      .transform((text) => text.split(',').map((broker) => broker.trim()))
      .refine(
        (brokers) => brokers.every((b) => /^[^:\s]+:\d+$/.test(b)),
        'must be host:port, separated by commas',
      )
      .describe('bootstrap servers'),
    KAFKA_TLS: z.stringbool().default(false).describe('speak TLS to the brokers'),
    KAFKA_TLS_CA: z
      .string()
      .optional()
      .describe('PEM of the certificate authority, when it is not a public one'),
    KAFKA_SASL_MECHANISM: z.enum(['plain', 'scram-sha-256', 'scram-sha-512']).optional(),
    KAFKA_SASL_USERNAME: z.string().optional(),
    KAFKA_SASL_PASSWORD: z.string().optional(),
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
    MAX_TRANSACTION_REPORTS: z.coerce.number().int().min(1).max(10_000).default(2_000),
    MAX_TRANSACTION_BYTES: z.coerce.number().int().min(1).default(16_777_216),
    MAX_PULLS: z.coerce
      .number()
      .int()
      .min(1)
      .max(16)
      .default(4)
      .describe('pulls under way at once for each shard'),
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
    const sasl = [env.KAFKA_SASL_MECHANISM, env.KAFKA_SASL_USERNAME, env.KAFKA_SASL_PASSWORD]
    if (sasl.some((v) => v !== undefined) && sasl.includes(undefined)) {
      ctx.addIssue({
        code: 'custom',
        path: ['KAFKA_SASL_MECHANISM'],
        message: 'KAFKA_SASL_MECHANISM, KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD go together',
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
  | { status: 'ok'; config: Config }
  | { status: 'invalid'; problems: string[] }

export function readConfig(env: Readonly<Record<string, string | undefined>>): ConfigResult {
  // An empty variable is how a shell or a container file says "not set".
  const present = Object.fromEntries(
    Object.entries(env).filter(([, value]) => value !== undefined && value !== ''),
  )
  const parsed = Environment.safeParse(present)
  if (!parsed.success) {
    return {
      status: 'invalid',
      problems: parsed.error.issues.map((i) => `${i.path.join('.')}: ${i.message}`),
    }
  }
  const shards = parsed.data.QUEUE_IDS.length
  if (!isShardCount(shards)) {
    return { status: 'invalid', problems: ['QUEUE_IDS: names no allowed number of queues'] }
  }
  return { status: 'ok', config: Object.freeze({ ...parsed.data, shards }) }
}

const SECRETS = ['QUEUE_API_TOKEN', 'RELAY_TOKEN', 'KAFKA_SASL_PASSWORD'] as const

/** The settings as they may be logged. */
export function redacted(config: Config): Record<string, unknown> {
  const hidden = SECRETS.filter((name) => config[name] !== undefined).map(
    (name) => [name, '(set)'] as const,
  )
  return {
    ...config,
    ...Object.fromEntries(hidden),
    KAFKA_TLS_CA: config.KAFKA_TLS_CA === undefined ? undefined : '(set)',
  }
}
