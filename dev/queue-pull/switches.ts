/**
 * What Cloudflare does not offer and tests need, below `/__queue-pull/{queue id or name}/`: order faults, look at the state, read the log of
 * everything given, end leases, bring dead letters back, push any body. Same token as the API, same answer shape.
 */
import * as z from 'zod'
import { refuse, success, type ApiAnswer } from './answer.ts'
import { FaultOrder } from './faults.ts'
import type { ApiCall, ApiHost, OpenShard } from './host.ts'
import { SettingsChange } from './lease-queue.ts'
import type { NewMessage, StoredMessage } from './message-store.ts'
import type { FoundQueue, SimulatedQueue } from './queues.ts'
import { parseBody } from './request-body.ts'
import { fromBase64, idInBody, wireBody } from './wire-body.ts'
import { PushRequest } from './wire.ts'

const MAX_LOG_PAGE = 10_000

/** The query of `GET …/log`. */
const LogQuery = z.object({
  after: z.coerce.number().int().min(0).default(0),
  limit: z.coerce.number().int().min(1).max(MAX_LOG_PAGE).default(1000),
  bodies: z.literal('1').optional(),
})

export function handleSwitch(
  call: ApiCall,
  queue: FoundQueue,
  shard: OpenShard,
  host: ApiHost,
): ApiAnswer {
  const { leases, faults } = shard
  const { side } = queue
  const [, , , name = ''] = call.url.pathname.split('/')
  switch (`${call.method} ${name}`) {
    case 'POST push':
      return push(call, queue, shard, host)
    case 'GET log':
      return log(call, queue, shard, host)
    case 'GET state':
      return success({
        queue: leases.counts('queue', host.now()),
        deadLetter: leases.counts('deadLetter', host.now()),
        paused: leases.isPaused(side),
        settings: leases.settings,
        faults: faults.pending(side),
      })
    case 'POST expire':
      return success({ expired: leases.expireLeases(side, host.now()) })
    case 'POST redrive':
      return success({ moved: leases.redrive(host.now()) })
    case 'POST faults': {
      const order = parseBody(call.body, FaultOrder)
      if ('refused' in order) return order.refused
      faults.order(side, order.value)
      return success({ faults: faults.pending(side) })
    }
    case 'DELETE faults':
      faults.clear(side)
      return success({ faults: [] })
    case 'POST settings': {
      const change = parseBody(call.body, SettingsChange)
      if ('refused' in change) return change.refused
      leases.changeSettings(change.value)
      return success(leases.settings)
    }
    default:
      return refuse({ reason: 'no_such_route' })
  }
}

function push(call: ApiCall, { side }: FoundQueue, shard: OpenShard, host: ApiHost): ApiAnswer {
  const request = parseBody(call.body, PushRequest)
  if ('refused' in request) return request.refused
  const now = host.now()
  let messages: NewMessage[]
  try {
    messages = request.value.messages.map(({ body, contentType, delaySeconds }) => ({
      ...wireBody(contentType === 'bytes' ? fromBase64(body) : body, contentType),
      id: host.newId(),
      timestamp: now,
      visibleAt: now + delaySeconds * 1000,
    }))
  } catch {
    return refuse({ reason: 'bad_body', problem: 'body: not base64' })
  }
  shard.leases.give(side, messages, now)
  return success({ ids: messages.map((message) => message.id) })
}

/** The whole shard's, whichever of its two queues is named. `next` is the `after` of the next page, null at the end. */
function log(call: ApiCall, queue: FoundQueue, shard: OpenShard, host: ApiHost): ApiAnswer {
  const query = LogQuery.safeParse(Object.fromEntries(call.url.searchParams))
  const names = host.queues[queue.shard]
  if (!query.success || !names) return refuse({ reason: 'bad_body', problem: 'log query' })
  const { after, limit, bodies } = query.data
  const page = shard.leases.log(after, limit)
  return success({
    messages: page.map((message) => logEntry(message, names, bodies === '1')),
    next: page.length === limit ? (page.at(-1)?.seq ?? null) : null,
  })
}

function logEntry(message: StoredMessage, names: SimulatedQueue, withBody: boolean) {
  return {
    seq: message.seq,
    id: message.id,
    envelopeId: idInBody(message) ?? null,
    givenAt: message.givenAt,
    bytes: message.bytes,
    contentType: message.contentType,
    queue: message.side === 'queue' ? names.name : names.deadLetter.name,
    fate: message.fate,
    attempts: message.attempts,
    ...(withBody && { body: message.body }),
  }
}
