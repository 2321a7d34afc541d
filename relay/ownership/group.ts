/**
 * Ownership: the relays of an instance share its shards out by a consumer group on the ledger topic, one partition a shard. Only liveness
 * hangs on it. It may be late and it may be wrong, two relays may both own a shard for seconds; what is written is kept apart by
 * transactional ids and their epochs, never by this.
 *
 * It never gives up: whatever ends a member, a new one joins after a back-off, also when Kafka is away for long.
 */
import type { InstanceId } from '#contract'
import { backoffMs } from '../backoff.ts'
import type { KafkaSettings } from '../kafka/kafkajs.ts'
import { createAssigner } from './assigner.ts'
import { relayGroup } from './group-id.ts'
import { startMember, type Member } from './member.ts'
import { OwnershipView, type Ask, type GroupEvent } from './view.ts'

export interface OwnershipDeps {
  kafka: KafkaSettings
  instance: InstanceId
  /** The ledger. */
  topic: string
  /** As the brokers allow it, ms. */
  sessionTimeoutMs: number
  /** In the turn of the event, all revokes of it before its grants. Must not throw. */
  onGranted(shard: number): void
  onRevoked(shard: number): void
  observe: OwnershipObserver
  random(): number
  /** Ends early when the signal aborts; never throws. */
  sleep(ms: number, signal: AbortSignal): Promise<void>
}

/** What is told to whoever keeps logs and metrics. Must not throw. */
export interface OwnershipObserver {
  /** After each rebalance too; `shards` are all that are owned now. */
  joined(shards: readonly number[]): void
  rebalancing(): void
  /** A member ended, or could not join; the next one follows. */
  crashed(error: unknown): void
  commitFailed(error: unknown): void
  /** Unclean: the others have to wait for the session time-out. */
  left(clean: boolean): void
}

export interface Ownership {
  /** Resolves when stopped, and not before: no trouble with Kafka ends it. */
  start(): Promise<void>
  /** For readiness: joined and not crashed. A member may own nothing, when there are more relays than shards. */
  isMember(): boolean
  /** Empty once it is being stopped. */
  owned(): ReadonlySet<number>
  /**
   * For an owner that was fenced: may it take its shard back? True after the second heartbeat from now on in one membership that holds the
   * shard; false when the shard is not owned, is revoked, the signal aborts or this is stopped. It waits as long as it takes.
   */
  confirm(shard: number, signal: AbortSignal): Promise<boolean>
  /**
   * Commits decimal offsets, of those shards only that are owned now: the broker would take the others as well. Never throws; true when all
   * that is owned of them was taken. One that is late may undo a newer one, so an older value has to be as true as the newest.
   */
  commit(offsets: ReadonlyMap<number, string>): Promise<boolean>
  /** Leaves the group at once, so commit before. Nothing is revoked by it: whoever stops this stops its shards itself. At most 3 s. */
  stop(): Promise<void>
}

/** Each join is a rebalance for all members, so one that fails again and again must not come often. */
const REJOIN_BACKOFF = { firstMs: 500, maxMs: 10_000 }

export function createOwnership(deps: OwnershipDeps): Ownership {
  const { kafka, instance, topic, sessionTimeoutMs, observe } = deps
  const stopping = new AbortController()
  const waiting = new Map<Ask, (confirmed: boolean) => void>()
  let view = new OwnershipView()
  let member: Member | undefined
  let failures = 0
  let running: Promise<void> | undefined
  let stopped: Promise<void> | undefined
  let lastCommit: Promise<unknown> = Promise.resolve()

  const assigner = createAssigner(topic, () => view.owned)

  function onEvent(event: GroupEvent): void {
    const { granted, revoked, answers } = view.apply(event)
    // A join alone proves little: what crashes right after it would come back at full speed.
    if (event.type === 'heartbeat') failures = 0
    if (event.type === 'rebalancing') observe.rebalancing()
    if (event.type === 'joined') observe.joined([...view.owned])
    for (const shard of revoked) deps.onRevoked(shard)
    for (const shard of granted) deps.onGranted(shard)
    for (const { ask, confirmed } of answers) waiting.get(ask)?.(confirmed)
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      member = startMember({
        kafka,
        groupId: relayGroup(instance),
        topic,
        assigner,
        sessionTimeoutMs,
        onEvent,
      })
      const reason = await member.ended
      member = undefined
      if (stopping.signal.aborted) return
      onEvent({ type: 'crashed' })
      observe.crashed(reason)
      await deps.sleep(backoffMs(++failures, REJOIN_BACKOFF, deps.random), stopping.signal)
    }
  }

  async function stop(): Promise<void> {
    stopping.abort()
    view = new OwnershipView()
    for (const answer of waiting.values()) answer(false)
    if (member) observe.left(await member.leave())
    await running
  }

  async function commit(offsets: ReadonlyMap<number, string>): Promise<boolean> {
    const owned = new Map([...offsets].filter(([shard]) => view.owned.has(shard)))
    if (owned.size === 0) return true
    try {
      if (!member) throw new Error('not a member of the group now')
      await member.commit(owned)
      return true
    } catch (error) {
      observe.commitFailed(error)
      return false
    }
  }

  return {
    start: () => (running ??= run()),
    isMember: () => view.isMember,
    owned: () => view.owned,
    async confirm(shard, signal) {
      const ask = signal.aborted ? undefined : view.ask(shard)
      if (!ask) return false
      const { promise, resolve } = Promise.withResolvers<boolean>()
      const refuse = () => resolve(false)
      waiting.set(ask, resolve)
      signal.addEventListener('abort', refuse)
      try {
        return await promise
      } finally {
        signal.removeEventListener('abort', refuse)
        waiting.delete(ask)
        view.withdraw(ask)
      }
    },
    commit(offsets) {
      // One after the other: kafkajs says for no commit in particular whether it was sent.
      const next = lastCommit.then(() => commit(offsets))
      lastCommit = next
      return next
    },
    stop: () => (stopped ??= stop()),
  }
}
