// The server's side of RFC 6455 on Node's http, as much of it as tests of a client need, and all that a real server does not do: it
// can refuse, stay silent, stop reading, send what is no frame, or break off.
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
const TEXT = 1
const BINARY = 2
const CLOSE = 8

export interface WebSocketServer {
  // With http:.
  url: string
  // Upgrades are answered with this from now on; undefined: they are accepted.
  refuseWith: number | undefined
  // Nothing is answered to an upgrade.
  isDeaf: boolean
  // Upgrades that were asked for, refused ones too.
  readonly asked: readonly IncomingMessage[]
  // The next connection that nobody took yet.
  connection(): Promise<ServerConnection>
  close(): Promise<void>
}

export interface ServerConnection {
  request: IncomingMessage
  // The next text that nobody took yet; undefined: there will be none.
  text(): Promise<string | undefined>
  // Texts that came and that nobody took yet.
  readonly waiting: readonly string[]
  send(text: string): void
  sendBinary(bytes: Buffer): void
  // Whatever it is, without a frame around it.
  write(bytes: Buffer): void
  close(code: number, reason?: string): void
  // From now on nothing is read, and nothing answered.
  stopReading(): void
  resumeReading(): void
  // Resolves with the code of the client's close frame, or undefined when the line ended without one.
  ended: Promise<number | undefined>
  destroy(): void
}

// A queue whose reader may come before what it waits for.
function mailbox<T>() {
  const items: T[] = []
  const takers: ((item: T | undefined) => void)[] = []
  let isClosed = false
  return {
    items,
    put(item: T) {
      const taker = takers.shift()
      if (taker) taker(item)
      else items.push(item)
    },
    take: () =>
      new Promise<T | undefined>((resolve) => {
        if (items.length > 0 || isClosed) resolve(items.shift())
        else takers.push(resolve)
      }),
    close() {
      isClosed = true
      for (const taker of takers.splice(0)) taker(undefined)
    },
  }
}

export async function startWebSocketServer(): Promise<WebSocketServer> {
  const sockets = new Set<Duplex>()
  const connections = mailbox<ServerConnection>()
  const asked: IncomingMessage[] = []
  const http = createServer((_, response) => response.writeHead(404).end())
  http.on('connection', (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  http.on('upgrade', (request, socket) => {
    asked.push(request)
    socket.on('error', () => undefined)
    if (server.isDeaf) return
    if (server.refuseWith !== undefined) {
      socket.end(`HTTP/1.1 ${server.refuseWith} No\r\ncontent-length: 0\r\n\r\n`)
      return
    }
    const key = request.headers['sec-websocket-key'] ?? ''
    const accept = createHash('sha1').update(`${key}${GUID}`).digest('base64')
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: ${accept}\r\n\r\n`,
    )
    connections.put(serve(request, socket))
  })
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')

  const server: WebSocketServer = {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    refuseWith: undefined,
    isDeaf: false,
    asked,
    async connection() {
      const connection = await connections.take()
      if (!connection) throw new Error('the server is closed')
      return connection
    },
    async close() {
      connections.close()
      for (const socket of sockets) socket.destroy()
      http.close()
      await once(http, 'close')
    },
  }
  return server
}

function serve(request: IncomingMessage, socket: Duplex): ServerConnection {
  const texts = mailbox<string>()
  const ended = Promise.withResolvers<number | undefined>()
  let bytes = Buffer.alloc(0)
  let isReading = true

  socket.on('data', (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk])
    for (;;) {
      const frame = parseFrame(bytes)
      if (!frame) return
      bytes = bytes.subarray(frame.length)
      if (frame.opcode === TEXT) texts.put(frame.payload.toString())
      if (frame.opcode === CLOSE) {
        ended.resolve(frame.payload.length < 2 ? 1005 : frame.payload.readUInt16BE(0))
        // An agreement to a close that came, or the answer to ours: in both cases the server ends the line.
        if (isReading) socket.end(frameOf(CLOSE, frame.payload))
      }
    }
  })
  socket.once('close', () => {
    texts.close()
    ended.resolve(undefined)
  })

  return {
    request,
    text: texts.take,
    waiting: texts.items,
    send: (text) => void socket.write(frameOf(TEXT, Buffer.from(text))),
    sendBinary: (payload) => void socket.write(frameOf(BINARY, payload)),
    write: (raw) => void socket.write(raw),
    close(code, reason = '') {
      const payload = Buffer.alloc(2 + Buffer.byteLength(reason))
      payload.writeUInt16BE(code)
      payload.write(reason, 2)
      socket.write(frameOf(CLOSE, payload))
    },
    stopReading() {
      isReading = false
      socket.pause()
    },
    resumeReading() {
      isReading = true
      socket.resume()
    },
    ended: ended.promise,
    destroy: () => void socket.destroy(),
  }
}

// RFC 6455 section 5.2: never in parts, and never masked.
function frameOf(opcode: number, payload: Buffer): Buffer {
  const { length } = payload
  const head = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10)
  head[0] = 0x80 | opcode
  head[1] = length < 126 ? length : length < 65_536 ? 126 : 127
  if (head.length === 4) head.writeUInt16BE(length, 2)
  if (head.length === 10) head.writeBigUInt64BE(BigInt(length), 2)
  return Buffer.concat([head, payload])
}

// The first frame of these bytes; undefined: it is not whole yet.
function parseFrame(
  bytes: Buffer,
): { opcode: number; payload: Buffer; length: number } | undefined {
  if (bytes.length < 2) return undefined
  const short = bytes.readUInt8(1) & 0x7f
  const maskAt = short === 126 ? 4 : short === 127 ? 10 : 2
  if (bytes.length < maskAt + 4) return undefined
  const size =
    short === 126 ? bytes.readUInt16BE(2) : short === 127 ? Number(bytes.readBigUInt64BE(2)) : short
  const begin = maskAt + 4
  if (bytes.length < begin + size) return undefined
  const mask = bytes.subarray(maskAt, begin)
  const payload = Buffer.from(bytes.subarray(begin, begin + size))
  for (let i = 0; i < size; i++) payload[i] = (payload[i] ?? 0) ^ (mask[i % 4] ?? 0)
  return { opcode: bytes.readUInt8(0) & 0x0f, payload, length: begin + size }
}
