/**
 * One WebSocket to the worker, by undici: texts in, texts out, and why it ended. It knows nothing of what is said. What it adds to
 * undici's: the reason of a failed handshake, a limit for messages, and an end that asks nobody: `close` of a WebSocket waits for the
 * other side for ever, and so does a half-open line.
 */
import { Socket } from 'node:net'
import { buildConnector, Client, WebSocket, type Dispatcher } from 'undici'
import { MAX_LINK_FRAME_BYTES } from '#contract'

export type SocketEnd =
  /** Never opened; with the HTTP status, where there was an answer. */
  | { status: 'not_opened'; httpStatus: number | undefined; why: string }
  /** The code is of RFC 6455 section 7.4; 1006: no close frame came. */
  | { status: 'closed'; code: number; why: string }

export interface LinkSocket {
  /** Rejects never; resolves false when it ended before. */
  readonly opened: Promise<boolean>
  readonly ended: Promise<SocketEnd>
  /** Bytes that are not given to the network yet. */
  readonly bufferedBytes: number
  /** What is sent when it is not open goes nowhere. */
  send(text: string): void
  /** Says why, and waits for the other side to agree until `abandon`. */
  close(code: number, reason: string): void
  /** Ends it at once, in whatever state it is. */
  abandon(): void
}

export interface SocketOptions {
  url: URL
  token: string
  connectMs: number
  /** Undefined: a message that is no text. */
  onMessage(text: string | undefined): void
}

export function openSocket({ url, token, connectMs, onMessage }: SocketOptions): LinkSocket {
  const opened = Promise.withResolvers<boolean>()
  const ended = Promise.withResolvers<SocketEnd>()
  let line: Socket | undefined
  let isOpen = false
  let httpStatus: number | undefined
  let problem: string | undefined

  const connect = buildConnector({ timeout: connectMs, allowH2: false })
  const client = new Client(url.origin.replace(/^ws/, 'http'), {
    allowH2: false,
    headersTimeout: connectMs,
    webSocket: { maxPayloadSize: MAX_LINK_FRAME_BYTES },
    connect(options, callback) {
      // It returns the socket, which its type does not say: the only way to end one that is still being connected.
      const dialled: unknown = connect(options, callback)
      if (dialled instanceof Socket) line = dialled
    },
  })
  // The WebSocket itself says of a failed handshake that it failed.
  const listening: Dispatcher.DispatchInterceptor = (dispatch) => (options, handler) =>
    dispatch(options, {
      onRequestStart: (...args) => handler.onRequestStart?.(...args),
      onRequestUpgrade: (...args) => handler.onRequestUpgrade?.(...args),
      onResponseStart(controller, status, ...rest) {
        httpStatus = status
        handler.onResponseStart?.(controller, status, ...rest)
      },
      onResponseData: (...args) => handler.onResponseData?.(...args),
      onResponseEnd: (...args) => handler.onResponseEnd?.(...args),
      onResponseError(controller, error) {
        problem ??= describe(error)
        handler.onResponseError?.(controller, error)
      },
    })
  const socket = new WebSocket(url, {
    dispatcher: client.compose(listening),
    headers: { authorization: `Bearer ${token}` },
  })
  socket.binaryType = 'arraybuffer'
  socket.addEventListener('open', () => {
    isOpen = true
    opened.resolve(true)
  })
  socket.addEventListener('message', ({ data }) => {
    onMessage(typeof data === 'string' ? data : undefined)
  })
  socket.addEventListener('close', ({ code, reason }) => {
    end(
      isOpen
        ? { status: 'closed', code, why: reason || `the line ended with ${code}` }
        : {
            status: 'not_opened',
            httpStatus,
            why:
              httpStatus === undefined
                ? (problem ?? 'the handshake failed')
                : `the worker answers ${httpStatus}`,
          },
    )
  })

  function end(as: SocketEnd): void {
    opened.resolve(false)
    ended.resolve(as)
    // The client is of this connection alone; nothing of it may keep the process alive.
    void client.destroy()
    line?.destroy()
  }

  return {
    opened: opened.promise,
    ended: ended.promise,
    get bufferedBytes() {
      return socket.bufferedAmount
    },
    send: (text) => void (isOpen && socket.send(text)),
    close: (code, reason) => socket.close(code, reason),
    abandon() {
      const why = 'it is given up'
      end(
        isOpen ? { status: 'closed', code: 1006, why } : { status: 'not_opened', httpStatus, why },
      )
      if (!isOpen) socket.close()
    },
  }
}

/** Node says what is wrong with each address in an error of errors without words. */
function describe(error: Error): string {
  if (error instanceof AggregateError && error.message === '') {
    return error.errors.map((each) => (each instanceof Error ? each.message : '')).join('; ')
  }
  return error.message
}
