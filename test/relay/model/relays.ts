// The relays of the model: lives of processes that own, or believe to own, the one shard. Each runs the real code behind the model's
// ports, remembers nothing beyond need, and has a clock of its own.
import type { LanePort } from '../../../relay/kafka/lane.ts'
import {
  createShard,
  type Shard,
  type ShardEvents,
  type ShardParts,
  type ShardPorts,
} from '../../../relay/shard.ts'
import { watchWorker } from '../../../relay/status/worker-watch.ts'
import { START, type Life, type Wire } from './calls.ts'
import { INSTANCE, type Kafka, type ModelLane } from './kafka.ts'
import type { Queue } from './queue.ts'
import type { Store } from './store.ts'

export const LEASE_MS = 60_000

// What is wrong with a relay, to show that the model sees what the right part is for.
export interface Mutation {
  parts?: () => Partial<ShardParts>
  // Around the opening of a lane; `boots` of this process before.
  lane?: (open: () => Promise<LanePort>, kafka: Kafka, boots: number) => Promise<LanePort>
  // A doubt does not lead to a new epoch.
  reusesEpoch?: boolean
}

export interface Relay {
  readonly name: string
  readonly life: Life
  readonly shard: Shard
  readonly revoke: AbortController
  ended: boolean
}

export interface RelaysOptions {
  wire: Wire
  kafka: Kafka
  store: Store
  queues: { queue: Queue; dead_letter_queue: Queue }
  mutation: Mutation
  count(what: string, n?: number): void
  onFatal(relay: Relay, error: unknown): void
}

export class Relays {
  readonly #options: RelaysOptions
  // The last life of each.
  readonly #relays = new Map<string, Relay>()
  #lives = 0

  constructor(options: RelaysOptions) {
    this.#options = options
  }

  // Those that have not ended, one way or the other.
  get running(): Relay[] {
    return [...this.#relays.values()].filter(({ ended }) => !ended)
  }

  get owners(): Relay[] {
    return this.running.filter(({ revoke }) => !revoke.signal.aborted)
  }

  start(name: string): Relay {
    const { mutation, onFatal } = this.#options
    const number = ++this.#lives
    const life: Life = { name: `${name}${number}`, alive: true, stopped: false }
    const revoke = new AbortController()
    const shard = createShard(
      {
        instance: INSTANCE,
        shard: 0,
        shards: 1,
        groupId: 'relays',
        relay: life.name,
        leaseMs: LEASE_MS,
        transactionTimeoutMs: 15_000,
        maxTransactionReports: 4,
        maxTransactionBytes: 20_000,
        maxPulls: 2,
        keptIds: 0,
        maxUnsettled: 4,
      },
      this.#ports(life, number),
      mutation.parts?.(),
    )
    const relay: Relay = { name, life, shard, revoke, ended: false }
    this.#relays.set(name, relay)
    shard.run(revoke.signal).then(
      () => (relay.ended = true),
      (error: unknown) => {
        relay.ended = true
        onFatal(relay, error)
      },
    )
    return relay
  }

  crash(relay: Relay): void {
    this.#options.wire.kill(relay.life)
    relay.ended = true
  }

  // Like SIGCONT: what was due while it was stopped comes at once.
  goOn({ life }: Relay): void {
    const { wire } = this.#options
    life.stopped = false
    wire.moveTo(wire.now)
  }

  // How far a relay is settled, on its way to the group; undefined before its first boot.
  commitLow({ life, shard }: Relay): bigint | undefined {
    const { wire, kafka } = this.#options
    const low = shard.settledLow()
    if (low === undefined) return undefined
    const execute = () => {
      kafka.groupOffset = low
    }
    // Nobody acts on the answer.
    wire.call<void>(life, { what: `commit low ${low}`, execute }).catch(() => {})
    return low
  }

  #ports(life: Life, number: number): ShardPorts {
    const { wire, kafka, store, queues, mutation, count } = this.#options
    const random = () => wire.random()
    const sleep: ShardPorts['sleep'] = (ms, signal) => wire.sleep(life, ms, signal)
    const worker = watchWorker(store.client(life), {
      random,
      sleep,
      onAway: () => count('worker away'),
      onBack: () => count('worker back'),
    })
    let boots = 0
    let lane: ModelLane | undefined
    const open = async () =>
      (lane = await kafka.openLane(life, mutation.reusesEpoch ? lane : undefined))
    return {
      openLane: () => mutation.lane?.(open, kafka, boots++) ?? open(),
      queues: {
        queue: queues.queue.client(life),
        dead_letter_queue: queues.dead_letter_queue.client(life),
      },
      worker,
      workerWatch: worker.watch,
      confirm: (signal) => confirm(wire, life, signal),
      now: () => wire.now,
      // No two machines have the same.
      clock: () => wire.now - START + number * 1_000_003,
      random,
      sleep,
      reach: () => {},
      observe: counting(count),
    }
  }
}

// The group says yes after a while; no, once the shard is revoked.
async function confirm(wire: Wire, life: Life, signal: AbortSignal): Promise<boolean> {
  if (signal.aborted) return false
  const revoked = new Promise<boolean>((resolve) => {
    signal.addEventListener('abort', () => resolve(false))
  })
  const confirmed = wire.call(life, { what: 'confirm', effect: false, execute: () => true })
  return Promise.race([revoked, confirmed.catch(() => true)])
}

function counting(count: (what: string, n?: number) => void): ShardEvents {
  let remembered = 0
  return {
    booted: () => count('booted'),
    bootFailed: () => count('boot failed'),
    doubt: () => count('doubt'),
    fenced: () => count('fenced'),
    sending: (envelopes) => count('sent', envelopes),
    committed: ({ blocked, committed }) => {
      count('committed', committed ? 1 : 0)
      count('blocked', blocked.length)
    },
    known: (messages) => count('known', messages),
    handedBack: (all) => {
      for (const { reason } of all) count(`handed back: ${reason}`)
    },
    handBackFailed: () => count('hand-back failed'),
    stopped: () => count('stopped'),
    began: ({ why }) => count(`ledger read: ${why}`),
    unchecked: () => {},
    pulled: (leases, source) => count(`pulled: ${source}`, leases.length),
    pullFailed: () => count('pull failed'),
    lookedUp: (absent, found) => {
      count('looked up: absent', absent)
      count('looked up: found', found)
    },
    lookUpFailed: (ids) => count('looked up: no answer', ids),
    fetchFailed: () => count('fetch failed'),
    settled: (taken) => count('taken', taken),
    notTaken: (ids) => count('not taken', ids.length),
    ackFailed: () => count('ack failed'),
    cleanUpFailed: () => count('clean-up failed'),
    memory({ size }) {
      count('forgotten', Math.max(remembered - size, 0))
      remembered = size
    },
  }
}
