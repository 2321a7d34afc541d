// What can happen in the world, one thing at a time. A run is a list of steps; one that can't happen now does nothing, so every part of a
// list is a run as well, and a failing one can be shortened.
import * as fc from 'fast-check'
import { MAX_SEND_AGE_MS } from '#contract'
import { LostError, START, type Call } from './calls.ts'
import { LEASE_MS } from './relays.ts'
import type { Mutation } from './relays.ts'
import { KEY_GUARANTEE_MS, rest, World } from './world.ts'

const A_MOMENT_MS = 1_000
const DAY_MS = 24 * 3_600_000

// Does its thing and tells what it was; undefined: it can't happen now. `pick`: which of what there is to choose from.
type Action = (world: World, pick: number) => string | undefined | Promise<string | undefined>

const ACTIONS = {
  // Of one pending call.
  answer: (world, pick) => withCall(world, pick, isAnswerable, (call) => call.answer()),
  // A while in which one relay, or every one, gets all its answers.
  work: async (world, pick) => {
    const { wire, relays, kafka } = world
    const relay = choose([undefined, ...relays.running], pick)
    const did: string[] = []
    for (let round = 0; round <= (pick >> 2) % 8; round++) {
      const calls = wire.pending.filter(
        (call) => isAnswerable(call) && (!relay || call.life === relay.life),
      )
      for (const call of calls) call.answer()
      did.push(...calls.map(({ what }) => what))
      for (const name of pick < 32 ? kafka.unmarked : []) kafka.writeMarker(name)
      const next = wire.nextTimer ?? Infinity
      if (calls.length === 0 && next <= wire.now + A_MOMENT_MS) wire.moveTo(next)
      await rest()
    }
    return did.length === 0 ? undefined : did.join(', ')
  },
  // It takes long, on the way there or on the way back, while others are answered.
  slow: (world, pick) =>
    withCall(world, pick, isAnswerable, (call) => {
      if (pick % 2 === 0) call.execute()
      call.slow = true
    }),
  'slow answer': (world, pick) =>
    withCall(
      world,
      pick,
      (call) => call.slow && isHeard(call),
      (call) => call.answer(),
    ),
  'lose request': (world, pick) =>
    withCall(world, pick, isUnheard, (call) => call.lose(lost(call))),
  'lose answer': (world, pick) =>
    withCall(world, pick, isAnswerable, (call) => {
      // Of a request that is several, only the first may have taken effect.
      call.execute(pick % 4 === 1 ? 1 : Infinity)
      if (call.executed) call.lose(lost(call))
    }),
  // The caller gives up, the request arrives later.
  postpone: (world, pick) =>
    withCall(
      world,
      pick,
      (call) => call.effect && isUnheard(call),
      (call) => world.wire.postpone(call),
    ),
  arrive: ({ wire }, pick) =>
    wire.late.length === 0 ? undefined : wire.arrive(pick % wire.late.length),

  marker: ({ kafka }, pick) => withOne(kafka.unmarked, pick, (name) => kafka.writeMarker(name)),
  'transaction times out': ({ kafka }) => {
    if (!kafka.isOngoing) return undefined
    kafka.timeOut()
    return ''
  },
  'partition in trouble': ({ kafka }, pick) =>
    withOne(['none', 'no leader', 'deleted'] as const, pick, (trouble) => {
      kafka.trouble = trouble
    }),

  'next timer': (world) => moveTo(world, world.wire.nextTimer),
  'leases run out': (world) => moveTo(world, world.wire.now + LEASE_MS + 1),
  days: (world, pick) => moveTo(world, world.wire.now + (1 + (pick % 9)) * DAY_MS),
  // A moment at which a rule changes its mind, the one before or the one after.
  edge: (world, pick) => {
    const { posted, store, wire } = world
    const edges = [
      ...posted.map(({ envelope }) => envelope.received + MAX_SEND_AGE_MS),
      ...[...store.firstRow.values()].map((at) => at + KEY_GUARANTEE_MS),
      ...store.ends,
    ].flatMap((at) => [at - 1, at, at + 1])
    return moveTo(
      world,
      choose(
        edges.filter((at) => at > wire.now),
        pick,
      ),
    )
  },

  crash: ({ relays }, pick) =>
    withOne(relays.running, pick, (relay) => {
      relays.crash(relay)
      if (pick % 2 === 0) relays.start(relay.name)
    }),
  // Like SIGSTOP.
  stop: ({ relays }, pick) =>
    withOne(
      relays.running.filter(({ life }) => !life.stopped),
      pick,
      ({ life }) => {
        life.stopped = true
      },
    ),
  continue: ({ relays }, pick) =>
    withOne(
      relays.running.filter(({ life }) => life.stopped),
      pick,
      (relay) => relays.goOn(relay),
    ),
  // Both may believe that the shard is theirs.
  grant: ({ relays }, pick) =>
    withOne(
      ['A', 'B'].filter((name) => relays.running.every((r) => r.name !== name)),
      pick,
      (name) => void relays.start(name),
    ),
  revoke: ({ relays }, pick) => withOne(relays.owners, pick, ({ revoke }) => revoke.abort()),
  'commit low': ({ relays }, pick) => {
    const relay = choose(relays.owners, pick)
    const low = relay && relays.commitLow(relay)
    return low === undefined ? undefined : `${relay?.life.name} ${low}`
  },

  post: (world, pick) => world.post(pick),
  // The same envelope in another message, in either queue.
  copy: ({ accepted, queues, wire }, pick) =>
    withOne(accepted, pick, ({ id, body }) =>
      queues[pick % 5 === 0 ? 'dead_letter_queue' : 'queue'].send({
        id: `${id}-${wire.random()}`,
        body,
      }),
    ),
  repeat: (world, pick) => {
    const posted = choose(
      world.posted.filter((p) => world.isRepeatable(p)),
      pick,
    )
    return posted && world.repeat(posted)
  },
  redrive: ({ queues: { queue, dead_letter_queue: dead } }, pick) => {
    const [from, to] = pick % 3 === 0 ? [queue, dead] : [dead, queue]
    return withOne(from.messages, pick, (message) => to.take(message, from))
  },
} satisfies Record<string, Action>

export type StepKind = keyof typeof ACTIONS
export type Step = readonly [kind: StepKind, pick: number]

// Mostly what happens on a good day, so that faults meet work that is going on.
const WEIGHTS: Record<StepKind, number> = {
  answer: 24,
  work: 24,
  slow: 6,
  'slow answer': 4,
  'lose request': 2,
  'lose answer': 2,
  postpone: 2,
  arrive: 2,
  marker: 8,
  'transaction times out': 1,
  'partition in trouble': 1,
  'next timer': 8,
  'leases run out': 2,
  days: 1,
  edge: 2,
  crash: 2,
  stop: 3,
  continue: 3,
  grant: 3,
  revoke: 1,
  'commit low': 3,
  post: 5,
  copy: 4,
  repeat: 2,
  redrive: 2,
}

export const KINDS = Object.keys(ACTIONS) as StepKind[]
// Without these nothing goes on.
const ALWAYS: ReadonlySet<StepKind> = new Set([
  'answer',
  'work',
  'marker',
  'next timer',
  'leases run out',
  'post',
])

export interface Run {
  seed: number
  // Kinds of steps that are left out: a world without crashes gets into states that one with them hardly ever reaches.
  without: StepKind[]
  steps: Step[]
}

const MAX_STEPS = 300

export const anyRun: fc.Arbitrary<Run> = fc.record({
  seed: fc.nat(),
  without: fc.subarray(KINDS.filter((kind) => !ALWAYS.has(kind))),
  steps: fc.array(
    fc.oneof(
      ...KINDS.map((kind) => ({
        weight: WEIGHTS[kind],
        arbitrary: fc.nat(63).map((pick): Step => [kind, pick]),
      })),
    ),
    { maxLength: MAX_STEPS, size: 'max' },
  ),
})

// From the first boot to the quiet end, or to the first breach of an invariant that ends it. `trace`: what was done, in words.
export async function play(
  { seed, without, steps }: Run,
  mutation?: Mutation,
): Promise<{ world: World; trace: string[] }> {
  const world = new World(seed, mutation)
  const trace: string[] = []
  await world.start()
  for (const [kind, pick] of steps) {
    if (without.includes(kind)) continue
    const did = await ACTIONS[kind](world, pick)
    if (did === undefined) continue
    await rest()
    world.count(kind)
    trace.push(`${kind}: ${did}`)
    if (world.history.breaches.length > 0) return { world, trace }
  }
  trace.push('calm')
  await world.calm()
  return { world, trace }
}

const isHeard = (call: Call): boolean => call.ready() && !call.life.stopped
const isAnswerable = (call: Call): boolean => isHeard(call) && !call.slow
const isUnheard = (call: Call): boolean => !call.executed && !call.life.stopped
const lost = ({ what }: Call): Error => new LostError(`${what}: lost`)

function choose<T>(of: readonly T[], pick: number): T | undefined {
  return of.length === 0 ? undefined : of[pick % of.length]
}

function withOne<T>(of: readonly T[], pick: number, act: (one: T) => void): string | undefined {
  const one = choose(of, pick)
  if (one === undefined) return undefined
  act(one)
  return nameOf(one)
}

function withCall(
  { wire }: World,
  pick: number,
  fits: (call: Call) => boolean,
  act: (call: Call) => void,
): string | undefined {
  const call = choose(wire.pending.filter(fits), pick)
  if (call) act(call)
  return call?.what
}

function moveTo({ wire }: World, at: number | undefined): string | undefined {
  if (at === undefined) return undefined
  wire.moveTo(at)
  return `${wire.now - START} ms`
}

// Relays and messages have names of their own.
function nameOf(one: unknown): string {
  if (typeof one !== 'object' || one === null) return String(one)
  if ('life' in one) return (one.life as { name: string }).name
  return 'id' in one ? String(one.id) : ''
}
