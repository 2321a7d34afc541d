/**
 * SETTLE, behind the transactions: the worker takes the outcomes, then the leases of exactly those envelopes that it took are acked. A
 * crash before the ack brings the message back, it is known, and it is settled again; so each step may be repeated. Nothing here can lose
 * an outcome: the ledger has it.
 *
 * What was not taken is posted again by itself, until it is: an envelope must not wait for its message to come back, and what a boot
 * reads has no message at all. Its lease meanwhile is given back, and acked when it comes again.
 */
import type { EnvelopeId, Outcome } from '#contract'
import { backoffMs } from './backoff.ts'
import { handBack, type HandBack } from './disposition.ts'
import type { Reach } from './failpoints.ts'
import type { Item } from './item.ts'
import type { ShardQueue } from './queue/shard-queue.ts'
import type { WorkerClient } from './status/worker-client.ts'

export interface Settlement {
  outcomes: readonly [EnvelopeId, Outcome][]
  /** The leases to ack once the outcome of their envelope is taken. */
  leases: ReadonlyMap<EnvelopeId, readonly Item[]>
  /** Leases to ack with it, whose outcome is taken already or has no receipt to tell. */
  done: readonly Item[]
}

export interface SettlerDeps {
  queue: ShardQueue
  worker: Pick<WorkerClient, 'postOutcomes' | 'deleteRecords'>
  remembered: {
    taken(ids: Iterable<EnvelopeId>): void
    rawAcked(messageIds: Iterable<string>): void
    untakenOutcomes(): Iterable<[EnvelopeId, Outcome]>
  }
  /** After each change of what is taken. */
  onTaken(): void
  onSettled(taken: number, leases: number, seconds: number): void
  /** Some outcomes were not taken: the worker, or one of its status objects, is away. */
  onNotTaken(ids: readonly EnvelopeId[], cause: unknown): void
  onHandedBack(handedBack: readonly HandBack[]): void
  onAckFailed(error: unknown): void
  onCleanUpFailed(object: string, error: unknown): void
  clock(): number
  random(): number
  sleep(ms: number, signal: AbortSignal): Promise<void>
  reach: Reach
}

/** Settlements under way at once; beyond that the next transaction waits. */
const MAX_IN_FLIGHT = 4
/** Outcomes in one of the calls that repeat. */
const AGAIN_CHUNK = 1_000
const AGAIN_BACKOFF = { firstMs: 500, maxMs: 30_000 }

export class Settler {
  readonly #deps: SettlerDeps
  readonly #inFlight = new Set<Promise<void>>()
  /** Ids whose outcome is being posted now. */
  readonly #posting = new Set<EnvelopeId>()
  readonly #stop = new AbortController()
  #again: Promise<void> | undefined
  /** Asked for while it runs, perhaps for an id that it has passed over. */
  #askedAgain = false

  constructor(deps: SettlerDeps) {
    this.#deps = deps
  }

  /** Returns as soon as there is room for it; it is not settled then. Never throws. */
  async submit(settlement: Settlement): Promise<void> {
    while (this.#inFlight.size >= MAX_IN_FLIGHT) await Promise.race(this.#inFlight)
    const run: Promise<void> = this.#settle(settlement).finally(() => this.#inFlight.delete(run))
    this.#inFlight.add(run)
  }

  /** Posts what is not taken, in the background, until all of it is. Called after a boot; by itself after a failure. */
  settleAgain(): void {
    if (this.#stop.signal.aborted) return
    this.#askedAgain = true
    this.#again ??= this.#runAgain()
  }

  /** When everything submitted so far has ended, one way or the other. Nothing is repeated any more. */
  async stop(): Promise<void> {
    this.#stop.abort()
    await Promise.all([...this.#inFlight, this.#again])
  }

  async #settle({ outcomes, leases, done }: Settlement): Promise<void> {
    const { clock, reach } = this.#deps
    const began = clock()
    const { taken, notTaken } = await this.#post(outcomes)
    // Now, not after the leases: the queue may fail as well, and a failure below ends this.
    if (notTaken.length > 0) this.settleAgain()
    try {
      if (taken.size > 0) await reach('outcomes_taken')
    } catch (error) {
      this.#deps.onAckFailed(error)
      return
    }
    const acks = [...done, ...[...taken].flatMap((id) => leases.get(id) ?? [])]
    const back = notTaken
      .flatMap((id) => leases.get(id) ?? [])
      .map((item) => handBack(item, 'not_taken'))
    if (acks.length + back.length > 0) {
      try {
        await this.#deps.queue.settle(
          acks.map(({ lease }) => lease),
          back.map(({ item, delaySeconds }) => ({ lease: item.lease, delaySeconds })),
        )
        this.#rawAcked(acks)
        if (acks.length > 0) await reach('acked')
      } catch (error) {
        // The leases run out and the messages come again.
        this.#deps.onAckFailed(error)
        return
      }
      if (back.length > 0) this.#deps.onHandedBack(back)
    }
    this.#deps.onSettled(taken.size, acks.length, (clock() - began) / 1000)
    await this.#cleanUp(acks)
  }

  async #post(
    outcomes: readonly [EnvelopeId, Outcome][],
  ): Promise<{ taken: Set<EnvelopeId>; notTaken: EnvelopeId[] }> {
    if (outcomes.length === 0) return { taken: new Set(), notTaken: [] }
    const { worker, remembered, onTaken, onNotTaken } = this.#deps
    for (const [id] of outcomes) this.#posting.add(id)
    const { taken, failed } = await worker.postOutcomes(outcomes)
    for (const [id] of outcomes) this.#posting.delete(id)
    remembered.taken(taken)
    onTaken()
    const notTaken = outcomes.map(([id]) => id).filter((id) => !taken.has(id))
    if (notTaken.length > 0) onNotTaken(notTaken, failed)
    return { taken, notTaken }
  }

  async #runAgain(): Promise<void> {
    const { signal } = this.#stop
    let failures = 0
    try {
      while (!signal.aborted) {
        this.#askedAgain = false
        const { tried, failed } = await this.#postUntaken(signal)
        if (tried === 0) {
          if (this.#askedAgain) continue
          return
        }
        if (failed === 0) failures = 0
        else await this.#deps.sleep(backoffMs(++failures, AGAIN_BACKOFF, this.#deps.random), signal)
      }
    } finally {
      // In the turn that found nothing left to do, so that no call of settleAgain falls between.
      this.#again = undefined
    }
  }

  /** Once through everything that is not taken and not being posted now. */
  async #postUntaken(signal: AbortSignal): Promise<{ tried: number; failed: number }> {
    let tried = 0
    let failed = 0
    for (const chunk of chunks(this.#deps.remembered.untakenOutcomes(), AGAIN_CHUNK)) {
      const outcomes = chunk.filter(([id]) => !this.#posting.has(id))
      const { notTaken } = await this.#post(outcomes)
      tried += outcomes.length
      failed += notTaken.length
      // The worker itself is away: the rest would fare no better.
      if (signal.aborted || (outcomes.length > 0 && notTaken.length === outcomes.length)) break
    }
    return { tried, failed }
  }

  #rawAcked(acks: readonly Item[]): void {
    const raw = acks.filter(({ kind }) => kind === 'raw')
    if (raw.length === 0) return
    this.#deps.remembered.rawAcked(raw.map(({ lease }) => lease.messageId))
    this.#deps.onTaken()
  }

  /** After the ack: a message that comes again before it still finds its records. */
  async #cleanUp(acked: readonly Item[]): Promise<void> {
    const { worker, onCleanUpFailed } = this.#deps
    await Promise.all(
      claimsOf(acked).map((object) =>
        worker.deleteRecords(object).catch((error: unknown) => onCleanUpFailed(object, error)),
      ),
    )
  }
}

function claimsOf(items: readonly Item[]): string[] {
  const objects = items.flatMap((item) =>
    'envelope' in item && 'claim' in item.envelope ? [item.envelope.claim.object] : [],
  )
  return [...new Set(objects)]
}

/** Taken eagerly, chunk by chunk; what is given is a snapshot of the beginning. */
function chunks<T>(items: Iterable<T>, size: number): T[][] {
  const all = [...items]
  return Array.from({ length: Math.ceil(all.length / size) }, (_, i) =>
    all.slice(i * size, (i + 1) * size),
  )
}
