// The link with a server of this process at its other end, and questions that the test answers.
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import {
  InstanceId,
  LINK_VERSION,
  RelayFrame,
  type LinkAnswer,
  type LinkQuery,
  type TargetState,
  type WorkerFrame,
} from '#contract'
import { createLink, type LinkEvents, type LinkTimes } from '../../../relay/link/link.ts'
import type { WatchedTargets } from '../../../relay/query/targets.ts'
import {
  startWebSocketServer,
  type ServerConnection,
  type WebSocketServer,
} from '../../support/websocket-server.ts'

export const INSTANCE = InstanceId.parse('ckafka-abcdefgh')
export const TOKEN = 'relay-token-of-the-tests'
export const CLUSTER = { status: 'cluster', clusterId: 'abc', brokers: 3 } satisfies LinkAnswer

export type LinkEvent =
  | { event: 'connected' }
  | { event: 'ended'; status: string; why: string }
  // Between two tries.
  | { event: 'pause'; ms: number }
  | { event: 'answered'; op: string; result: string }
  | { event: 'answerFailed'; error: unknown }
  | { event: 'targetsFailed'; error: unknown }
  | { event: 'wake'; shards: readonly number[] }

// A question that the link asked, open until the test answers it.
export interface Asked {
  query: LinkQuery
  withinMs: number
  signal: AbortSignal
  answer(answer: LinkAnswer): void
  fail(error: Error): void
}

export interface Rig {
  server: WebSocketServer
  events: LinkEvent[]
  asked: Asked[]
  // As soon as something is found in what has happened.
  until<T>(find: () => T | undefined | false): Promise<T>
  // The next connection, after hello and welcome.
  welcomed(): Promise<Peer>
  stop(): Promise<void>
}

// The worker's end of a connection.
export interface Peer extends ServerConnection {
  frame(): Promise<RelayFrame>
  tell(frame: WorkerFrame): void
}

export interface RigOptions {
  times?: Partial<LinkTimes>
  answer?: (query: LinkQuery) => Promise<LinkAnswer>
  targets?: (watched: WatchedTargets, signal: AbortSignal) => Promise<TargetState[]>
  // Whether a pause between two tries lasts until the rig is stopped. Otherwise each ends at once.
  isPatient?: boolean
  // Now, for what is measured.
  clock?: () => number
  url?: string
  token?: string
  instance?: string
  // Told before each sleep that is no pause between two tries.
  onSleep?: (ms: number) => void
}

// Long enough for this machine's worst moments; what a test waits for shortens it.
const TIMES: Partial<LinkTimes> = { closeMs: 100 }

export async function startRig(options: RigOptions = {}): Promise<Rig> {
  const server = await startWebSocketServer()
  const events: LinkEvent[] = []
  const asked: Asked[] = []
  let changed = Promise.withResolvers<void>()
  const tell = (event: LinkEvent) => {
    events.push(event)
    changes()
  }
  const changes = () => {
    changed.resolve()
    changed = Promise.withResolvers()
  }
  const observe: LinkEvents = {
    connected: () => tell({ event: 'connected' }),
    ended: ({ status, why }) => tell({ event: 'ended', status, why }),
    stopped: () => undefined,
    answered: (op, result) => tell({ event: 'answered', op, result }),
    answerFailed: (_, error) => tell({ event: 'answerFailed', error }),
    targetsFailed: (error) => tell({ event: 'targetsFailed', error }),
  }
  const stop = new AbortController()
  const link = createLink({
    url: options.url ?? server.url,
    token: options.token ?? TOKEN,
    instance: InstanceId.parse(options.instance ?? INSTANCE),
    relay: 'relay-1',
    queries: {
      answer: (query, { withinMs, signal }) => {
        if (options.answer) return options.answer(query)
        const { promise, resolve, reject } = Promise.withResolvers<LinkAnswer>()
        asked.push({ query, withinMs, signal, answer: resolve, fail: reject })
        changes()
        return promise
      },
      targets: options.targets ?? (async () => []),
    },
    onWake: (shards) => tell({ event: 'wake', shards }),
    times: { ...TIMES, ...options.times },
    clock: options.clock ?? (() => performance.now()),
    random: () => 1,
    async sleep(ms, signal) {
      // The pauses between two tries are the only sleeps with the signal of the link itself.
      if (signal !== stop.signal) {
        options.onSleep?.(ms)
        changes()
        // The link's own timers, which are what is tested; no test waits by itself.
        await delay(ms, undefined, { signal }).catch(() => undefined)
        return
      }
      tell({ event: 'pause', ms })
      if (options.isPatient && !signal.aborted) await once(signal, 'abort')
      else await new Promise((resolve) => setImmediate(resolve))
    },
    observe,
  })
  const running = link.run(stop.signal)

  return {
    server,
    events,
    asked,
    async until(find) {
      for (;;) {
        const found = find()
        if (found !== undefined && found !== false) return found
        await changed.promise
      }
    },
    async welcomed() {
      const peer = peerOf(await server.connection())
      await peer.frame()
      peer.tell({ type: 'welcome', v: LINK_VERSION })
      return peer
    },
    async stop() {
      stop.abort()
      await running
      await server.close()
    },
  }
}

export function peerOf(connection: ServerConnection): Peer {
  return Object.assign(connection, {
    async frame() {
      const text = await connection.text()
      if (text === undefined) throw new Error('the line has ended')
      return RelayFrame.parse(JSON.parse(text))
    },
    tell: (frame: WorkerFrame) => connection.send(JSON.stringify(frame)),
  })
}

export const clusterQuery = (id: number, withinMs = 10_000): WorkerFrame => ({
  type: 'query',
  id,
  withinMs,
  query: { op: 'cluster' },
})
