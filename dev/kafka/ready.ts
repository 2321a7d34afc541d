// Waits until a broker answers and knows the brokers it should know, by a Metadata request over a plain
// socket. A listening port alone says nothing: a node opens it before it may serve. kafkajs is not used
// on purpose: its timers make Node print a TimeoutNegativeWarning, here in the user's terminal.
import { connect } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'

const POLL_MS = 50
const ANSWER_TIMEOUT_MS = 2_000

export interface ReadyOptions {
  readonly port: number
  // The broker has to list all of these. KRaft lists a broker only while it is not fenced, so a node
  // that was killed and started again is missing until its new incarnation is registered.
  readonly ids: readonly number[]
  // Rejects when there is nothing to wait for any more.
  readonly gone: Promise<never>
  readonly timeoutMs: number
}

export async function waitUntilReady({ port, ids, gone, timeoutMs }: ReadyOptions): Promise<void> {
  const deadline = Date.now() + timeoutMs
  let last = ''
  while (Date.now() < deadline) {
    const listed = await Promise.race([listBrokers(port).catch(String), gone])
    if (typeof listed !== 'string' && ids.every((id) => listed.includes(id))) return
    last = typeof listed === 'string' ? listed : `it lists the brokers ${listed.join() || 'none'}`
    await Promise.race([pause(POLL_MS), gone])
  }
  throw new Error(`Kafka at 127.0.0.1:${port} was not ready within ${timeoutMs} ms: ${last}`)
}

// The ids of the brokers in service, as this broker sees them.
async function listBrokers(port: number): Promise<number[]> {
  const { promise, resolve, reject } = Promise.withResolvers<number[]>()
  const socket = connect({ port, host: '127.0.0.1', timeout: ANSWER_TIMEOUT_MS })
  let received = Buffer.alloc(0)
  socket.on('data', (chunk: Buffer) => {
    received = Buffer.concat([received, chunk])
    if (received.length < 4 || received.length < 4 + received.readInt32BE(0)) return
    resolve(parseMetadata(received))
    socket.destroy()
  })
  socket.once('timeout', () => socket.destroy(new Error('no answer')))
  socket.once('error', reject)
  socket.once('close', () => reject(new Error('the connection was closed')))
  socket.write(metadataRequest())
  return promise
}

// Metadata, version 1, about no topic. https://kafka.apache.org/protocol#The_Messages_Metadata
const METADATA_KEY = 3
const METADATA_VERSION = 1

function metadataRequest(): Buffer {
  const frame = Buffer.alloc(18)
  frame.writeInt32BE(14, 0) // length of what follows
  frame.writeInt16BE(METADATA_KEY, 4)
  frame.writeInt16BE(METADATA_VERSION, 6)
  frame.writeInt32BE(1, 8) // correlation id
  frame.writeInt16BE(-1, 12) // no client id
  frame.writeInt32BE(0, 14) // no topics
  return frame
}

// length, correlation id, [node id, host, port, rack], …
function parseMetadata(frame: Buffer): number[] {
  let at = 8
  const skipString = (): void => {
    at += 2 + Math.max(0, frame.readInt16BE(at))
  }
  const count = frame.readInt32BE(at)
  at += 4
  return Array.from({ length: count }, () => {
    const id = frame.readInt32BE(at)
    at += 4
    skipString()
    at += 4
    skipString()
    return id
  })
}
