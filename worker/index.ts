/** The entry: the app and the Durable Object classes, nothing else. */
import { createApp } from './app.ts'
import { servicesFor } from './services.ts'

export { RelayLink } from './link/relay-link.ts'
export { Registry } from './registry/registry.ts'
export { StatusShard } from './status/status-shard.ts'

export default createApp(servicesFor)
