// A socket factory for kafkajs that loses one request or one answer on the wire, the way a network
// does: the connection is reset, and nobody learns how far the bytes got.
import { connect } from 'node:net'
import type { ISocketFactory } from 'kafkajs'

export const END_TXN = 26
const API_KEY_AT = 4

export type Loss = 'request' | 'answer'

export interface LossySockets {
  socketFactory: ISocketFactory
  // The next request with this API key, or the answer to it, is lost. Resolves when it was.
  loseNext(loss: Loss, apiKey: number): Promise<void>
}

export function createLossySockets(): LossySockets {
  let armed: { loss: Loss; apiKey: number; done: () => void } | undefined
  const socketFactory: ISocketFactory = ({ host, port, onConnect }) => {
    const socket = connect({ host, port }, onConnect)
    const write = socket.write.bind(socket)
    let swallowAnswer: (() => void) | undefined
    const reset = (done: () => void) => {
      socket.destroy(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }))
      done()
    }
    socket.write = (...args: unknown[]): boolean => {
      const frame = args[0]
      if (armed && Buffer.isBuffer(frame) && frame.readInt16BE(API_KEY_AT) === armed.apiKey) {
        const { loss, done } = armed
        armed = undefined
        if (loss === 'request') {
          reset(done)
          return true
        }
        swallowAnswer = () => reset(done)
      }
      return Reflect.apply(write, socket, args)
    }
    const on = socket.on.bind(socket)
    socket.on = (event: string, listener: (...args: never[]) => void) => {
      if (event !== 'data') return Reflect.apply(on, socket, [event, listener])
      const guarded = (...args: unknown[]) => {
        if (swallowAnswer) swallowAnswer()
        else Reflect.apply(listener, socket, args)
      }
      return Reflect.apply(on, socket, [event, guarded])
    }
    return socket
  }
  return {
    socketFactory,
    loseNext: (loss, apiKey) => new Promise<void>((done) => (armed = { loss, apiKey, done })),
  }
}
