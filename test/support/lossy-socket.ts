// A socket factory for kafkajs that harms one request or one answer on the wire, the way a network does: the connection is reset and
// nobody learns how far the bytes got; or it stays open and nothing more arrives; or the answer takes its time.
import { connect } from 'node:net'
import type { ISocketFactory } from 'kafkajs'

export const PRODUCE = 0
export const END_TXN = 26
const API_KEY_AT = 4

export type Loss =
  // The request never gets there.
  | 'request'
  // It is carried out, and the answer never arrives.
  | 'answer'

export interface LossySockets {
  socketFactory: ISocketFactory
  // Sockets opened so far.
  readonly opened: number
  // The next request with this API key, or the answer to it, is lost. Resolves when it was.
  loseNext(loss: Loss, apiKey: number): Promise<void>
  // The connection of the next request with this API key is half-open from then on: what is written gets there, nothing comes back.
  // Resolves when the request was written.
  halfOpenNext(apiKey: number): Promise<void>
  // What comes back on the connection of the next such request waits for `release`. Resolves when something waits.
  holdNext(apiKey: number): Promise<{ release(): void }>
}

type Armed = { apiKey: number } & (
  | { harm: Loss | 'half_open'; done(): void }
  | { harm: 'hold'; done(held: { release(): void }): void }
)

export function createLossySockets(): LossySockets {
  let armed: Armed | undefined
  let opened = 0
  const socketFactory: ISocketFactory = ({ host, port, onConnect }) => {
    opened++
    const socket = connect({ host, port }, onConnect)
    const write = socket.write.bind(socket)
    // What becomes of data that arrives; undefined: it is handed on.
    let receive: ((pass: () => void) => void) | undefined
    const reset = (done: () => void) => {
      socket.destroy(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }))
      done()
    }
    const hold = (done: (held: { release(): void }) => void) => {
      const held: (() => void)[] = []
      receive = (pass) => {
        held.push(pass)
        if (held.length > 1) return
        done({
          release() {
            receive = undefined
            for (const each of held) each()
          },
        })
      }
    }
    socket.write = (...args: unknown[]): boolean => {
      const frame = args[0]
      if (armed && Buffer.isBuffer(frame) && frame.readInt16BE(API_KEY_AT) === armed.apiKey) {
        const now = armed
        armed = undefined
        switch (now.harm) {
          case 'request':
            reset(now.done)
            return true
          case 'answer':
            receive = () => reset(now.done)
            break
          case 'half_open':
            receive = () => undefined
            now.done()
            break
          case 'hold':
            hold(now.done)
        }
      }
      return Reflect.apply(write, socket, args)
    }
    const on = socket.on.bind(socket)
    socket.on = (event: string, listener: (...args: never[]) => void) => {
      if (event !== 'data') return Reflect.apply(on, socket, [event, listener])
      const guarded = (...args: unknown[]) => {
        const pass = () => void Reflect.apply(listener, socket, args)
        if (receive) receive(pass)
        else pass()
      }
      return Reflect.apply(on, socket, [event, guarded])
    }
    return socket
  }
  return {
    socketFactory,
    get opened() {
      return opened
    },
    loseNext: (harm, apiKey) => new Promise<void>((done) => (armed = { harm, apiKey, done })),
    halfOpenNext: (apiKey) =>
      new Promise<void>((done) => (armed = { harm: 'half_open', apiKey, done })),
    holdNext: (apiKey) => new Promise((done) => (armed = { harm: 'hold', apiKey, done })),
  }
}
