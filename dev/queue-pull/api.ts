/**
 * The HTTP pull API over plain values: who may call, which queue, which operation, and the faults that a test has ordered. No transport, no
 * storage, no clock of its own; the Durable Object and the Node server each bring theirs. Paths and errors as in
 * https://developers.cloudflare.com/api/resources/queues/
 */
import { garbage, refuse, success, type ApiAnswer } from './answer.ts'
import type { ApiCall, ApiHost, OpenShard } from './host.ts'
import { findQueue, type FoundQueue, type SimulatedQueue } from './queues.ts'
import { parseBody } from './request-body.ts'
import { handleSwitch } from './switches.ts'
import {
  ackResult,
  AckRequest,
  metrics,
  pullResult,
  PullRequest,
  QueuePatch,
  queueResult,
} from './wire.ts'

const API_PREFIX = '/client/v4/'
export const SWITCH_PREFIX = '/__queue-pull/'

export function isSimulatorPath(path: string): boolean {
  return path.startsWith(API_PREFIX) || path.startsWith(SWITCH_PREFIX)
}

/** The queue that a path is about, if it is about a known one. */
export function queueOfPath(
  path: string,
  queues: readonly SimulatedQueue[],
): FoundQueue | undefined {
  const m = /^(?:\/client\/v4\/accounts\/[^/]+\/queues|\/__queue-pull)\/([^/]+)/.exec(path)
  return m?.[1] === undefined ? undefined : findQueue(queues, m[1])
}

export async function handleCall(call: ApiCall, host: ApiHost): Promise<ApiAnswer> {
  if (!host.token || call.authorization !== `Bearer ${host.token}`) {
    return refuse({ reason: 'unauthorized' })
  }
  const path = call.url.pathname
  if (path.startsWith(SWITCH_PREFIX)) {
    const queue = queueOfPath(path, host.queues)
    const shard = queue && host.openShard(queue.shard)
    if (!shard) return refuse({ reason: 'queue_not_found' })
    return handleSwitch(call, queue, shard, host)
  }
  const m = /^\/client\/v4\/accounts\/([^/]+)\/queues(?:\/([^/]+)(?:\/(.+))?)?$/.exec(path)
  if (!m) return refuse({ reason: 'no_such_route' })
  const [, account, id, operation = ''] = m
  if (account !== host.accountId) return refuse({ reason: 'unauthorized' })
  if (id === undefined) {
    if (call.method !== 'GET') return refuse({ reason: 'no_such_route' })
    return listQueues(call.url.searchParams.get('name'), host)
  }
  if (!/^[0-9a-f]{32}$/.test(id)) return refuse({ reason: 'bad_queue_id' })
  const queue = findQueue(host.queues, id)
  const shard = queue && host.openShard(queue.shard)
  if (!shard) return refuse({ reason: 'queue_not_found' })
  return handleOperation(`${call.method} ${operation}`, call, queue, shard, host)
}

async function handleOperation(
  operation: string,
  call: ApiCall,
  queue: FoundQueue,
  shard: OpenShard,
  host: ApiHost,
): Promise<ApiAnswer> {
  switch (operation) {
    case 'POST messages/pull':
      return withFault('pull', queue, shard, host, () => pull(call, queue, shard, host))
    case 'POST messages/ack':
      return withFault('ack', queue, shard, host, () => ack(call, queue, shard, host))
    case 'GET metrics':
      return success(metrics(shard.leases.backlog(queue.side, host.now())))
    case 'GET ':
      return success(describe(queue, shard))
    case 'PATCH ': {
      const patch = parseBody(call.body, QueuePatch)
      if ('refused' in patch) return patch.refused
      shard.leases.setPaused(queue.side, patch.value.settings.delivery_paused)
      return success(describe(queue, shard))
    }
    default:
      return refuse({ reason: 'no_such_route' })
  }
}

async function withFault(
  on: 'pull' | 'ack',
  queue: FoundQueue,
  shard: OpenShard,
  host: ApiHost,
  act: () => ApiAnswer,
): Promise<ApiAnswer> {
  const fault = shard.faults.next(queue.side, on)
  switch (fault?.kind) {
    case undefined:
      return act()
    case 'overloaded':
      return refuse({ reason: 'overloaded', retryAfterSeconds: fault.retryAfterSeconds })
    case 'error':
      return refuse({ reason: 'internal' })
    case 'garbage':
      return garbage()
    case 'hang':
      await host.sleep(fault.ms)
      return act()
    case 'lost_answer':
      act()
      return refuse({ reason: 'internal' })
  }
}

function pull(call: ApiCall, { side }: FoundQueue, shard: OpenShard, host: ApiHost): ApiAnswer {
  const request = parseBody(call.body, PullRequest)
  if ('refused' in request) return request.refused
  const { batch_size: limit, visibility_timeout_ms: visibilityTimeoutMs } = request.value
  const result = shard.leases.pull(side, { limit, visibilityTimeoutMs }, host.now())
  if (result.status === 'paused') return refuse({ reason: 'paused' })
  return success(pullResult(result.deliveries, result.backlog))
}

function ack(call: ApiCall, { side }: FoundQueue, shard: OpenShard, host: ApiHost): ApiAnswer {
  const request = parseBody(call.body, AckRequest)
  if ('refused' in request) return request.refused
  const { acks, retries } = request.value
  const plan = shard.leases.ack(
    side,
    {
      acks: acks.map((each) => each.lease_id),
      retries: retries.map((each) => ({
        leaseId: each.lease_id,
        delayMs: each.delay_seconds * 1000,
      })),
    },
    host.now(),
  )
  return success(ackResult(plan))
}

function listQueues(name: string | null, host: ApiHost): ApiAnswer {
  const all = host.queues.flatMap((queue) => [queue, queue.deadLetter])
  const wanted = name === null ? all : all.filter((queue) => queue.name === name)
  return success(wanted.map((queue) => queueResult(queue)))
}

function describe(queue: FoundQueue, { leases }: OpenShard) {
  return queueResult(queue, { delivery_paused: leases.isPaused(queue.side) })
}
