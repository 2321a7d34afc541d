/**
 * One shard as a Durable Object: its queue and its dead-letter queue in SQLite, so that a move between them is one commit. It serves the API
 * calls about them; everything it does is api.ts and lease-queue.ts. Ordered faults live in its memory only.
 */
import { DurableObject } from 'cloudflare:workers'
import { handleCall } from './api.ts'
import { leaseSettingsOf, type SimulatorEnv } from './env.ts'
import { Faults } from './faults.ts'
import type { ApiHost } from './host.ts'
import { LeaseQueue } from './lease-queue.ts'
import type { NewMessage } from './message-store.ts'
import { LOCAL_QUEUES, type Side } from './queues.ts'
import { createSqliteStore } from './store-sqlite.ts'
import { apiCall, response } from './web-transport.ts'

export class PullQueue extends DurableObject<SimulatorEnv> {
  readonly #leases: LeaseQueue
  readonly #host: ApiHost

  constructor(ctx: DurableObjectState, env: SimulatorEnv) {
    super(ctx, env)
    this.#leases = new LeaseQueue(createSqliteStore(ctx.storage.sql), leaseSettingsOf(env))
    const shard = { leases: this.#leases, faults: new Faults() }
    this.#host = {
      token: env.QUEUE_TOKEN,
      accountId: env.ACCOUNT_ID,
      queues: LOCAL_QUEUES,
      now: () => Date.now(),
      sleep: (ms) => scheduler.wait(ms),
      newId: () => crypto.randomUUID().replaceAll('-', ''),
      // The entry has chosen this object by the path.
      openShard: () => shard,
    }
  }

  override async fetch(request: Request): Promise<Response> {
    return response(await handleCall(await apiCall(request), this.#host))
  }

  /** What the queue handler got. Kept once this resolves. */
  give(side: Side, messages: NewMessage[]): void {
    this.#leases.give(side, messages, Date.now())
  }
}
