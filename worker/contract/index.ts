// The one door of the contract: everything that both the worker and the relay must agree on.

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
