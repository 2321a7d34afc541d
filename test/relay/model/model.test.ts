// The relay's real code, all of a shard but its ports, in a world that does to it whatever can be done: runs of any steps, told scenes, and
// a fault at each call. And the other way round: relays that are wrong in one thing, each of which must be caught.
import process from 'node:process'
import * as fc from 'fast-check'
import { describe, it } from 'vitest'
import type { Invariant } from './history.ts'
import { MUTATIONS } from './mutations.ts'
import type { Mutation } from './relays.ts'
import { failAt, SCENES, type Fault, type SceneName } from './scenes.ts'
import { anyRun, KINDS, play } from './steps.ts'
import { World } from './world.ts'

// More of them, and others: MODEL_RUNS=20000 MODEL_SEED=2 npm test -- test/relay/model
const RUNS = Number(process.env['MODEL_RUNS'] ?? 1_000)
const SEED = Number(process.env['MODEL_SEED'] ?? 1)
const MS_A_RUN = 100
// With this seed the last of the searches ends after some 400 runs.
const SEARCH_SEED = 1
const SEARCH_RUNS = 5_000
// On the way of two envelopes.
const A_FEW_CALLS = 20

const DUPLICATE: Invariant = 'I1: a report is in Kafka at most once'
const told = ({ history }: World) => history.breaches.map((b) => `${b.invariant}: ${b.text}`)

// What a run of the defaults must come by; otherwise it has shown nothing.
const EVENTS = [
  'booted',
  'boot failed',
  'doubt',
  'fenced',
  'sent',
  'committed',
  'blocked',
  'known',
  'taken',
  'not taken',
  'forgotten',
  'stopped',
  'ledger read: committed',
  'ledger read: nothing_committed',
  'pulled: queue',
  'pulled: dead_letter_queue',
  'pull failed',
  'looked up: absent',
  'looked up: found',
  'looked up: no answer',
  'fetch failed',
  'ack failed',
  'hand-back failed',
  'worker away',
  'worker back',
  'handed back: blocked',
  'handed back: fenced',
  'handed back: in_doubt',
  'handed back: kafka_away',
  'handed back: lease_too_short',
  'handed back: look_up_failed',
  'handed back: not_taken',
  'handed back: records_unavailable',
  'handed back: stopping',
  'delivered',
  'dead-lettered',
  'row ended',
]

describe('the relay in a world where everything fails', () => {
  it(
    'keeps every promise in any run',
    { timeout: 60_000 + RUNS * MS_A_RUN },
    async ({ expect }) => {
      const counts = new Map<string, number>()
      const property = fc.asyncProperty(anyRun, async (run) => {
        const { world, trace } = await play(run)
        for (const [what, n] of world.counts) counts.set(what, (counts.get(what) ?? 0) + n)
        const breaches = told(world)
        if (breaches.length > 0) throw new Error([...breaches, 'after', ...trace].join('\n'))
      })
      await fc.assert(property, { numRuns: RUNS, seed: SEED })
      if (process.env['MODEL_RUNS']) {
        process.stderr.write(`${JSON.stringify(Object.fromEntries(counts))}\n`)
      }
      const missing = [...KINDS, ...EVENTS].filter((what) => !counts.get(what))
      expect(missing).toEqual([])
    },
  )

  it.for(Object.keys(SCENES) as SceneName[])(
    'keeps every promise in: %s',
    async (name, { expect }) => {
      expect(told(await playScene(name))).toEqual([])
    },
  )

  it.for(
    (['fails', 'dies', 'stops'] as const).flatMap((how): Fault[] => [
      { how, when: 'before its effect' },
      { how, when: 'after its effect' },
    ]),
  )('keeps every promise at whichever call it $how, $when', async (fault, { expect }) => {
    const calls = await failAt(new World(SEED), Infinity, fault)
    expect(calls).toBeGreaterThan(A_FEW_CALLS)
    for (let nth = 0; nth < calls; nth++) {
      const world = new World(SEED)
      await failAt(world, nth, fault)
      await world.calm()
      expect(told(world), `call ${nth}`).toEqual([])
    }
  })
})

describe('a relay that is wrong in one thing sends a report twice, and the model sees it', () => {
  it.for(Object.entries(MUTATIONS))('%s', async ([, mutation], { expect }) => {
    const breaches = mutation.scene
      ? (await playScene(mutation.scene, mutation)).history.breaches
      : await search(mutation)
    expect(breaches.map(({ invariant }) => invariant)).toContain(DUPLICATE)
  })
})

async function playScene(name: SceneName, mutation?: Mutation): Promise<World> {
  const world = new World(SEED, mutation)
  await world.start()
  await SCENES[name](world)
  await world.calm()
  return world
}

// Until the first run that finds a duplicate.
async function search(mutation: Mutation): Promise<World['history']['breaches']> {
  let found: World['history']['breaches'] = []
  const property = fc.asyncProperty(anyRun, async (run) => {
    const { world } = await play(run, mutation)
    found = world.history.breaches
    return found.every(({ invariant }) => invariant !== DUPLICATE)
  })
  await fc.check(property, { numRuns: SEARCH_RUNS, seed: SEARCH_SEED, endOnFailure: true })
  return found
}
