// Finds free ports on 127.0.0.1, or says which wanted port is taken. A port found free may be taken by
// someone else before the broker binds it; whoever chose the ports has to try again then.
import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'
import { isErrno } from '../files.ts'

// Below the range from which Linux (32768 up) and macOS (49152 up) take the ports of outgoing
// connections. A listener there can lose its port while it is down, to any connection; and a client
// that keeps dialling a dead port of that range can end up connected to itself. Tests that kill
// brokers would meet both, so the ports are not those that `listen(0)` gives.
const FIRST_PORT = 20_000
const LAST_PORT = 32_000
const TRIES = 200

export async function isFree(port: number): Promise<boolean> {
  const server = createServer()
  const { promise, resolve, reject } = Promise.withResolvers<boolean>()
  server.once('error', (error) => {
    if (isErrno(error, 'EADDRINUSE')) resolve(false)
    else reject(error)
  })
  server.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
    server.close(() => resolve(true))
  })
  return promise
}

export async function findFreePorts(count: number): Promise<number[]> {
  const found = new Set<number>()
  for (let tries = 0; tries < TRIES && found.size < count; tries += 1) {
    const port = randomInt(FIRST_PORT, LAST_PORT)
    if (!found.has(port) && (await isFree(port))) found.add(port)
  }
  if (found.size < count) {
    throw new Error(`No ${count} free ports between ${FIRST_PORT} and ${LAST_PORT} on 127.0.0.1.`)
  }
  return [...found]
}
