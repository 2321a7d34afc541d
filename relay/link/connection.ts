/**
 * One connection of the link, from the dial to its end: hello and welcome, the worker's frames, the heartbeat. How it ended is its result;
 * whether there is another one is the link's affair.
 *
 * States: dialling → open (hello is sent) → connected (welcomed) → over. Each of the first two has the same time limit; from connected on
 * the heartbeat finds out when nobody is there any more.
 */
import {
  LINK_CLOSE,
  LINK_PING,
  LINK_PONG,
  LINK_VERSION,
  MAX_LINK_FRAME_BYTES,
  WorkerFrame,
  type InstanceId,
  type LinkOp,
  type RelayFrame,
} from '#contract'
import type { BackoffOptions } from '../backoff.ts'
import type { Queries } from '../query/query.ts'
import { createQuestions, type QueryResult } from './questions.ts'
import { openSocket, type SocketEnd } from './socket.ts'
import { createTargetWatch } from './targets.ts'

export type ConnectionEnd =
  | { status: 'stopped' }
  /** Somebody has to change something before another try can succeed. */
  | { status: 'refused'; why: string }
  /** It was never connected. */
  | { status: 'failed'; why: string }
  | { status: 'lost'; why: string }

export interface ConnectionDeps {
  /** ws: or wss:. */
  url: URL
  token: string
  instance: InstanceId
  relay: string
  queries: Pick<Queries, 'answer' | 'targets'>
  onWake(shards: readonly number[]): void
  times: ConnectionTimes
  /** Monotonic, ms. */
  clock(): number
  random(): number
  /** Ends early when the signal aborts; never throws. */
  sleep(ms: number, signal: AbortSignal): Promise<void>
  observe: ConnectionEvents
}

export interface ConnectionEvents {
  connected(): void
  answered(op: LinkOp, result: QueryResult, seconds: number): void
  answerFailed(op: LinkOp, error: unknown): void
  targetsFailed(error: unknown): void
}

export interface ConnectionTimes {
  /** From the dial to the welcome. */
  welcomeMs: number
  /** Of silence, in either direction, before a ping. */
  silenceMs: number
  /** For anything to come after a ping. */
  pongMs: number
  /** For the other side to agree to a close. */
  closeMs: number
  /** Between two looks at the target topics. */
  targetsMs: number
  targetsRetry: BackoffOptions
}

/** Answers that wait for a slow receiver; a large one that would exceed this is refused. */
const MAX_BUFFERED_BYTES = 2 * MAX_LINK_FRAME_BYTES
/** What small frames may add to it. A worker that asks and never reads is given up here. */
const FULL_BYTES = MAX_BUFFERED_BYTES + 1_048_576

export async function runConnection(
  deps: ConnectionDeps,
  signal: AbortSignal,
): Promise<ConnectionEnd> {
  const { times, clock, random, sleep, observe, queries } = deps
  const over = new AbortController()
  const ended = Promise.withResolvers<ConnectionEnd>()
  let isConnected = false
  let received = 0
  let lastReceived = 0
  let lastSent = 0

  const socket = openSocket({
    url: deps.url,
    token: deps.token,
    connectMs: times.welcomeMs,
    onMessage,
  })
  const questions = createQuestions({
    queries,
    send,
    roomBytes: () => MAX_BUFFERED_BYTES - socket.bufferedBytes,
    clock,
    sleep,
    onAnswered: observe.answered,
    onFailed: observe.answerFailed,
  })
  const targets = createTargetWatch({
    queries,
    tell: (states) => sendFrame({ type: 'targets', targets: states }),
    everyMs: times.targetsMs,
    retry: times.targetsRetry,
    random,
    sleep,
    onFailed: observe.targetsFailed,
  })

  function finish(end: ConnectionEnd, goodbye?: { code: number; reason: string }): void {
    if (over.signal.aborted) return
    over.abort()
    questions.end()
    targets.end()
    if (goodbye) socket.close(goodbye.code, goodbye.reason)
    else socket.abandon()
    ended.resolve(end)
  }

  const broken = (why: string): ConnectionEnd => ({ status: isConnected ? 'lost' : 'failed', why })

  function send(text: string): void {
    if (over.signal.aborted) return
    if (socket.bufferedBytes > FULL_BYTES) {
      finish(broken('the worker asks and does not read the answers'))
      return
    }
    lastSent = clock()
    socket.send(text)
  }

  const sendFrame = (frame: RelayFrame) => send(JSON.stringify(frame))

  function onMessage(text: string | undefined): void {
    if (over.signal.aborted) return
    received++
    lastReceived = clock()
    if (text === LINK_PONG) return
    const frame = parse(text)
    const isExpected = frame && (frame.type === 'welcome') !== isConnected
    if (!isExpected || !take(frame)) {
      const reason = frame ? `${frame.type} at the wrong time` : 'no frame of the link'
      finish(broken(`the worker sent ${reason}`), { code: LINK_CLOSE.badFrame, reason })
    }
  }

  /** False: it may not come now. */
  function take(frame: WorkerFrame): boolean {
    switch (frame.type) {
      case 'welcome':
        if (frame.v !== LINK_VERSION) {
          const why = `the worker speaks version ${frame.v} of the link, the relay ${LINK_VERSION}`
          finish({ status: 'refused', why }, { code: LINK_CLOSE.badVersion, reason: why })
          return true
        }
        isConnected = true
        observe.connected()
        void beat()
        return true
      case 'query':
        return questions.ask(frame)
      case 'cancel':
        questions.cancel(frame.id)
        return true
      case 'watch':
        targets.watch({ topics: frame.topics, create: frame.create })
        return true
      case 'wake':
        deps.onWake(frame.shards)
        return true
    }
  }

  async function beat(): Promise<void> {
    while (!over.signal.aborted) {
      const silent = clock() - Math.min(lastReceived, lastSent)
      if (silent < times.silenceMs) {
        await sleep(times.silenceMs - silent, over.signal)
        continue
      }
      const before = received
      send(LINK_PING)
      await sleep(times.pongMs, over.signal)
      if (received === before) finish(broken('nothing comes from the worker any more'))
    }
  }

  const stop = () => finish({ status: 'stopped' }, { code: 1000, reason: 'the relay stops' })
  if (signal.aborted) stop()
  signal.addEventListener('abort', stop)
  void socket.opened.then((isOpen) => {
    if (!isOpen) return
    const { instance, relay } = deps
    sendFrame({ type: 'hello', v: LINK_VERSION, instance, relay })
  })
  void socket.ended.then((end) => finish(meaningOf(end, isConnected)))
  void sleep(times.welcomeMs, over.signal).then(() => {
    if (!isConnected) finish(broken('the worker said no welcome in time'))
  })

  try {
    const end = await ended.promise
    const closed = new AbortController()
    void socket.ended.then(() => closed.abort())
    await sleep(times.closeMs, closed.signal)
    return end
  } finally {
    signal.removeEventListener('abort', stop)
    socket.abandon()
  }
}

function parse(text: string | undefined): WorkerFrame | undefined {
  if (text === undefined) return undefined
  try {
    return WorkerFrame.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}

function meaningOf(end: SocketEnd, wasConnected: boolean): ConnectionEnd {
  const { why } = end
  if (end.status === 'closed') {
    const isRefusal = end.code === LINK_CLOSE.badVersion || end.code === LINK_CLOSE.badInstance
    if (isRefusal) return { status: 'refused', why }
    return { status: wasConnected ? 'lost' : 'failed', why }
  }
  const { httpStatus = 0 } = end
  // 408 and 429 pass; the other 4xx are a wrong token, a wrong address, or a worker that has no link yet.
  const isRefusal =
    httpStatus >= 400 && httpStatus < 500 && httpStatus !== 408 && httpStatus !== 429
  return { status: isRefusal ? 'refused' : 'failed', why }
}
