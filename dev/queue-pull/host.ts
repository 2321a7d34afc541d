/** What the API is called with, and what whoever hosts it brings: clock, ids, waiting, and the shards that live there. */
import type { Faults } from './faults.ts'
import type { LeaseQueue } from './lease-queue.ts'
import type { SimulatedQueue } from './queues.ts'

export interface ApiCall {
  method: string
  /** With its query. */
  url: URL
  authorization: string | undefined
  body: string
}

export interface OpenShard {
  leases: LeaseQueue
  faults: Faults
}

export interface ApiHost {
  /** Without one, every call is refused. */
  token: string | undefined
  accountId: string
  queues: readonly SimulatedQueue[]
  now(): number
  sleep(ms: number): Promise<void>
  /** 32 hex digits. */
  newId(): string
  /** Undefined where that shard does not live. */
  openShard(shard: number): OpenShard | undefined
}
