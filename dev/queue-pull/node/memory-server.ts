/**
 * The pull API on node:http over the store in memory, for unit tests and the benchmark: the same api.ts as the Durable Object's. It forgets
 * everything at close, and speaks to no worker.
 */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { refuse } from '../answer.ts'
import { handleCall } from '../api.ts'
import { Faults } from '../faults.ts'
import type { ApiCall, ApiHost } from '../host.ts'
import { DEFAULT_LEASE_SETTINGS, type LeaseSettings } from '../lease-core.ts'
import { LeaseQueue } from '../lease-queue.ts'
import { findQueue, LOCAL_ACCOUNT_ID, LOCAL_QUEUES, type SimulatedQueue } from '../queues.ts'
import { createMemoryStore } from '../store-memory.ts'
import { wireBody, type ContentType } from '../wire-body.ts'

export interface QueuePullServerOptions {
  /** On 127.0.0.1; any free one by default. */
  port?: number
  token: string
  accountId?: string
  queues?: readonly SimulatedQueue[]
  settings?: Partial<LeaseSettings>
  /** Unix ms; for virtual time. */
  now?: () => number
  /** Off for a benchmark: acked messages are then forgotten at once. */
  keepLog?: boolean
}

export interface QueuePullServer {
  /** Origin, without a slash at the end. */
  url: string
  /** By queue name or id. The id of the message. */
  push(queue: string, body: string | Uint8Array, contentType?: ContentType): string
  close(): Promise<void>
}

export async function createQueuePullServer(
  options: QueuePullServerOptions,
): Promise<QueuePullServer> {
  const { queues = LOCAL_QUEUES, now = Date.now, keepLog = true } = options
  const settings = { ...DEFAULT_LEASE_SETTINGS, ...options.settings }
  const closing = new AbortController()
  // Unique is enough, and 16 random bytes for each message would cost the benchmark more than the message.
  const idPrefix = randomBytes(8).toString('hex')
  let lastId = 0
  const shards = queues.map(() => ({
    leases: new LeaseQueue(createMemoryStore({ keepLog }), settings),
    faults: new Faults(),
  }))
  const host: ApiHost = {
    token: options.token,
    accountId: options.accountId ?? LOCAL_ACCOUNT_ID,
    queues,
    now,
    sleep: (ms) => sleep(ms, undefined, { signal: closing.signal }),
    newId: () => `${idPrefix}${(++lastId).toString(16).padStart(16, '0')}`,
    openShard: (shard) => shards[shard],
  }

  const server = createServer((request, response) => {
    readCall(request)
      .then((call) => handleCall(call, host))
      // A hang cut short by close, or a caller that went away before its body was read.
      .catch(() => refuse({ reason: 'internal' }))
      .then(({ status, headers, body }) => response.writeHead(status, headers).end(body))
      .catch((error: unknown) => response.destroy(error as Error))
  })
  server.listen(options.port ?? 0, '127.0.0.1')
  await once(server, 'listening')

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,

    push(nameOrId, body, contentType = 'text') {
      const queue = findQueue(queues, nameOrId)
      const shard = queue && shards[queue.shard]
      if (!shard) throw new Error(`no such queue: ${nameOrId}`)
      const [id, at] = [host.newId(), now()]
      const message = { ...wireBody(body, contentType), id, timestamp: at, visibleAt: at }
      shard.leases.give(queue.side, [message], at)
      return id
    },

    async close() {
      if (closing.signal.aborted) return
      closing.abort()
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

async function readCall(request: IncomingMessage): Promise<ApiCall> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return {
    method: request.method ?? '',
    url: new URL(request.url ?? '/', 'http://127.0.0.1'),
    authorization: request.headers.authorization,
    body: Buffer.concat(chunks).toString('utf8'),
  }
}
