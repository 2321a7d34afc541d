/**
 * One shard's life while this process owns it: pull → decide → one transaction → settle. Pure over its `Deps`: no Kafka, no HTTP, no
 * clock of its own.
 *
 *     BOOT   fence the predecessor, claim, read the ledger; what it says is settled again, in the background
 *     RUN    take what was pulled; known → settle; new → SEND, in the same turn in which it was found to be new
 *     SEND   one transaction; when it is committed, and only then: remember, settle behind
 *     DOUBT  anything else: drop everything that talks to Kafka → BOOT → decide again about what is in hand
 *     FENCED a doubt because another owner has booted: BOOT only when the group says again that the shard is ours, ever later
 *
 * What a crash leads to, by the place it hits: before the commit, the transaction is aborted by the next BOOT and the leases come again, new;
 * after the commit, the ledger has the envelopes, the leases come again, known, and are settled; after the ack, nothing comes again.
 *
 * While it is not booted it pulls nothing, and when that lasts, what it holds is given back: an outage must not use up a message's
 * deliveries.
 */
import { backoffMs } from './backoff.ts'
import type { Delivered } from './deliver.ts'
import {
  decide,
  handBack,
  keptAsItIs,
  type HandBack,
  type HandBackReason,
  type Knowledge,
} from './disposition.ts'
import type { Reach } from './failpoints.ts'
import type { Hold } from './intake.ts'
import { neededFrom, smallest, type Item } from './item.ts'
import type { Remembered } from './ledger/remembered.ts'
import type { ShardQueue } from './queue/shard-queue.ts'
import type { Settlement } from './settle.ts'
import type { ShardOwner } from './shard-owner.ts'

export interface ShardDeps {
  /** @throws when the shard can't be taken over now */
  takeOver(): Promise<ShardOwner>
  /** The group says, later than this call, that the shard is ours. False: it is not, or the signal aborts. */
  confirm(signal: AbortSignal): Promise<boolean>
  /** Another decision, in tests that show what the right one is for. */
  decide?: typeof decide | undefined
  remembered: Knowledge & Pick<Remembered, 'add' | 'forget'>
  intake: {
    hold(why: Hold): void
    release(why: Hold): void
    take(signal: AbortSignal): Promise<Item[]>
    neededFrom(): bigint | undefined
    drain(): Item[]
    stop(): Promise<Item[]>
  }
  settler: {
    submit(settlement: Settlement): Promise<void>
    settleAgain(): void
    stop(): Promise<void>
  }
  queue: ShardQueue
  /** Unix ms. */
  now(): number
  /** Monotonic ms. */
  clock(): number
  random(): number
  /** Ends early when the signal aborts; never throws. */
  sleep(ms: number, signal: AbortSignal): Promise<void>
  reach: Reach
  observe: ShardObserver
  leaseMs: number
  /** What is left of a lease must be longer than this to begin a transaction with it. */
  leaseMarginMs: number
}

/** What the loop tells whoever keeps logs and metrics. */
export interface ShardObserver {
  booted(): void
  bootFailed(error: unknown): void
  doubt(error: unknown): void
  /** Another owner has fenced this one. It boots again after `waitMs`, and when the group says that the shard is still ours. */
  fenced(waitMs: number): void
  /** A transaction is about to be written; so many envelopes in it are new. */
  sending(envelopes: number): void
  committed(delivered: Delivered): void
  /** Messages that came again although their outcome is known. */
  known(messages: number): void
  handedBack(handedBack: readonly HandBack[]): void
  handBackFailed(error: unknown): void
  stopped(): void
}

const BOOT_BACKOFF = { firstMs: 200, maxMs: 10_000 }
const DOUBT_BACKOFF = { firstMs: 20, maxMs: 5_000 }
const FENCED_FIRST_MS = 1_000
/** A batch that ends in doubt this often in a row is given back, so that it can't stand in the way of others. */
const MAX_DOUBTS_IN_HAND = 3

/** The life of one owned shard; `forget` is to be called whenever the status store has taken outcomes. */
export interface ShardRun {
  /** Resolves when the signal has aborted and everything that was begun has ended. @throws what no trying again can mend */
  run(signal: AbortSignal): Promise<void>
  forget(): void
}

export function createShardRun(deps: ShardDeps): ShardRun {
  const { intake, settler, observe, remembered } = deps
  let inHand: Item[] = []
  let doubts = 0
  let fences = 0

  function forget(): void {
    remembered.forget(smallest([intake.neededFrom(), smallest(inHand.map(neededFrom))]))
  }

  async function run(signal: AbortSignal): Promise<void> {
    let bootFailures = 0
    try {
      while (!signal.aborted) {
        let owner: ShardOwner
        try {
          owner = await deps.takeOver()
        } catch (error) {
          if (isFinal(error)) throw error
          observe.bootFailed(error)
          if (isFenced(error)) {
            if (!(await stillOurs(signal))) break
            continue
          }
          await giveBack([...inHand, ...intake.drain()], 'kafka_away')
          inHand = []
          await deps.sleep(backoffMs(++bootFailures, BOOT_BACKOFF, deps.random), signal)
          continue
        }
        bootFailures = 0
        observe.booted()
        settler.settleAgain()
        intake.release('not_booted')
        const end = await serve(owner, signal)
        intake.hold('not_booted')
        await owner.close()
        if (end === 'stopped') break
        observe.doubt(end.error)
        doubts++
        if (doubts >= MAX_DOUBTS_IN_HAND) {
          await giveBack(inHand, 'in_doubt')
          inHand = []
        }
        if (isFenced(end.error)) {
          if (!(await stillOurs(signal))) break
        } else {
          await deps.sleep(backoffMs(doubts, DOUBT_BACKOFF, deps.random), signal)
        }
      }
    } finally {
      const rest = await intake.stop()
      await settler.stop()
      await giveBack([...inHand, ...rest], 'stopping')
      inHand = []
      observe.stopped()
    }
  }

  /** Two owners must not fence each other in turns for ever: the one that the group does not confirm stays out. */
  async function stillOurs(signal: AbortSignal): Promise<boolean> {
    const waitMs = fences === 0 ? 0 : Math.min(FENCED_FIRST_MS * 2 ** (fences - 1), deps.leaseMs)
    fences++
    observe.fenced(waitMs)
    // The other one may be the rightful owner: what is leased here would be missing there.
    await giveBack([...inHand, ...intake.drain()], 'fenced')
    inHand = []
    if (waitMs > 0) {
      await deps.sleep(backoffMs(1, { firstMs: waitMs, maxMs: waitMs }, deps.random), signal)
    }
    return deps.confirm(signal)
  }

  /** Until the first doubt, or the end. */
  async function serve(
    owner: ShardOwner,
    signal: AbortSignal,
  ): Promise<'stopped' | { error: unknown }> {
    for (;;) {
      if (inHand.length === 0) inHand = await intake.take(signal)
      if (inHand.length === 0 || signal.aborted) return 'stopped'
      const leaseNeededUntil = deps.clock() + deps.leaseMarginMs
      const decision = (deps.decide ?? decide)(inHand, remembered, {
        now: deps.now(),
        leaseNeededUntil,
      })
      const { batch, leases, raw, handBack: later } = decision
      const sending = [...[...leases.values()].flat(), ...raw]
      if (sending.length > 0) {
        observe.sending(leases.size)
        let delivered: Delivered
        try {
          // Nothing is awaited between the decision and this call: what was new then is new now.
          const delivering = owner.deliver(batch)
          inHand = sending
          delivered = await delivering
        } catch (error) {
          await settleKnown(decision)
          await giveBackAll(later)
          return { error }
        }
        if (delivered.committed) {
          remembered.add(delivered.committed.record, delivered.committed.offset, true)
          doubts = 0
          fences = 0
        }
        observe.committed(delivered)
        try {
          await deps.reach('committed')
        } catch (error) {
          // Nobody was told yet. It is remembered, so the next decision settles it.
          await settleKnown(decision)
          await giveBackAll(later)
          return { error }
        }
        if (delivered.outcomes.length + raw.length > 0) {
          await settler.submit({ outcomes: delivered.outcomes, leases, done: raw.map(keptAsItIs) })
        }
        const blocked = delivered.blocked.flatMap(
          ({ sendable }) => leases.get(sendable.envelope.id) ?? [],
        )
        later.push(...blocked.map((item) => handBack(item, 'blocked')))
      }
      inHand = []
      forget()
      await settleKnown(decision)
      await giveBackAll(later)
    }
  }

  async function settleKnown({
    known,
    done,
  }: Pick<ReturnType<typeof decide>, 'known' | 'done'>): Promise<void> {
    if (known.length + done.length === 0) return
    observe.known(known.length + done.length)
    const byId = Map.groupBy(known, ({ id }) => id)
    await settler.submit({
      outcomes: [...new Map(known.map(({ id, outcome }) => [id, outcome]))],
      leases: new Map([...byId].map(([id, of]) => [id, of.map(({ item }) => item)])),
      done,
    })
  }

  async function giveBack(items: readonly Item[], reason: HandBackReason): Promise<void> {
    await giveBackAll(items.map((item) => handBack(item, reason)))
  }

  /** Gives leases back before they run out. When that fails they run out: nothing is lost, it only takes longer. */
  async function giveBackAll(all: readonly HandBack[]): Promise<void> {
    if (all.length === 0) return
    try {
      await deps.queue.settle(
        [],
        all.map(({ item, delaySeconds }) => ({ lease: item.lease, delaySeconds })),
      )
      observe.handedBack(all)
    } catch (error) {
      observe.handBackFailed(error)
    }
  }

  return { run, forget }
}

/** The ledger or the settings have to be mended by somebody. */
function isFinal(error: unknown): boolean {
  return error instanceof Error && FINAL_ERRORS.has(error.name)
}

const FINAL_ERRORS = new Set(['LedgerMadeAnew', 'UnfitTopic'])

function isFenced(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'fenced' in error && error.fenced === true
}
