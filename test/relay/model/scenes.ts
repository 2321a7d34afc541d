// Runs that are told step by step, for what a search of any runs finds too seldom. Each names the calls that it waits for, and nothing of
// how a relay comes to them.
import { LostError, type Call } from './calls.ts'
import type { Relay } from './relays.ts'
import { LEASE_MS } from './relays.ts'
import { rest, type World } from './world.ts'

const MAX_ROUNDS = 500

// Answers whatever a relay asks, until it makes this call; the call is left open.
async function until({ wire, kafka }: World, { life }: Relay, what: string): Promise<Call> {
  const isIt = (call: Call) => call.life === life && call.what.startsWith(`${life.name}.${what}`)
  for (let round = 0; round < MAX_ROUNDS; round++) {
    await rest()
    const found = wire.pending.find(isIt)
    if (found) return found
    for (const name of kafka.unmarked) kafka.writeMarker(name)
    const calls = wire.pending.filter((call) => call.life === life && call.ready())
    for (const call of calls) call.answer()
    if (calls.length === 0 && wire.nextTimer !== undefined) wire.moveTo(wire.nextTimer)
  }
  throw new Error(`${life.name} never comes to ${what}`)
}

// Nothing that it asked for arrives.
function dieSilently({ wire, relays }: World, relay: Relay): void {
  relays.crash(relay)
  wire.late = []
}

const ONE_RECORD = 0
const BOTH_PARTITIONS = 1
const A_CLAIM = 3

export const SCENES = {
  // Another relay commits an envelope while the INIT of its successor is under way, and dies before it has told anybody.
  async 'a commit before the fence'(world: World): Promise<void> {
    const [before] = world.relays.owners
    if (!before) throw new Error('nobody has booted')
    world.relays.start('B')
    world.post(ONE_RECORD)
    await until(world, before, 'post ')
    dieSilently(world, before)
    world.wire.moveTo(world.wire.now + LEASE_MS + 1)
  },

  // A relay is stopped with its ledger half read; another one takes over, commits an envelope, and dies before it has told anybody.
  async 'a commit behind the claim'(world: World): Promise<void> {
    const [other] = world.relays.owners
    if (!other) throw new Error('nobody has booted')
    const stopped = world.relays.start('B')
    await until(world, stopped, 'fetch')
    stopped.life.stopped = true
    world.post(ONE_RECORD)
    await until(world, other, 'post ')
    dieSilently(world, other)
    world.relays.goOn(stopped)
    world.wire.moveTo(world.wire.now + LEASE_MS + 1)
  },

  // An append that was given up reaches its partition when a later transaction is open there.
  async 'an append that comes late'(world: World): Promise<void> {
    const [relay] = world.relays.owners
    if (!relay) throw new Error('nobody has booted')
    world.post(ONE_RECORD)
    world.wire.postpone(await until(world, relay, 'append orders'))
    ;(await until(world, relay, 'settle')).answer()
    // Its partition is behind a breaker for a second.
    world.wire.moveTo(world.wire.now + LEASE_MS)
    world.post(BOTH_PARTITIONS)
    await until(world, relay, 'append orders')
    while (world.wire.late.length > 0) world.wire.arrive(0)
  },
} satisfies Record<string, (world: World) => Promise<void>>

export interface Fault {
  // `stops`: it is stopped there until another relay has done all the work.
  how: 'fails' | 'dies' | 'stops'
  when: 'before its effect' | 'after its effect'
}

// Two envelopes on their way through one relay, call by call, from its boot on; the fault is at the `nth` call. Returns how many calls
// were answered until then, or until all was done.
export async function failAt(world: World, nth: number, { how, when }: Fault): Promise<number> {
  const { wire, relays } = world
  const relay = relays.start('A')
  world.post(BOTH_PARTITIONS)
  world.post(A_CLAIM)
  for (let answered = 0, round = 0; round < MAX_ROUNDS; round++) {
    await rest()
    if (world.undone.length === 0) return answered
    const call = wire.pending.find((c) => c.ready())
    if (!call) {
      goOn(world)
    } else if (answered < nth) {
      call.answer()
      answered++
    } else {
      if (when === 'after its effect') call.execute()
      if (how === 'fails') call.lose(new LostError(call.what))
      else if (how === 'dies') relays.crash(relay)
      else await workInstead(world, relay)
      return answered
    }
  }
  throw new Error('it never ends')
}

async function workInstead(world: World, relay: Relay): Promise<void> {
  const { wire, relays } = world
  relay.life.stopped = true
  const other = relays.start('B')
  let isCommitted = false
  for (let round = 0; round < MAX_ROUNDS && !isCommitted; round++) {
    await rest()
    const calls = wire.pending.filter((call) => call.life === other.life && call.ready())
    for (const call of calls) call.answer()
    if (calls.length === 0) goOn(world)
    if (world.undone.length === 0) isCommitted = relays.commitLow(other) !== undefined
  }
  for (const call of wire.pending) if (call.what.includes('commit low')) call.answer()
  relays.goOn(relay)
}

// When nobody can be answered.
function goOn({ wire, kafka }: World): void {
  const [marker] = kafka.unmarked
  if (marker !== undefined) kafka.writeMarker(marker)
  else wire.moveTo(wire.nextTimer ?? wire.now)
}

export type SceneName = keyof typeof SCENES
