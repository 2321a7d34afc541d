/**
 * The relay link's object: holds the sockets of all relays, and asks them. What must outlast the object is in the sockets' attachments, so
 * it may be evicted between two frames; only an open question keeps it in memory. Refuses, by closing, a relay of another version or
 * instance and whatever is no frame. Who may connect is the route's decision.
 */
import { DurableObject } from 'cloudflare:workers'
import {
  LINK_CLOSE,
  LINK_PING,
  LINK_PONG,
  LINK_VERSION,
  MAX_LINK_FRAME_BYTES,
  RelayFrame,
  type LinkQuery,
  type TargetState,
  type WorkerFrame,
} from '#contract'
import { describeError, log } from '../log.ts'
import { REGISTRY_NAME, type Registry } from '../registry/registry.ts'
import { withinMs } from '../time-limit.ts'
import { Questions, type Asked } from './questions.ts'

/** There is one link object a deployment. */
export const RELAY_LINK_NAME = 'relay-link'

/** What a socket keeps over an eviction, from its hello on. */
interface Attachment {
  relay: string
  /** Unix ms of the hello. */
  since: number
}

/** RFC 6455 section 7.4.1: the relay comes again and tells all. */
const CLOSE_TRY_AGAIN = 1011

const REGISTRY_LIMIT_MS = 5_000
const WATCH_AGAIN_MS = 10_000

/**
 * A new list ends the look that a relay is taking. So lists keep this distance: else somebody who changes one task again and again would
 * keep the relays from ever finding out about the others' topics.
 */
const WATCH_APART_MS = 250

export class RelayLink extends DurableObject<Env> {
  readonly #questions = new Questions<WebSocket>({
    links: () => this.#relays(),
    send: (socket, frame) => this.#send(socket, frame),
    seen: (socket) =>
      Math.max(
        attachmentOf(socket)?.since ?? 0,
        this.ctx.getWebSocketAutoResponseTimestamp(socket)?.getTime() ?? 0,
      ),
    now: () => Date.now(),
    after(ms, run) {
      const timer = setTimeout(run, ms)
      return () => clearTimeout(timer)
    },
    firstId: randomId(),
  })
  /** A list that is to be told soon, and when the last one was told, Unix ms. */
  #nextWatch: Promise<void> | undefined
  #watchedAt = 0
  /** The last of the calls to the registry, which come one after another. */
  #turn: Promise<unknown> = Promise.resolve()

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env)
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair(LINK_PING, LINK_PONG))
  }

  /** Takes the socket; it is no relay before its hello. */
  override fetch(): Response {
    const { 0: client, 1: server } = new WebSocketPair()
    this.ctx.acceptWebSocket(server)
    return new Response(null, { status: 101, webSocket: client })
  }

  /** Answers within the time, whatever the relays do. */
  ask(query: LinkQuery, ms: number): Promise<Asked> {
    return this.#questions.ask(query, ms)
  }

  /** Tells all relays which topics to look at, all who ask meanwhile with one list. What fails now is done later, by the alarm. */
  watchTargets(): Promise<void> {
    const ms = this.#watchedAt + WATCH_APART_MS - Date.now()
    if (ms <= 0) return this.#watchAll()
    this.#nextWatch ??= scheduler.wait(Math.min(ms, WATCH_APART_MS)).then(() => this.#watchAll())
    return this.#nextWatch
  }

  #watchAll(): Promise<void> {
    // Whoever asks from here on may know of a change that this list has not.
    this.#nextWatch = undefined
    this.#watchedAt = Date.now()
    return this.#watch(() => this.#relays())
  }

  wake(shards: number[]): void {
    for (const socket of this.#relays()) this.#send(socket, { type: 'wake', shards })
  }

  /** Who is connected. */
  relays(): { relay: string }[] {
    return this.#relays().map((socket) => ({ relay: attachmentOf(socket)?.relay ?? '' }))
  }

  override alarm(): Promise<void> {
    return this.watchTargets()
  }

  override async webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): Promise<void> {
    // We closed it; what was under way still comes.
    if (socket.readyState !== WebSocket.OPEN) return
    const frame = parseFrame(message)
    if (typeof frame === 'string') return this.#close(socket, LINK_CLOSE.badFrame, frame)
    if ((frame.type === 'hello') !== (attachmentOf(socket) === null)) {
      return this.#close(socket, LINK_CLOSE.badFrame, 'hello comes first, and once')
    }
    this.#questions.heard(socket)
    switch (frame.type) {
      case 'hello':
        return this.#greet(socket, frame)
      case 'answer':
        return this.#questions.answer(socket, frame.id, frame.answer)
      case 'targets':
        return this.#apply(socket, frame.targets)
    }
  }

  override webSocketClose(socket: WebSocket): void {
    this.#questions.gone(socket)
  }

  override webSocketError(socket: WebSocket): void {
    this.#questions.gone(socket)
  }

  async #greet(
    socket: WebSocket,
    { v, instance, relay }: Extract<RelayFrame, { type: 'hello' }>,
  ): Promise<void> {
    const { INSTANCE_ID } = this.env
    if (v !== LINK_VERSION) {
      const reason = `version ${LINK_VERSION} is spoken here`
      return this.#close(socket, LINK_CLOSE.badVersion, reason)
    }
    if (instance !== INSTANCE_ID) {
      return this.#close(socket, LINK_CLOSE.badInstance, `this is ${INSTANCE_ID}`)
    }
    socket.serializeAttachment({ relay, since: Date.now() } satisfies Attachment)
    this.#send(socket, { type: 'welcome', v: LINK_VERSION })
    await this.#watch(() => [socket])
  }

  async #watch(sockets: () => WebSocket[]): Promise<void> {
    // Nobody to tell: who comes is told then.
    if (sockets().length === 0) return
    try {
      await this.#inTurn(async (registry) => {
        const { topics, create } = await withinMs(REGISTRY_LIMIT_MS, registry.targetTopics())
        for (const socket of sockets()) this.#send(socket, { type: 'watch', topics, create })
      })
    } catch (error) {
      const message = 'Could not tell the relays which topics to look at.'
      log({ level: 'error', message, cause: describeError(error) })
      await this.ctx.storage.setAlarm(Date.now() + WATCH_AGAIN_MS)
    }
  }

  /** A relay tells a target again only when it changes, so one that could not be taken must not be passed by: the relay has to tell all. */
  async #apply(socket: WebSocket, targets: TargetState[]): Promise<void> {
    try {
      await this.#inTurn((registry) => withinMs(REGISTRY_LIMIT_MS, registry.applyTargets(targets)))
    } catch (error) {
      const reason = 'the targets could not be taken now'
      this.#close(socket, CLOSE_TRY_AGAIN, reason, describeError(error))
    }
  }

  /** One after another, so that a relay never gets an older list last, nor the registry an older state. Tries twice. */
  #inTurn(run: (registry: DurableObjectStub<Registry>) => Promise<void>): Promise<void> {
    const once = (): Promise<void> => run(this.env.REGISTRY.getByName(REGISTRY_NAME))
    const done = this.#turn.then(once).catch(once)
    this.#turn = done.catch(() => undefined)
    return done
  }

  /** The sockets that said hello and are open. */
  #relays(): WebSocket[] {
    return this.ctx
      .getWebSockets()
      .filter((socket) => socket.readyState === WebSocket.OPEN && attachmentOf(socket) !== null)
  }

  #send(socket: WebSocket, frame: WorkerFrame): boolean {
    try {
      socket.send(JSON.stringify(frame))
      return true
    } catch {
      // It is closed; that comes as an event of its own.
      return false
    }
  }

  #close(socket: WebSocket, code: number, reason: string, cause?: string): void {
    const relay = attachmentOf(socket)?.relay
    log({ level: 'warn', message: 'Closed a relay link.', relay, code, reason, cause })
    socket.close(code, reason)
    this.#questions.gone(socket)
  }
}

/** null before the hello. */
function attachmentOf(socket: WebSocket): Attachment | null {
  return socket.deserializeAttachment() as Attachment | null
}

/** The frame, or what is wrong: short enough for a close reason. */
function parseFrame(message: string | ArrayBuffer): RelayFrame | string {
  if (typeof message !== 'string') return 'a frame is a text'
  // A UTF-16 unit has at most 3 bytes of UTF-8, so most frames need no count.
  const bytes =
    message.length * 3 > MAX_LINK_FRAME_BYTES
      ? new TextEncoder().encode(message).length
      : message.length
  if (bytes > MAX_LINK_FRAME_BYTES) return `a frame has at most ${MAX_LINK_FRAME_BYTES} bytes`
  try {
    const frame = RelayFrame.safeParse(JSON.parse(message))
    return frame.success ? frame.data : 'this is no frame of the protocol'
  } catch {
    return 'a frame is JSON'
  }
}

/** An earlier life of the object began elsewhere in 2^52 numbers, so no late answer finds a question of this one. */
function randomId(): number {
  const [random = 0] = crypto.getRandomValues(new Uint32Array(1))
  return random * 2 ** 20 + 1
}
