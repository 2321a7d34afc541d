/** A relay's end of the link, as a test holds it: frames in the order they came, and what the socket was closed with. */
import type { LinkAnswer, RelayFrame, WorkerFrame } from '#contract'

const INSTANCE = 'ckafka-devlocal'

export class TestRelay {
  readonly #socket: WebSocket
  readonly #texts: string[] = []
  readonly #waiting: ((text: string) => void)[] = []
  readonly closed: Promise<{ code: number; reason: string }>

  constructor(socket: WebSocket) {
    this.#socket = socket
    socket.addEventListener('message', ({ data }) => {
      const text = String(data)
      const waiter = this.#waiting.shift()
      if (waiter) waiter(text)
      else this.#texts.push(text)
    })
    this.closed = new Promise((resolve) => {
      socket.addEventListener('close', ({ code, reason }) => resolve({ code, reason }))
    })
    // It does not close its own half, as a relay that hangs.
    socket.accept({ allowHalfOpen: true })
  }

  send(frame: RelayFrame): void {
    this.#socket.send(JSON.stringify(frame))
  }

  sendRaw(data: string | ArrayBuffer): void {
    this.#socket.send(data)
  }

  hello(relay = 'r1', over: { v?: number; instance?: string } = {}): void {
    this.send({ type: 'hello', v: 1, instance: INSTANCE, relay, ...over })
  }

  answer(id: number, answer: LinkAnswer): void {
    this.send({ type: 'answer', id, answer })
  }

  nextText(): Promise<string> {
    const text = this.#texts.shift()
    if (text !== undefined) return Promise.resolve(text)
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  async next(): Promise<WorkerFrame> {
    return JSON.parse(await this.nextText()) as WorkerFrame
  }

  /** The next frame, which must be a question. */
  async query(): Promise<Extract<WorkerFrame, { type: 'query' }>> {
    const frame = await this.next()
    if (frame.type !== 'query') throw new Error(`not a question: ${frame.type}`)
    return frame
  }

  close(code = 1000): void {
    this.#socket.close(code)
  }
}

/** @throws when there is no upgrade */
export function relayOf({ webSocket }: Response): TestRelay {
  if (!webSocket) throw new Error('no upgrade')
  return new TestRelay(webSocket)
}
