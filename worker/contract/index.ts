// The one door of the contract: everything that both the worker and the relay must agree on.
import { en } from 'zod/locales'
import * as z from 'zod/mini'

// zod/mini brings no words: without these every problem that a client or a dead letter is told reads "Invalid input".
z.config(en())

// identity
export * from './envelope-id.ts'
export * from './keyed-post.ts'
export * from './receipt.ts'
export * from './message-id.ts'
export * from './shards.ts'

// wire forms
export * from './envelope.ts'
export * from './outcome.ts'
export * from './ledger.ts'
export * from './internal.ts'
export * from './link.ts'

// numbers and names
export * from './limits.ts'
export * from './names.ts'
