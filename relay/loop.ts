/**
 * One shard's life: pull → decide → one transaction → settle. Pure over its `Deps`: no Kafka, no HTTP, no clock of its own.
 *
 *     BOOT   fence the predecessor, claim, read the ledger; settle again what it says
 *     RUN    take what was pulled; known → settle; new → SEND, in the same turn in which it was found to be new
 *     SEND   one transaction; when it is committed, and only then: remember, settle behind
 *     DOUBT  anything else: drop everything that talks to Kafka → BOOT → decide again about what is in hand
 *
 * What a crash leads to, by the place it hits: before the commit, the transaction is aborted by the next BOOT and the leases come again, new;
 * after the commit, the ledger has the envelopes, the leases come again, known, and are settled; after the ack, nothing comes again.
 *
 * While it is not booted it pulls nothing, and what it holds is given back: an outage must not use up a message's deliveries.
 */
import type { EnvelopeId, LedgerRecord, Outcome } from '#contract'
import { backoffMs } from './backoff.ts'
import type { Delivered } from './deliver.ts'
import { decide, retryDelaySeconds, type Knowledge } from './disposition.ts'
import type { Item } from './item.ts'
import type { QueueClient } from './queue/client.ts'
import type { Settlement } from './settle.ts'
import type { ShardOwner } from './shard-owner.ts'

export interface ShardDeps {
  /** @throws when the shard can't be taken over now */
  takeOver(): Promise<ShardOwner>
  remembered: Knowledge & { addCommitted(record: LedgerRecord, offset: bigint): void }
  intake: {
    resume(): void
    pause(): void
    take(signal: AbortSignal): Promise<Item[]>
    drain(): Item[]
    stop(): Promise<Item[]>
  }
  settler: { submit(settlement: Settlement): Promise<void>; idle(): Promise<void> }
  queue: Pick<QueueClient, 'settle'>
  now(): number
  random(): number
  /** Ends early when the signal aborts; never throws. */
  sleep(ms: number, signal: AbortSignal): Promise<void>
  observe: ShardObserver
}

/** What the loop tells whoever keeps logs and metrics. */
export interface ShardObserver {
  booted(found: number): void
  bootFailed(error: unknown): void
  doubt(error: unknown): void
  /** A transaction is about to be written; `ids` are its new envelopes. */
  sending(envelopes: number): void
  committed(delivered: Delivered): void
  /** Messages that came again although the ledger has them. */
  known(messages: number): void
  gaveBack(items: readonly Item[], reason: string): void
  giveBackFailed(error: unknown): void
  stopped(): void
}

const BOOT_BACKOFF = { firstMs: 200, maxMs: 10_000 }
const DOUBT_BACKOFF = { firstMs: 20, maxMs: 5_000 }
/** Another owner is alive: give way, ever longer. */
const FENCED_BACKOFF = { firstMs: 2_000, maxMs: 60_000 }
/** A batch that ends in doubt this often in a row is given back, so that it can't stand in the way of others. */
const MAX_DOUBTS_IN_HAND = 3

export async function runShard(deps: ShardDeps, signal: AbortSignal): Promise<void> {
  const { intake, settler, observe } = deps
  let inHand: Item[] = []
  let bootFailures = 0
  let doubts = 0

  while (!signal.aborted) {
    let owner: ShardOwner
    try {
      owner = await deps.takeOver()
    } catch (error) {
      observe.bootFailed(error)
      await giveBack(deps, [...inHand, ...intake.drain()], 'Kafka is away')
      inHand = []
      await deps.sleep(backoffMs(++bootFailures, BOOT_BACKOFF, deps.random), signal)
      continue
    }
    bootFailures = 0
    observe.booted(owner.found.length)
    if (owner.found.length > 0) {
      await settler.submit({ outcomes: owner.found, leases: new Map(), raw: [] })
    }
    intake.resume()
    const end = await serve(owner)
    intake.pause()
    await owner.close()
    if (end === 'stopped') break
    observe.doubt(end.error)
    doubts++
    if (doubts >= MAX_DOUBTS_IN_HAND) {
      await giveBack(deps, inHand, 'in doubt again and again')
      inHand = []
    }
    const backoff = isFencedError(end.error) ? FENCED_BACKOFF : DOUBT_BACKOFF
    await deps.sleep(backoffMs(doubts, backoff, deps.random), signal)
  }

  const rest = await intake.stop()
  await settler.idle()
  await giveBack(deps, [...inHand, ...rest], 'stopping', 0)
  observe.stopped()

  /** Until the first doubt, or the end. */
  async function serve(owner: ShardOwner): Promise<'stopped' | { error: unknown }> {
    for (;;) {
      if (inHand.length === 0) inHand = await intake.take(signal)
      if (inHand.length === 0 || signal.aborted) return 'stopped'
      const decision = decide(inHand, deps.remembered, deps.now())
      const { batch, leases, known, knownRaw, raw, waiting } = decision
      inHand = [...[...leases.values()].flat(), ...raw]
      if (inHand.length > 0) {
        observe.sending(leases.size)
        let delivered: Delivered
        try {
          // Nothing is awaited between the decision and this call: what was new then is new now.
          delivered = await owner.deliver(batch)
        } catch (error) {
          await settleKnown(known, knownRaw)
          await giveBackWaiting(waiting)
          return { error }
        }
        if (delivered.committed) {
          deps.remembered.addCommitted(delivered.committed.record, delivered.committed.offset)
          doubts = 0
        }
        inHand = []
        observe.committed(delivered)
        await settler.submit({ outcomes: delivered.outcomes, leases, raw })
        const blocked = delivered.blocked.flatMap(
          ({ sendable }) => leases.get(sendable.envelope.id) ?? [],
        )
        await giveBackWaiting(
          blocked.map((item) => ({ item, delaySeconds: retryDelaySeconds(item.lease.attempts) })),
        )
      }
      await settleKnown(known, knownRaw)
      await giveBackWaiting(waiting)
    }
  }

  async function settleKnown(
    known: { item: Item; id: EnvelopeId; outcome: Outcome }[],
    raw: readonly Item[],
  ): Promise<void> {
    if (known.length + raw.length === 0) return
    observe.known(known.length + raw.length)
    const byId = Map.groupBy(known, ({ id }) => id)
    await settler.submit({
      outcomes: [...byId].flatMap(([id, of]) =>
        of.slice(0, 1).map(({ outcome }): [EnvelopeId, Outcome] => [id, outcome]),
      ),
      leases: new Map([...byId].map(([id, of]) => [id, of.map(({ item }) => item)])),
      raw,
    })
  }

  async function giveBackWaiting(
    waiting: readonly { item: Item; delaySeconds: number }[],
  ): Promise<void> {
    for (const [delaySeconds, of] of Map.groupBy(waiting, (w) => w.delaySeconds)) {
      await giveBack(
        deps,
        of.map(({ item }) => item),
        'waiting',
        delaySeconds,
      )
    }
  }
}

/** Gives leases back before they run out. When that fails they run out: nothing is lost, it only takes longer. */
async function giveBack(
  deps: ShardDeps,
  items: readonly Item[],
  reason: string,
  delaySeconds?: number,
): Promise<void> {
  if (items.length === 0) return
  try {
    await deps.queue.settle(
      [],
      items.map(({ lease }) => ({
        leaseId: lease.leaseId,
        delaySeconds: delaySeconds ?? retryDelaySeconds(lease.attempts),
      })),
    )
    deps.observe.gaveBack(items, reason)
  } catch (error) {
    deps.observe.giveBackFailed(error)
  }
}

function isFencedError(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'fenced' in error && error.fenced === true
}
