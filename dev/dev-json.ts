/** `<state>/dev.json`: how to reach the local stack, for tools and tests. Written when all is ready, replaced whenever a pid changes. */
import type { QueueName } from './queue-pull/queues.ts'

export interface DevJson {
  api: string
  queueApi: string
  accountId: string
  queueToken: string
  /** The queues in use, shard 0 first. */
  queues: QueueName[]
  /** Bootstrap servers, host:port, separated by commas. */
  kafka: string
  relays: { ops: string }[]
  adminToken: string
  relayToken: string
  instanceId: string
  region: string
  datahubId: string
  topic: string
  secretId: string
  secretKey: string
  pids: { stack: number; kafka: number[]; worker: number[]; relay: number[] }
}
