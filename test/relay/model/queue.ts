// One queue with HTTP pull, in memory, on the model's clock: leases that run out, attempts, delays, no order, answers that are lost, acks
// that come late. What is handed out too often moves to the dead-letter queue.
import type { SourceName } from '../../../relay/item.ts'
import { QueueError, type Lease, type QueueClient } from '../../../relay/queue/client.ts'
import type { Life, Wire } from './calls.ts'

// In production it is 100.
const MAX_ATTEMPTS = 6

export interface Message {
  readonly id: string
  readonly body: string
  readonly queued: number
  attempts: number
  // Nobody gets it before.
  visibleAt: number
  lease: string | undefined
}

export class Queue {
  messages: Message[] = []
  // Ack of a message that is here.
  onAcked: (message: Message) => void = () => {}
  readonly #deadLetterQueue: Queue | undefined
  readonly #wire: Wire
  readonly #name: SourceName
  readonly #leaseMs: number
  // Every lease that ever was.
  readonly #leases = new Map<string, Message>()
  #count = 0

  constructor(wire: Wire, name: SourceName, leaseMs: number, deadLetterQueue?: Queue) {
    this.#wire = wire
    this.#name = name
    this.#leaseMs = leaseMs
    this.#deadLetterQueue = deadLetterQueue
  }

  send({ id, body }: Pick<Message, 'id' | 'body'>): void {
    const visibleAt = this.#wire.now
    this.messages.push({ id, body, queued: visibleAt, attempts: 0, visibleAt, lease: undefined })
  }

  // Takes one message over from another queue, as a redrive does: as if it were new.
  take(message: Message, from: Queue): void {
    from.messages = from.messages.filter((m) => m !== message)
    this.messages.push({ ...message, attempts: 0, visibleAt: this.#wire.now, lease: undefined })
  }

  client(life: Life): QueueClient {
    const failed = (what: string) => () => {
      throw new QueueError(`${what}: no answer`)
    }
    return {
      pull: (limit) =>
        this.#wire
          .call<Lease[]>(life, {
            what: `pull ${this.#name}`,
            execute: () => this.#pull(limit),
          })
          .catch(failed('pull')),
      settle: (acks, retries) =>
        this.#wire
          .call<void>(life, {
            what: `settle ${this.#name} acks ${acks.join(' ')} retries ${retries.map((r) => r.leaseId).join(' ')}`,
            execute: (parts) => {
              for (const lease of acks.slice(0, parts)) this.#ack(lease)
              for (const { leaseId, delaySeconds } of retries.slice(0, parts)) {
                this.#retry(leaseId, delaySeconds)
              }
            },
          })
          .catch(failed('ack')),
    }
  }

  #pull(limit: number): Lease[] {
    const { now } = this.#wire
    const used = this.messages.filter((m) => m.visibleAt <= now && m.attempts >= MAX_ATTEMPTS)
    for (const message of used) this.#deadLetterQueue?.take(message, this)
    const visible = this.messages
      .filter((m) => m.visibleAt <= now)
      .map((message) => ({ message, order: this.#wire.random() }))
      .sort((a, b) => a.order - b.order)
    return visible.slice(0, limit).map(({ message }) => {
      const leaseId = `${this.#name === 'queue' ? 'q' : 'd'}${++this.#count}`
      this.#leases.set(leaseId, message)
      message.lease = leaseId
      message.attempts++
      message.visibleAt = now + this.#leaseMs
      const { id: messageId, body, attempts, queued } = message
      return { leaseId, messageId, body: Buffer.from(body), attempts, queued }
    })
  }

  // A lease that ran out, or was followed by another one, may still work.
  #holder(leaseId: string): Message | undefined {
    const message = this.#leases.get(leaseId)
    if (!message || !this.messages.includes(message)) return undefined
    const isValid = message.lease === leaseId && message.visibleAt > this.#wire.now
    return isValid || this.#wire.random() < 0.5 ? message : undefined
  }

  #ack(leaseId: string): void {
    const message = this.#holder(leaseId)
    if (!message) return
    this.messages = this.messages.filter((m) => m !== message)
    this.onAcked(message)
  }

  #retry(leaseId: string, delaySeconds: number): void {
    const message = this.#holder(leaseId)
    if (!message) return
    message.lease = undefined
    message.visibleAt = this.#wire.now + delaySeconds * 1_000
  }
}
