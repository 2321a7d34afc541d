/**
 * What goes over a link of which nothing is asked: the relay's end as it is, with its own times and real look-ups of the targets, and in
 * the worker's place a server that counts. Neither the relay's metrics nor its log tell frames. What the frames cost is arithmetic.
 */
import { setTimeout as delay } from 'node:timers/promises'
import {
  InstanceId,
  LINK_PING,
  LINK_PONG,
  LINK_VERSION,
  RelayFrame,
  type WorkerFrame,
} from '#contract'
import { createLink } from '../../relay/link/link.ts'
import { createQueries } from '../../relay/query/query.ts'
import { startWebSocketServer, type ServerConnection } from '../support/websocket-server.ts'

export interface IdleLink {
  seconds: number
  connections: number
  /** Before the idle time: hello, and the targets. */
  atFirst: FrameCount
  /** In the idle time. */
  idle: FrameCount
  /** Between two pings, ms, mean; undefined: there were not two. */
  betweenPings: number | undefined
}

interface FrameCount {
  /** Of the relay, that the platform answers without waking the object. */
  pings: number
  /** Of the relay, that wake it. */
  others: number
  /** To the relay, pongs included. */
  sent: number
}

export interface IdleOptions {
  brokers: string[]
  /** Target topics of the tasks that there are. */
  topics: string[]
  seconds: number
  signal: AbortSignal
}

const none = (): FrameCount => ({ pings: 0, others: 0, sent: 0 })

export async function watchIdleLink(options: IdleOptions): Promise<IdleLink> {
  const { brokers, topics, seconds, signal } = options
  const atFirst = none()
  const idle = none()
  let now = atFirst
  let connections = 0
  const pingedAt: number[] = []
  const told = Promise.withResolvers<void>()

  async function serve(connection: ServerConnection): Promise<void> {
    connections++
    const tell = (text: string) => {
      now.sent++
      connection.send(text)
    }
    const tellFrame = (frame: WorkerFrame) => tell(JSON.stringify(frame))
    for (;;) {
      const text = await connection.text()
      if (text === undefined) return
      if (text === LINK_PING) {
        now.pings++
        pingedAt.push(performance.now())
        tell(LINK_PONG)
        continue
      }
      now.others++
      const { type } = RelayFrame.parse(JSON.parse(text))
      if (type === 'targets') told.resolve()
      if (type !== 'hello') continue
      tellFrame({ type: 'welcome', v: LINK_VERSION })
      tellFrame({ type: 'watch', topics })
    }
  }

  const server = await startWebSocketServer()
  const clock = () => performance.now()
  const kafka = { brokers, clientId: 'edgehub-bench' }
  const queries = createQueries({ kafka, minInSyncReplicas: 1, compresses: false, clock })
  const link = createLink({
    url: server.url,
    token: 'bench-token-of-no-worth',
    instance: InstanceId.parse('ckafka-benchben'),
    relay: 'bench',
    queries,
    onWake() {},
    clock,
    random: Math.random,
    sleep: (ms, until) => delay(ms, undefined, { signal: until }).catch(() => undefined),
    observe: {
      connected() {},
      answered() {},
      answerFailed() {},
      targetsFailed: told.reject,
      // One that was lost comes again.
      ended({ status, why }) {
        if (status === 'refused') told.reject(new Error(`the link was refused: ${why}`))
      },
      stopped: () => told.reject(new Error('the link was stopped')),
    },
  })
  const stop = new AbortController()
  const running = link.run(AbortSignal.any([signal, stop.signal]))
  const accepting = (async () => {
    for (;;) void serve(await server.connection()).catch(told.reject)
  })()
  // Ends when the server is closed.
  accepting.catch(() => undefined)
  try {
    await told.promise
    now = idle
    await delay(seconds * 1000, undefined, { signal })
    now = none()
    const [first, last] = [pingedAt[0] ?? 0, pingedAt.at(-1) ?? 0]
    const betweenPings = idle.pings < 2 ? undefined : (last - first) / (pingedAt.length - 1)
    return { seconds, connections, atFirst, idle, betweenPings }
  } finally {
    stop.abort()
    await running
    queries.close()
    await server.close()
  }
}

/** https://developers.cloudflare.com/durable-objects/platform/pricing/, Workers Paid, beyond what is included. */
const DOLLARS_PER_REQUEST = 0.15 / 1e6
const MESSAGES_PER_REQUEST = 20
const DOLLARS_PER_GB_SECOND = 12.5 / 1e6
const OBJECT_GB = 0.128
const HOUR_SECONDS = 3600
const MONTH_HOURS = 30 * 24

export function describeIdleLink(measured: IdleLink): string[] {
  const { seconds, connections, atFirst, idle, betweenPings } = measured
  const hourly = (frames: number) => (frames * HOUR_SECONDS) / seconds
  const pings =
    betweenPings === undefined ? hourly(idle.pings) : (HOUR_SECONDS * 1000) / betweenPings
  const others = hourly(idle.others)
  const monthly = (frames: number) =>
    `$${((frames * MONTH_HOURS * DOLLARS_PER_REQUEST) / MESSAGES_PER_REQUEST).toFixed(5)}`
  const awake = OBJECT_GB * DOLLARS_PER_GB_SECOND * HOUR_SECONDS * MONTH_HOURS
  const how =
    betweenPings === undefined
      ? 'by their number; with two or more it would be by the time between them'
      : `by ${(betweenPings / 1000).toFixed(1)} s between two of them`
  return [
    `Idle link, ${seconds} s, the relay’s end in this process and a counting server in the worker’s place; connections: ${connections}.`,
    '',
    '| | once a connection | in the idle time | an hour, extrapolated |',
    '| --- | --- | --- | --- |',
    `| relay → object: pings, answered by the platform | ${atFirst.pings} | ${idle.pings} | ${pings.toFixed(0)} |`,
    `| relay → object: others, which wake it | ${atFirst.others} | ${idle.others} | ${others.toFixed(0)} |`,
    `| object → relay, with the platform’s pongs | ${atFirst.sent} | ${idle.sent} | ${(pings + hourly(idle.sent - idle.pings)).toFixed(0)} |`,
    '',
    `Pings an hour are extrapolated ${how}.`,
    'Cost of one relay’s idle link in a month of 30 days, beyond what is included: $0.15 a million requests of the object, incoming WebSocket',
    'messages counted 20 to a request, outgoing ones free. Whether a message that the platform answers by itself is counted is not documented:',
    `${monthly(pings + others)} if it is, ${monthly(others)} if it is not. Assumed, as documented: such an answer does not wake the object, and one that could hibernate`,
    `is not billed for duration (one that stays awake would be $${awake.toFixed(2)}). Besides, each connection is a request of the worker and one of the object.`,
  ]
}
