// What a chaos run does, and when: a function of its length and its seed alone. Pure.
import { POINTS, type Point } from '../../relay/failpoints.ts'
import { ROLES, type Role } from './brokers.ts'
import type { Random } from './random.ts'
import { RELAYS, SHARDS } from './stage.ts'

export type Action =
  | { do: 'kill_relay'; relay: number }
  // SIGSTOP, and SIGCONT after so long.
  | { do: 'stop_relay'; relay: number; ms: number }
  | { do: 'fail_relay'; relay: number; point: Point; fault: 'kill' | 'cut' }
  // kill -9 of the broker that has this part for this shard, and a start after so long.
  | { do: 'kill_broker'; role: Role; shard: number; ms: number }
  | { do: 'stop_broker'; role: Role; shard: number; ms: number }
  | { do: 'queue_faults'; shard: number; on: 'pull' | 'ack'; times: number; fault: QueueFault }
  | { do: 'expire_leases'; shard: number }
  | { do: 'stop_worker'; ms: number }
  // Only once its local queues hold all that was accepted: on the way there it is in memory alone.
  | { do: 'restart_worker' }

export type QueueFault =
  | { kind: 'overloaded'; retryAfterSeconds: number }
  | { kind: 'error' | 'garbage' | 'lost_answer' }
  | { kind: 'hang'; ms: number }

export interface Step {
  // Since the beginning. Later when what is to fail has not recovered from the last time.
  atMs: number
  action: Action
}

// Actions that touch the same thing come one after the other.
export type Lane = `relay-${number}` | 'brokers' | 'queues' | 'worker'

export function laneOf(action: Action): Lane {
  switch (action.do) {
    case 'kill_relay':
    case 'stop_relay':
    case 'fail_relay':
      return `relay-${action.relay}`
    case 'kill_broker':
    case 'stop_broker':
      return 'brokers'
    case 'queue_faults':
    case 'expire_leases':
      return 'queues'
    case 'stop_worker':
    case 'restart_worker':
      return 'worker'
  }
}

const MAX_GAP_MS = 6_000
// How often each is drawn, of their sum.
const WEIGHTS: readonly [Action['do'], number][] = [
  ['kill_relay', 4],
  ['stop_relay', 4],
  ['fail_relay', 6],
  ['kill_broker', 2],
  ['stop_broker', 1],
  ['queue_faults', 6],
  ['expire_leases', 2],
  ['stop_worker', 3],
  ['restart_worker', 1],
]
const DRAWS = WEIGHTS.flatMap(([name, weight]) => Array.from({ length: weight }, () => name))

export function planChaos(minutes: number, random: Random): Step[] {
  const steps: Step[] = []
  for (let atMs = random.below(MAX_GAP_MS); atMs < minutes * 60_000;) {
    steps.push({ atMs, action: draw(random) })
    atMs += random.below(MAX_GAP_MS)
  }
  return steps
}

function draw(random: Random): Action {
  const relay = 1 + random.below(RELAYS)
  const shard = random.pick(SHARDS)
  const between = (min: number, max: number) => min + random.below(max - min)
  const name = random.pick(DRAWS)
  switch (name) {
    case 'kill_relay':
      return { do: name, relay }
    case 'stop_relay':
      return { do: name, relay, ms: between(500, 8_000) }
    case 'fail_relay':
      return { do: name, relay, point: random.pick(POINTS), fault: random.pick(['kill', 'cut']) }
    case 'kill_broker':
      return { do: name, role: random.pick(ROLES), shard, ms: between(500, 10_000) }
    case 'stop_broker':
      return { do: name, role: random.pick(ROLES), shard, ms: between(1_000, 8_000) }
    case 'queue_faults': {
      const on = random.pick(['pull', 'ack'] as const)
      return { do: name, shard, on, times: between(1, 6), fault: drawQueueFault(random) }
    }
    case 'expire_leases':
      return { do: name, shard }
    case 'stop_worker':
      return { do: name, ms: between(500, 5_000) }
    case 'restart_worker':
      return { do: name }
  }
}

function drawQueueFault(random: Random): QueueFault {
  const kind = random.pick(['overloaded', 'error', 'garbage', 'lost_answer', 'hang'] as const)
  switch (kind) {
    case 'overloaded':
      return { kind, retryAfterSeconds: 1 }
    case 'hang':
      return { kind, ms: 500 + random.below(4_000) }
    default:
      return { kind }
  }
}

export function lineOf({ atMs, action }: Step): string {
  const { do: name, ...details } = action
  const said = Object.entries(details).map(([key, value]) =>
    typeof value === 'object' ? Object.values(value).join(' ') : `${key} ${value}`,
  )
  return `${(atMs / 1_000).toFixed(1).padStart(7)} s  ${name.padEnd(15)} ${said.join(', ')}`
}
