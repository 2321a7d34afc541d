// The world of one run: Kafka, the two queues, the worker, the relays, and the clients who post. What happens in it, and in which order,
// is the business of `steps.ts`; how it all ends when nothing fails any more is here.
import {
  encodeEnvelope,
  envelopeIdOf,
  type Envelope,
  type EnvelopeId,
  type EnvelopeRecord,
} from '#contract'
import { Wire } from './calls.ts'
import { History } from './history.ts'
import { DATA, Kafka, TOO_LARGE, type LogRecord } from './kafka.ts'
import { Queue, type Message } from './queue.ts'
import { LEASE_MS, Relays, type Mutation } from './relays.ts'
import { Store } from './store.ts'

// How long after its first row the POST of an envelope may be repeated.
export const KEY_GUARANTEE_MS = 24 * 3_600_000
const MAX_ENVELOPES = 5
const MAX_CALM_ROUNDS = 3_000

export interface Posted {
  envelope: Envelope
  keyed: boolean
}

export class World {
  readonly wire: Wire
  readonly kafka: Kafka
  readonly store: Store
  readonly queues: { queue: Queue; dead_letter_queue: Queue }
  readonly history: History
  readonly relays: Relays
  readonly posted: Posted[] = []
  // Each message that was ever accepted; a queue may bring it again and again, and what it holds may have been sent twice.
  readonly accepted: Pick<Message, 'id' | 'body'>[] = []
  // How often what has happened.
  readonly counts = new Map<string, number>()

  constructor(seed: number, mutation: Mutation = {}) {
    const wire = (this.wire = new Wire(seed))
    const kafka = (this.kafka = new Kafka(wire))
    const store = (this.store = new Store(wire))
    const deadLetterQueue = new Queue(wire, 'dead_letter_queue', LEASE_MS)
    const queue = new Queue(wire, 'queue', LEASE_MS, deadLetterQueue)
    const queues = (this.queues = { queue, dead_letter_queue: deadLetterQueue })
    const history = (this.history = new History(kafka, store, [queue, deadLetterQueue]))
    this.relays = new Relays({
      wire,
      kafka,
      store,
      queues,
      mutation,
      count: (what, n) => this.count(what, n),
      onFatal: ({ life }, error) =>
        history.breach('a relay goes on', `${life.name}: ${String(error)}`),
    })
  }

  count(what: string, n = 1): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + n)
  }

  // A relay that has booted and found nothing.
  async start(): Promise<void> {
    this.relays.start('A')
    await rest()
    for (let round = 0; !this.counts.has('booted') && round < 100; round++) await this.#calmRound()
  }

  // One POST; undefined when there are enough.
  post(pick: number): string | undefined {
    if (this.posted.length >= MAX_ENVELOPES) return undefined
    const n = this.accepted.length + 1
    if (pick % 16 === 7) return this.#accept(`no envelope ${n}`)
    const records = RECORDS[pick % RECORDS.length] ?? []
    const head = {
      v: 1 as const,
      id: idOf(n),
      datahub: 'datahub-testtest',
      topic: DATA,
      received: this.wire.now,
    }
    const object = `${head.id}-${'0'.repeat(64)}`
    const envelope: Envelope =
      pick % 4 === 3
        ? { ...head, claim: { object, bytes: CLAIM_BYTES, count: records.length } }
        : { ...head, records }
    this.posted.push({ envelope, keyed: pick % 2 === 1 })
    return this.#acceptEnvelope(envelope)
  }

  isRepeatable({ envelope, keyed }: Posted): boolean {
    const first = this.store.firstRow.get(envelope.id)
    return keyed && (first === undefined || this.wire.now < first + KEY_GUARANTEE_MS)
  }

  // The same key again: the same id, accepted now.
  repeat({ envelope }: Posted): string {
    this.history.repeated.add(envelope.id)
    return this.#acceptEnvelope({ ...envelope, received: this.wire.now })
  }

  // Nothing fails any more. What is not in order when all is quiet is a breach.
  async calm(): Promise<void> {
    const { wire, kafka, relays, history } = this
    kafka.trouble = 'none'
    for (const relay of relays.running) relays.goOn(relay)
    while (wire.late.length > 0) wire.arrive(0)
    const [owner = relays.start('A'), ...others] = relays.owners
    for (const { revoke } of others) revoke.abort()
    const ids = this.posted.map(({ envelope }) => envelope.id)
    let rounds = 0
    while (this.undone.length > 0 && rounds++ < MAX_CALM_ROUNDS) await this.#calmRound()
    const undone = this.undone
    if (undone.length > 0) {
      history.breach('I7: each accepted envelope gets its outcome', undone.join(' '))
      return
    }
    // What is settled must not be remembered, and read at each boot, for ever.
    const end = BigInt(kafka.ledger.findLastIndex((record) => isBatch(record)) + 1)
    // Whoever was fenced, and has not noticed, knows nothing of the end. A message that is no envelope and whose ack failed is waited for.
    const isExcused = !kafka.isOwner(owner.life) || this.counts.has('ack failed')
    const isSettled = () => isExcused || (owner.shard.settledLow() ?? 0n) >= end
    while (!isSettled() && rounds++ < MAX_CALM_ROUNDS) await this.#calmRound()
    if (!isSettled()) {
      history.breach('what is settled is forgotten', `${owner.shard.settledLow()} of ${end}`)
    }
    owner.revoke.abort()
    rounds = 0
    while (!owner.ended && rounds++ < MAX_CALM_ROUNDS) await this.#calmRound()
    if (!owner.ended) history.breach('a relay goes on', `${owner.life.name} does not end`)
    this.count('delivered', history.delivered)
    this.count('dead-lettered', history.deadLettered)
    this.count('row ended', ids.filter((id) => this.store.hadForgotten(id)).length)
  }

  // Messages that are left, and envelopes that never had an outcome.
  get undone(): string[] {
    const ids = this.posted.map(({ envelope }) => envelope.id)
    return [
      ...this.#messages().map(({ id }) => id),
      ...ids.filter((id) => !this.store.firstRow.has(id) && !this.history.isGivenUp(id)),
    ]
  }

  #messages(): Message[] {
    return [...this.queues.queue.messages, ...this.queues.dead_letter_queue.messages]
  }

  async #calmRound(): Promise<void> {
    const { wire, kafka } = this
    const calls = wire.pending.filter((call) => call.ready())
    for (const name of kafka.unmarked) kafka.writeMarker(name)
    if (calls.length > 0) for (const call of calls) call.answer()
    else this.#moveOn()
    await rest()
  }

  // To the next timer; while every message is hidden, to the first that is seen again.
  #moveOn(): void {
    const { wire } = this
    const times = this.#messages().map(({ visibleAt }) => visibleAt)
    const areHidden = times.length > 0 && times.every((at) => at > wire.now)
    const next = Math.max(wire.nextTimer ?? wire.now, areHidden ? Math.min(...times) : 0)
    wire.moveTo(next)
  }

  #acceptEnvelope(envelope: Envelope): string {
    if ('claim' in envelope) {
      const { object, count } = envelope.claim
      const records = RECORDS.find(({ length }) => length === count) ?? []
      this.store.putObject(envelope.id, object, records)
    }
    return this.#accept(encodeEnvelope(envelope))
  }

  #accept(body: string): string {
    const message = { id: `m${this.accepted.length + 1}`, body }
    this.accepted.push(message)
    this.queues.queue.send(message)
    return `${message.id} ${body}`
  }
}

function isBatch({ txn, isMarker, value }: LogRecord): boolean {
  return txn.state === 'committed' && !isMarker && value?.includes('"batch"') === true
}

// Two claims fill what a relay fetches ahead.
const CLAIM_BYTES = 25_000

// Reports of an envelope, told apart by their number. The two keys have a partition each.
const RECORDS: EnvelopeRecord[][] = [
  [{ value: 'one' }],
  [
    { key: 'a', value: 'two' },
    { key: 'd', value: 'two' },
  ],
  [{ value: 'three' }, { value: TOO_LARGE }, { key: 'd', value: 'three' }],
]

function idOf(n: number): EnvelopeId {
  const bytes = new Uint8Array(12)
  bytes[11] = n
  return envelopeIdOf(bytes)
}

// Everything that does not wait for the model has run when the next round of the event loop begins.
export function rest(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
