/**
 * One kafkajs consumer's life as a member of the relays' group: joins, tells what happens, commits, leaves. It fetches nothing (its topic is
 * paused before its first fetch) and is never started again: whatever ends it, the next member is a new one.
 */
import type { PartitionAssigner } from 'kafkajs'
import { createConsumer, REQUEST_TIMEOUT_MS, type KafkaSettings } from '../kafka/kafkajs.ts'
import type { GroupEvent } from './view.ts'

/** A session survives so many heartbeats that do not arrive. */
const HEARTBEATS_A_SESSION = 6
/**
 * How long a rebalance waits for members that are alive but don't come. A healthy one comes within a heartbeat, but it may sit in a request
 * that is not answered. A dead one is not waited for longer than its session.
 */
const REBALANCE_TIMEOUT_MS = 2 * REQUEST_TIMEOUT_MS
/** kafkajs looks after its heartbeat only between fetches; a paused consumer sleeps this long in place of one. */
const MAX_WAIT_MS = 250
/**
 * Longer than any broker takes to answer, and it answers a heartbeat about each second. A member that hears nothing for so long hangs on a
 * dead connection, which kafkajs uses again and again.
 */
const SILENCE_MS = 2 * REBALANCE_TIMEOUT_MS
/** Leaving takes a third of a second. In the middle of a join it takes as long as the join; then the session time-out does the rest. */
const LEAVE_TIMEOUT_MS = 3_000
const COMMIT_TIMEOUT_MS = REQUEST_TIMEOUT_MS

export interface MemberOptions {
  kafka: KafkaSettings
  groupId: string
  topic: string
  assigner: PartitionAssigner
  /** So long the shards of a relay that was killed rest, ms. Brokers allow 6,000 at least by default (group.min.session.timeout.ms). */
  sessionTimeoutMs: number
  /** Called in the turn of the consumer's event, until the member has ended or leaves. Must not throw. */
  onEvent(event: GroupEvent): void
  /** Tests shorten it. */
  silenceMs?: number
}

export interface Member {
  /** Resolves when it is over, with what ended it. */
  ended: Promise<unknown>
  /** @throws when the offsets were not taken */
  commit(offsets: ReadonlyMap<number, string>): Promise<void>
  /** Leaves the group, so that the others need not wait for the session time-out. False: it could not in time, and was cut off. */
  leave(): Promise<boolean>
}

export function startMember({
  kafka,
  groupId,
  topic,
  assigner,
  sessionTimeoutMs,
  onEvent,
  silenceMs = SILENCE_MS,
}: MemberOptions): Member {
  const { consumer, cut } = createConsumer(kafka, {
    groupId,
    partitionAssigners: [assigner],
    sessionTimeout: sessionTimeoutMs,
    heartbeatInterval: Math.floor(sessionTimeoutMs / HEARTBEATS_A_SESSION),
    rebalanceTimeout: REBALANCE_TIMEOUT_MS,
    maxWaitTimeInMs: MAX_WAIT_MS,
    allowAutoTopicCreation: false,
    retry: { restartOnFailure: async () => false },
  })
  const ended = Promise.withResolvers<unknown>()
  /** Nothing is told any more. */
  let retired = false
  let mayBeMember = false

  const silence = setTimeout(
    () => end(new Error(`no broker has answered for ${silenceMs} ms`)),
    silenceMs,
  )
  const tell = (event: GroupEvent) => {
    if (!retired) onEvent(event)
  }

  const { GROUP_JOIN, HEARTBEAT, REBALANCING, STOP, CRASH, COMMIT_OFFSETS, REQUEST } =
    consumer.events
  // Once for each answer.
  consumer.on(REQUEST, () => {
    if (!retired) silence.refresh()
  })
  consumer.on(GROUP_JOIN, ({ payload }) => {
    if (retired) return
    // Here and not after run(): the first fetch starts right behind this event.
    consumer.pause([{ topic }])
    tell({ type: 'joined', shards: payload.memberAssignment[topic] ?? [] })
  })
  consumer.on(HEARTBEAT, () => tell({ type: 'heartbeat' }))
  consumer.on(REBALANCING, () => tell({ type: 'rebalancing' }))
  // Not asked for, it is the beginning of a crash: kafkajs stops and leaves first, and then says why.
  consumer.on(STOP, () => tell({ type: 'stopped' }))
  consumer.on(CRASH, ({ payload }) => {
    tell({ type: 'crashed' })
    end(payload.error)
  })

  const opening = open()
  opening.catch(end)

  async function open(): Promise<void> {
    await consumer.connect()
    if (retired) return
    await consumer.subscribe({ topics: [topic] })
    if (retired) return
    mayBeMember = true
    await consumer.run({ autoCommit: false, eachBatch: async () => undefined })
  }

  function end(reason: unknown): void {
    retired = true
    clearTimeout(silence)
    cut()
    // Nothing to wait for: without connections it only tidies up.
    consumer.disconnect().catch(() => undefined)
    ended.resolve(reason)
  }

  return {
    ended: ended.promise,
    async commit(offsets) {
      // A consumer that is about to stop resolves a commit without sending it.
      let taken = false
      const removeListener = consumer.on(COMMIT_OFFSETS, () => (taken = true))
      try {
        await within(
          COMMIT_TIMEOUT_MS,
          consumer.commitOffsets(
            [...offsets].map(([partition, offset]) => ({ topic, partition, offset })),
          ),
        )
      } finally {
        removeListener()
      }
      if (!taken) throw new Error('the offsets were not sent: the consumer stops')
    },
    async leave() {
      retired = true
      clearTimeout(silence)
      let left = true
      if (mayBeMember) {
        try {
          // A join under way is waited for: a member that is gone in the middle of it holds up all others for a session time-out.
          await within(
            LEAVE_TIMEOUT_MS,
            opening.then(() => consumer.disconnect()),
          )
        } catch {
          left = false
        }
      }
      end(undefined)
      return left
    },
  }
}

async function within(ms: number, work: Promise<unknown>): Promise<void> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => late.reject(new Error(`no answer within ${ms} ms`)), ms)
  try {
    await Promise.race([work, late.promise])
  } finally {
    clearTimeout(timer)
  }
}
