/**
 * Every decision of the simulated queue: who gets leased, what an ack or a retry does, when a message goes to the dead-letter queue and
 * when it is dropped. Pure: no I/O, no clock, no randomness; `now` is a parameter, and a lease id is derived from what it leases. The
 * rules are Cloudflare's: https://developers.cloudflare.com/queues/configuration/pull-consumers/
 */
import type { Side } from './queues.ts'

/** `dropped`: past its retention, or out of attempts in the dead-letter queue, which has none of its own. */
export type Fate = 'live' | 'acked' | 'dropped'

export interface MessageHead {
  /** The shard's running number; also the key of both stores. */
  seq: number
  /** 32 hex digits; survives the move to the dead-letter queue. */
  id: string
  side: Side
  fate: Fate
  /** Of the raw body. */
  bytes: number
  /** When it entered the queue that it is in now, Unix ms: the dead-letter queue's retention starts anew. */
  timestamp: number
  /** Deliveries from the queue that it is in now. */
  attempts: number
  /** How often it changed queues. Tells a lease of the stay before from one of this stay. */
  moves: number
  /** From when it may be delivered, Unix ms: the end of its lease, of its delay, or a time gone by. */
  visibleAt: number
  /** It was leased last, rather than delayed: `visibleAt` is then the end of a lease. */
  leased: boolean
}

export interface LeaseSettings {
  /** Deliveries before a message goes to the dead-letter queue. */
  maxRetries: number
  /** The consumer's default, for a pull that names none. */
  visibilityTimeoutMs: number
  retentionMs: number
}

export const DEFAULT_LEASE_SETTINGS: LeaseSettings = {
  maxRetries: 100,
  visibilityTimeoutMs: 30_000,
  retentionMs: 4 * 86_400_000,
}

export type Verdict = 'wait' | 'deliver' | 'dead_letter' | 'drop'

/** What is due for a live message now. Retention runs on during a lease and while deliveries are paused. */
export function judge(message: MessageHead, now: number, settings: LeaseSettings): Verdict {
  if (message.timestamp + settings.retentionMs <= now) return 'drop'
  if (message.visibleAt > now) return 'wait'
  return message.attempts < settings.maxRetries ? 'deliver' : afterLastAttempt(message)
}

function afterLastAttempt(message: MessageHead): 'dead_letter' | 'drop' {
  return message.side === 'queue' ? 'dead_letter' : 'drop'
}

export interface Sweep<M extends MessageHead> {
  deadLetter: M[]
  drop: M[]
}

/** Sorts out what must leave its queue undelivered. */
export function planSweep<M extends MessageHead>(
  messages: readonly M[],
  now: number,
  settings: LeaseSettings,
): Sweep<M> {
  const sweep: Sweep<M> = { deadLetter: [], drop: [] }
  for (const message of messages) {
    const verdict = judge(message, now, settings)
    if (verdict === 'dead_letter') sweep.deadLetter.push(message)
    if (verdict === 'drop') sweep.drop.push(message)
  }
  return sweep
}

export interface PullPlan<M extends MessageHead> {
  lease: M[]
  deliveries: { message: M; attempts: number; leaseId: string }[]
  /** End of all these leases. */
  visibleAt: number
}

/** Leases at most `limit` of the candidates, in their order. */
export function planPull<M extends MessageHead>(
  candidates: readonly M[],
  request: { limit: number; visibilityTimeoutMs?: number | undefined },
  now: number,
  settings: LeaseSettings,
): PullPlan<M> {
  const lease = candidates
    .filter((message) => judge(message, now, settings) === 'deliver')
    .slice(0, request.limit)
  return {
    lease,
    deliveries: lease.map((message) => {
      const attempts = message.attempts + 1
      return { message, attempts, leaseId: formatLeaseId({ ...leaseOf(message), attempts }) }
    }),
    visibleAt: now + (request.visibilityTimeoutMs ?? settings.visibilityTimeoutMs),
  }
}

export interface AckRequest {
  acks: readonly string[]
  retries: readonly { leaseId: string; delayMs: number }[]
}

export interface AckPlan {
  finish: MessageHead[]
  release: { message: MessageHead; visibleAt: number }[]
  deadLetter: MessageHead[]
  drop: MessageHead[]
  ackCount: number
  retryCount: number
  /** Lease id → why it did nothing. */
  warnings: Record<string, string>
}

/**
 * An ack counts for any lease that this queue ever gave for the message's present stay, expired or not, also while another consumer
 * holds a newer one: Cloudflare accepts late acks. A retry moves the message only under its newest lease, so that a slow consumer can't
 * take it away from the one that works on it. A true lease of a message that is gone is counted and does nothing.
 */
export function planAck(
  request: AckRequest,
  side: Side,
  find: (seq: number) => MessageHead | undefined,
  now: number,
  settings: LeaseSettings,
): AckPlan {
  const plan: AckPlan = {
    finish: [],
    release: [],
    deadLetter: [],
    drop: [],
    ackCount: 0,
    retryCount: 0,
    warnings: {},
  }
  // The first word on a message holds when one request names it twice.
  const decided = new Set<number>()
  for (const leaseId of request.acks) {
    const message = leasedMessage(leaseId, side, find)
    if (!message) {
      plan.warnings[leaseId] = UNKNOWN_LEASE
      continue
    }
    plan.ackCount++
    if (message.hold === 'none' || decided.has(message.head.seq)) continue
    decided.add(message.head.seq)
    plan.finish.push(message.head)
  }
  for (const { leaseId, delayMs } of request.retries) {
    const message = leasedMessage(leaseId, side, find)
    if (!message) {
      plan.warnings[leaseId] = UNKNOWN_LEASE
      continue
    }
    plan.retryCount++
    if (message.hold !== 'newest' || decided.has(message.head.seq)) continue
    decided.add(message.head.seq)
    if (message.head.attempts < settings.maxRetries) {
      plan.release.push({ message: message.head, visibleAt: now + delayMs })
    } else if (afterLastAttempt(message.head) === 'dead_letter') plan.deadLetter.push(message.head)
    else plan.drop.push(message.head)
  }
  return plan
}

/** What `planAck` will ask for. */
export function leasedSeqs(request: AckRequest): number[] {
  const leaseIds = [...request.acks, ...request.retries.map((retry) => retry.leaseId)]
  return leaseIds.flatMap((leaseId) => parseLeaseId(leaseId)?.seq ?? [])
}

const UNKNOWN_LEASE = 'unknown or malformed lease'

interface Lease {
  side: Side
  seq: number
  moves: number
  attempts: number
  id: string
}

/** Undefined for a lease that this queue never gave. `none`: true once, but the message is gone or has moved since. */
function leasedMessage(
  leaseId: string,
  side: Side,
  find: (seq: number) => MessageHead | undefined,
): { head: MessageHead; hold: 'newest' | 'older' | 'none' } | undefined {
  const lease = parseLeaseId(leaseId)
  const head = lease?.side === side ? find(lease.seq) : undefined
  if (!lease || !head || head.id !== lease.id || lease.moves > head.moves) return undefined
  if (lease.moves < head.moves) return { head, hold: 'none' }
  if (head.side !== side || lease.attempts < 1 || lease.attempts > head.attempts) return undefined
  if (head.fate !== 'live') return { head, hold: 'none' }
  return { head, hold: lease.attempts === head.attempts ? 'newest' : 'older' }
}

function leaseOf({ side, seq, moves, attempts, id }: MessageHead): Lease {
  return { side, seq, moves, attempts, id }
}

/** Opaque to consumers, as Cloudflare's is. It names what it leases, so that no table of leases has to be kept. */
export function formatLeaseId({ side, seq, moves, attempts, id }: Lease): string {
  return `sim.${side === 'queue' ? 'q' : 'd'}.${seq}.${moves}.${attempts}.${id}`
}

export function parseLeaseId(text: string): Lease | undefined {
  const m = /^sim\.([qd])\.(\d{1,15})\.(\d{1,9})\.(\d{1,9})\.([0-9a-f]{32})$/.exec(text)
  if (!m) return undefined
  const [, side, seq, moves, attempts, id = ''] = m
  return {
    side: side === 'q' ? 'queue' : 'deadLetter',
    seq: Number(seq),
    moves: Number(moves),
    attempts: Number(attempts),
    id,
  }
}

/** For `state`: exactly one of them for each message. */
export type Condition = 'ready' | 'leased' | 'delayed' | 'acked' | 'dropped'

export function conditionOf(message: MessageHead, now: number): Condition {
  if (message.fate !== 'live') return message.fate
  if (message.visibleAt <= now) return 'ready'
  return message.leased ? 'leased' : 'delayed'
}
