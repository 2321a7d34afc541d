/**
 * The pull simulator, a local stand-in for Cloudflare Queues' HTTP pull API; never deployed. First worker of `wrangler dev`, so that one
 * origin serves all: it answers `/client/v4/*` and its test switches, and hands every other request to the real worker unchanged. As the
 * consumer of the local queues it stores each batch and only then acks it. In front of it Miniflare's own queue is memory only: a message
 * whose `send()` has resolved and that has not yet got here is lost if the process is killed, which the real product does not do.
 */
import { handleCall, isSimulatorPath, queueOfPath } from './api.ts'
import type { SimulatorEnv } from './env.ts'
import type { NewMessage } from './message-store.ts'
import { findQueue, LOCAL_QUEUES } from './queues.ts'
import { apiCall, response } from './web-transport.ts'
import { wireBody, type WireBody } from './wire-body.ts'

export { PullQueue } from './pull-queue.ts'

export default {
  async fetch(request, env) {
    const { pathname } = new URL(request.url)
    if (!isSimulatorPath(pathname)) return env.EDGEHUB.fetch(request)
    const queue = queueOfPath(pathname, LOCAL_QUEUES)
    if (queue) return openShard(env, queue.shard).fetch(request)
    const answer = await handleCall(await apiCall(request), {
      token: env.QUEUE_TOKEN,
      accountId: env.ACCOUNT_ID,
      queues: LOCAL_QUEUES,
      now: () => Date.now(),
      sleep: (ms) => scheduler.wait(ms),
      newId: () => crypto.randomUUID(),
      openShard: () => undefined,
    })
    return response(answer)
  },

  async queue(batch, env) {
    const queue = findQueue(LOCAL_QUEUES, batch.queue)
    if (!queue) throw new Error(`not a local queue: ${batch.queue}`)
    const messages = batch.messages.map((message): NewMessage => {
      const timestamp = message.timestamp.getTime()
      return { ...wireBodyOf(message.body), id: hexId(message.id), timestamp, visibleAt: timestamp }
    })
    await openShard(env, queue.shard).give(queue.side, messages)
    batch.ackAll()
  },
} satisfies ExportedHandler<SimulatorEnv>

function openShard(env: SimulatorEnv, shard: number) {
  return env.PULL_QUEUE.get(env.PULL_QUEUE.idFromName(String(shard)))
}

/**
 * A consumer does not see the content type, only the decoded body. So a string reads as `text`, though a producer may have sent it as
 * `json`; and `v8` bodies, which the pull API can't show, read as `json` as far as they can.
 */
function wireBodyOf(body: unknown): WireBody {
  if (typeof body === 'string') return wireBody(body, 'text')
  if (body instanceof ArrayBuffer) return wireBody(new Uint8Array(body), 'bytes')
  if (body instanceof Uint8Array) return wireBody(body, 'bytes')
  return wireBody(JSON.stringify(body) ?? 'null', 'json')
}

function hexId(id: string): string {
  return /^[0-9a-f]{32}$/.test(id) ? id : crypto.randomUUID().replaceAll('-', '')
}
