/**
 * SETTLE, behind the transactions: the worker takes the outcomes, then the leases of exactly those envelopes that it took are acked. A
 * crash before the ack brings the message back, it is known, and it is settled again; so each step may be repeated. What was not taken is
 * given back and comes again. Nothing here can lose an outcome: the ledger has it.
 */
import type { EnvelopeId, Outcome } from '#contract'
import { retryDelaySeconds } from './disposition.ts'
import type { Item } from './item.ts'
import type { QueueClient } from './queue/client.ts'
import type { WorkerClient } from './status/worker-client.ts'

export interface Settlement {
  outcomes: readonly [EnvelopeId, Outcome][]
  /** The leases to ack once the outcome of their envelope is taken; none when a boot settles again. */
  leases: ReadonlyMap<EnvelopeId, readonly Item[]>
  /** Dead letters that have no receipt to tell. */
  raw: readonly Item[]
}

export interface SettlerDeps {
  queue: Pick<QueueClient, 'settle'>
  worker: Pick<WorkerClient, 'postOutcomes' | 'deleteRecords'>
  onSettled(taken: ReadonlySet<EnvelopeId>, leases: number): void
  /** Some outcomes were not taken: the worker, or one of its status objects, is away. */
  onNotTaken(ids: readonly EnvelopeId[], cause: unknown): void
  onAckFailed(error: unknown): void
  onCleanUpFailed(object: string, error: unknown): void
}

/** Settlements under way at once; beyond that the next transaction waits. */
const MAX_IN_FLIGHT = 4

export class Settler {
  readonly #deps: SettlerDeps
  readonly #inFlight = new Set<Promise<void>>()

  constructor(deps: SettlerDeps) {
    this.#deps = deps
  }

  /** Returns as soon as there is room for it; it is not settled then. Never throws. */
  async submit(settlement: Settlement): Promise<void> {
    while (this.#inFlight.size >= MAX_IN_FLIGHT) await Promise.race(this.#inFlight)
    const run: Promise<void> = this.#settle(settlement).finally(() => this.#inFlight.delete(run))
    this.#inFlight.add(run)
  }

  /** When everything submitted so far has ended, one way or the other. */
  async idle(): Promise<void> {
    await Promise.all(this.#inFlight)
  }

  async #settle({ outcomes, leases, raw }: Settlement): Promise<void> {
    const { worker, queue } = this.#deps
    const { taken, failed } =
      outcomes.length === 0
        ? { taken: new Set<EnvelopeId>(), failed: undefined }
        : await worker.postOutcomes(outcomes)
    const notTaken = outcomes.map(([id]) => id).filter((id) => !taken.has(id))
    if (notTaken.length > 0) this.#deps.onNotTaken(notTaken, failed)

    const acks = [...raw, ...[...taken].flatMap((id) => leases.get(id) ?? [])]
    const retries = notTaken
      .flatMap((id) => leases.get(id) ?? [])
      .map(({ lease }) => ({
        leaseId: lease.leaseId,
        delaySeconds: retryDelaySeconds(lease.attempts),
      }))
    if (acks.length + retries.length > 0) {
      try {
        await queue.settle(
          acks.map(({ lease }) => lease.leaseId),
          retries,
        )
      } catch (error) {
        // The leases run out and the messages come again.
        this.#deps.onAckFailed(error)
        return
      }
    }
    this.#deps.onSettled(taken, acks.length)
    // After the ack: a message that comes again before it still finds its records.
    await Promise.all(
      claimsOf(acks).map((object) =>
        worker
          .deleteRecords(object)
          .catch((error: unknown) => this.#deps.onCleanUpFailed(object, error)),
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
