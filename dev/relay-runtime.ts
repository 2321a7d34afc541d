/**
 * How Node runs a relay here, as docs/operations.md says for production: what it costs in memory, measured in docs/performance.md.
 */
import { join } from 'node:path'
import process from 'node:process'

/** V8's young generation is kept small; a relay makes much garbage and keeps little. */
export const RELAY_NODE_FLAGS = ['--max-semi-space-size=8'] as const

/** `root`: the folder of the package. */
export function relayRuntime(root: string): Record<string, string> {
  return {
    // From the second start on, the compiler of TypeScript is not even loaded.
    NODE_COMPILE_CACHE:
      process.env['NODE_COMPILE_CACHE'] ?? join(root, 'node_modules/.cache/edgehub-compile'),
    // glibc has up to eight heaps a core, and gives none of them back.
    MALLOC_ARENA_MAX: process.env['MALLOC_ARENA_MAX'] ?? '2',
  }
}
