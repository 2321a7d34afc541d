/**
 * Schemas of what the relay reads by the thousand: compiled, an envelope of 50 reports is read in half the time. For the relay only: the
 * compiler has 10 KB of gzip, so nothing that the worker calls may call this.
 */
import * as z from 'zod/mini'

/**
 * The schema, compiled when it is first asked for. What it refuses it hands to the schema itself, so the problems are the same. Where the
 * platform makes no code out of text, as in workerd, it is the schema itself.
 */
export function reader<T extends z.ZodMiniType>(schema: T): () => T {
  let compiled: T | undefined
  return () => (compiled ??= z.compile(schema))
}
