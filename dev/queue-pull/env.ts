/** Bindings of the simulator, as its wrangler.toml declares them. Vars and secrets arrive as text, or not at all. */
import * as z from 'zod'
import { DEFAULT_LEASE_SETTINGS, type LeaseSettings } from './lease-core.ts'
import type { PullQueue } from './pull-queue.ts'

export interface SimulatorEnv {
  /** The real worker. */
  EDGEHUB: Fetcher
  PULL_QUEUE: DurableObjectNamespace<PullQueue>
  QUEUE_TOKEN?: string
  ACCOUNT_ID: string
  MAX_RETRIES?: string
  VISIBILITY_TIMEOUT_MS?: string
  RETENTION_MS?: string
}

const LeaseVars = z.object({
  MAX_RETRIES: z.coerce.number().int().min(1).default(DEFAULT_LEASE_SETTINGS.maxRetries),
  VISIBILITY_TIMEOUT_MS: z.coerce
    .number()
    .int()
    .min(0)
    .default(DEFAULT_LEASE_SETTINGS.visibilityTimeoutMs),
  RETENTION_MS: z.coerce.number().int().min(1).default(DEFAULT_LEASE_SETTINGS.retentionMs),
})

/** @throws ZodError that names the bad variable */
export function leaseSettingsOf(env: SimulatorEnv): LeaseSettings {
  const { MAX_RETRIES, VISIBILITY_TIMEOUT_MS, RETENTION_MS } = LeaseVars.parse(env)
  return {
    maxRetries: MAX_RETRIES,
    visibilityTimeoutMs: VISIBILITY_TIMEOUT_MS,
    retentionMs: RETENTION_MS,
  }
}
