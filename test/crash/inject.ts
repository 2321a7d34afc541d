// One injection: a failpoint is armed in a relay that serves a shard, reached under load, and got over. What is wrong afterwards is the
// audit's affair.
import process from 'node:process'
import { setTimeout as pause } from 'node:timers/promises'
import { isAlive } from '../../dev/processes.ts'
import type { Fault, Point } from '../../relay/failpoints.ts'
import { isTakenOver } from '../support/relay-log.ts'
import type { Random } from './random.ts'
import type { RelayLine } from './relay-watch.ts'
import { LEASE_MS, RELAYS, SHARDS, type Stage } from './stage.ts'

export interface Injection {
  point: Point
  fault: Fault
}

export interface Injected extends Injection {
  relay: number
  shard: number
  // From the failure to the next commit of its shard, by whichever relay.
  ms: number
  doubts: number
}

// How a relay is made to boot a shard: one that it did not have, or its own.
type Way = 'other_asleep' | 'own_doubt'

const SERVED_MS = 90_000
const REACHED_MS = 20_000
const TRIES = 10
// After the lease of what a stopped process holds has run out.
const PAST_LEASE_MS = 200
const BOOT_POINTS = new Set<Point>(['initialised', 'claimed'])
const MAX_NTH = 3
// Takes the place of what was armed and not reached.
const NEVER = 'acked:cut:999999'

// Resolves when the shard is served again and a stopped process goes on. @throws when anything of it takes too long
export async function inject(stage: Stage, of: Injection, random: Random): Promise<Injected> {
  const { relays } = stage
  const isBoot = BOOT_POINTS.has(of.point)
  const seen = watchFor(stage, of)
  try {
    let line: RelayLine | undefined
    for (let i = 0; i < TRIES && !line; i++) {
      await relays.until(() => canServe(stage, isBoot), 'every shard is served', SERVED_MS)
      const target = random.pick(
        relays.relays.filter((relay) => relays.stateOf(relay).serves.size > 0),
      )
      line = isBoot
        ? await reachInBoot(stage, of, target, random)
        : await reachUnderLoad(stage, of, target, 1 + random.below(MAX_NTH))
    }
    if (!line) throw new Error(`${of.point} was not reached; ${relays.describe()}`)
    if (of.fault === 'stop') await sleepPastLease(stage, line, seen.shard())
    const served = await relays.until(seen.served, 'the shard is served again', SERVED_MS)
    return {
      ...of,
      relay: line.of,
      shard: seen.shard(),
      ms: Date.parse(served.time) - Date.parse(line.time),
      doubts: seen.doubts(),
    }
  } finally {
    seen.end()
  }
}

function canServe({ relays }: Stage, both: boolean): true | undefined {
  const served = SHARDS.every((shard) => relays.ownersOf(shard).length > 0)
  const isEach = !both || relays.relays.every((relay) => relays.stateOf(relay).serves.size > 0)
  return served && isEach ? true : undefined
}

const isReached =
  ({ point, fault }: Injection) =>
  (line: RelayLine) =>
    line.msg === 'A failpoint is reached' && line.point === point && line.fault === fault

// What the lines say of this injection, also when several come at once.
function watchFor({ relays }: Stage, of: Injection) {
  const shardAt = new Map<number, number>()
  const fits = isReached(of)
  let shard: number | undefined
  let served: RelayLine | undefined
  let doubts = 0
  const end = relays.onLine((line) => {
    if (line.msg.startsWith('A transaction is in doubt')) doubts++
    // The line before says where.
    if (line.point !== undefined && line.shard !== undefined) shardAt.set(line.of, line.shard)
    if (fits(line)) {
      shard = shardAt.get(line.of)
      served = undefined
    } else if (shard !== undefined && line.shard === shard && line.point === 'committed') {
      served ??= line
    }
  })
  return { end, served: () => served, shard: () => shard ?? -1, doubts: () => doubts }
}

// Undefined: the relay lost its shards before it got there.
async function reachUnderLoad(
  stage: Stage,
  of: Injection,
  target: number,
  nth: number,
): Promise<RelayLine | undefined> {
  const reached = nextReached(stage, of, target)
  await arm(stage, target, `${of.point}:${of.fault}:${nth}`)
  const line = await reached
  if (!line) await arm(stage, target, NEVER)
  return line
}

async function reachInBoot(
  stage: Stage,
  of: Injection,
  target: number,
  random: Random,
): Promise<RelayLine | undefined> {
  const way: Way = random.pick(['other_asleep', 'own_doubt'])
  if (way === 'other_asleep') {
    const { pid } = stage.relays.stateOf(1 + (target % RELAYS))
    if (pid === undefined || !isAlive(pid)) return undefined
    // Its shards go to the target. A killed one would be back too soon, and get them again.
    process.kill(pid, 'SIGSTOP')
    try {
      return await reachUnderLoad(stage, of, target, 1)
    } finally {
      process.kill(pid, 'SIGCONT')
    }
  }
  const doubt = await reachUnderLoad(stage, { point: 'began', fault: 'cut' }, target, 1)
  if (!doubt) return undefined
  // It may have booted before it is armed; then the next try will do.
  const end = stage.relays.next(
    (line) => line.of === target && (isReached(of)(line) || isTakenOver(line)),
    'a boot after a doubt',
    REACHED_MS,
  )
  await arm(stage, target, `${of.point}:${of.fault}`)
  const line = await end.catch(() => undefined)
  if (line && isReached(of)(line)) return line
  await arm(stage, target, NEVER)
  return undefined
}

// Also undefined when the relay has no shard any more.
async function nextReached(
  { relays }: Stage,
  of: Injection,
  target: number,
): Promise<RelayLine | undefined> {
  const fits = isReached(of)
  let line: RelayLine | undefined
  const end = relays.onLine((each) => {
    if (each.of === target && fits(each)) line ??= each
  })
  const isOver = () => line !== undefined || relays.stateOf(target).serves.size === 0
  await relays
    .until(() => isOver() || undefined, `${of.point} is reached`, REACHED_MS)
    .catch(() => undefined)
  end()
  return line
}

async function arm({ dev }: Stage, relay: number, text: string): Promise<void> {
  const ops = dev.relays[relay - 1]?.ops
  try {
    const response = await fetch(`${ops}/failpoints`, { method: 'POST', body: text })
    if (response.status !== 204) throw new Error(`${response.status}: ${await response.text()}`)
  } catch (error) {
    // It was killed in the meantime: it is not armed then, and is not reached.
    if (!(error instanceof TypeError)) throw error
  }
}

// A process that is stopped until another serves its shard and its leases have run out; then it goes on where it was.
async function sleepPastLease(
  { relays }: Stage,
  { pid, of, time }: RelayLine,
  shard: number,
): Promise<void> {
  try {
    await relays.until(
      () => (relays.ownersOf(shard).some((relay) => relay !== of) ? true : undefined),
      'another relay has the shard of a stopped one',
      SERVED_MS,
    )
    const left = Date.parse(time) + LEASE_MS + PAST_LEASE_MS - Date.now()
    if (left > 0) await pause(left)
  } finally {
    const goesOn = relays.next((line) => line.pid === pid, 'a stopped relay goes on', SERVED_MS)
    if (isAlive(pid)) process.kill(pid, 'SIGCONT')
    await goesOn
  }
}
