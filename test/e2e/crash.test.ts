// Each moment of relay/failpoints.ts fails once, in a running stack under load: in turns the relay is killed there, sleeps there past its
// leases and goes on, or loses its connection. `npm run test:crash` does the same with every fault at every moment, as often as wanted.
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import process from 'node:process'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, inject as provided, it } from 'vitest'
import { FAULTS, POINTS, type Fault, type Point } from '../../relay/failpoints.ts'
import { planInjections } from '../crash/campaign.ts'
import { planChaos } from '../crash/chaos-plan.ts'
import { inject } from '../crash/inject.ts'
import { createRandom } from '../crash/random.ts'
import { openStage, type Stage } from '../crash/stage.ts'
import { formatViolation } from '../history/index.ts'

const RELAY = fileURLToPath(new URL('../../relay/main.ts', import.meta.url))
const SETTLED_MS = 60_000
const DRAINED_MS = 30_000

const SETTINGS = {
  INSTANCE_ID: 'ckafka-abcdefgh',
  QUEUE_API_URL: 'http://127.0.0.1:1',
  QUEUE_API_TOKEN: 'a token',
  ACCOUNT_ID: 'an account',
  QUEUE_IDS: 'a',
  DEAD_LETTER_QUEUE_IDS: 'b',
  WORKER_URL: 'http://127.0.0.1:1',
  RELAY_TOKEN: 'a token of the relay',
  KAFKA_BROKERS: '127.0.0.1:1',
  OPS_PORT: '0',
}

const INJECTIONS = POINTS.map((point, i): [Point, Fault] => [
  point,
  FAULTS[i % FAULTS.length] ?? 'kill',
])

describe('a relay that fails at each moment, under load', () => {
  const random = createRandom(1)
  let stage: Stage
  beforeAll(async () => {
    stage = await openStage({ random, brokers: provided('brokers') })
  })
  afterAll(async () => {
    await stage.close()
  })

  it.for(INJECTIONS)(
    'at %s: %s; what was accepted is in Kafka once, where its receipt says',
    async ([point, fault], { expect }) => {
      const { load, audit } = stage
      load.resume()
      const { shard } = await inject(stage, { point, fault }, random)
      expect([0, 1]).toContain(shard)
      await load.pause()
      const open = await load.settle(SETTLED_MS)
      const told = load.take()
      expect(told.accepted.length).toBeGreaterThan(0)
      expect((await audit.check(told, open)).map(formatViolation)).toEqual([])
    },
  )

  it('and so it is with all of them together, once the queues are empty', async ({ expect }) => {
    const { load, audit } = stage
    await load.pause()
    const open = await load.settle(SETTLED_MS)
    const violations = await audit.conclude(load.take(), open, DRAINED_MS)
    expect(violations.map(formatViolation)).toEqual([])
  })
})

describe('the campaigns', () => {
  it('do every fault at every moment as often as asked, in an order that the seed gives', ({
    expect,
  }) => {
    const plan = (seed: number) =>
      planInjections({ runs: 3, points: POINTS, faults: FAULTS }, createRandom(seed)).map(
        (of) => `${of.point}:${of.fault}`,
      )
    const times = Map.groupBy(plan(1), (name) => name)
    expect(times.size).toBe(POINTS.length * FAULTS.length)
    expect([...times.values()].every(({ length }) => length === 3)).toBe(true)
    expect(plan(1)).toEqual(plan(1))
    expect(plan(2)).not.toEqual(plan(1))
  })

  it('do the same chaos for the same seed', ({ expect }) => {
    const plan = (seed: number) => planChaos(10, createRandom(seed))
    expect(plan(1)).toEqual(plan(1))
    expect(plan(2)).not.toEqual(plan(1))
    expect(new Set(plan(1).map(({ action }) => action.do)).size).toBe(9)
  })
})

describe('a relay whose command line has no --failpoints', () => {
  it('does not start with FAILPOINT: exit code 78, and it names the flag', async ({ expect }) => {
    const relay = startRelay({ FAILPOINT: 'added:kill' })
    const [said, [code]] = await Promise.all([text(relay.stderr), once(relay, 'exit')])
    expect(code).toBe(78)
    expect(said).toContain('FAILPOINT')
    expect(said).toContain('--failpoints')
  })

  it('has no address to arm one at', async ({ expect }) => {
    const relay = startRelay()
    try {
      const ops = await opsOf(relay)
      const arm = await fetch(`${ops}/failpoints`, { method: 'POST', body: 'added:kill' })
      expect(arm.status).toBe(405)
      expect((await fetch(`${ops}/failpoints`)).status).toBe(404)
    } finally {
      relay.kill('SIGKILL')
      await once(relay, 'exit')
    }
  })
})

type RelayProcess = ChildProcess & { stdout: Readable; stderr: Readable }

// As in production, but for a Kafka that is not there: it waits for it.
function startRelay(env: Record<string, string> = {}): RelayProcess {
  const { PATH } = process.env
  return spawn(process.execPath, [RELAY], {
    env: { PATH, ...SETTINGS, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

async function opsOf({ stdout }: RelayProcess): Promise<string> {
  for await (const line of createInterface(stdout)) {
    const { url } = JSON.parse(line) as { url?: string }
    if (url !== undefined) return url
  }
  throw new Error('the relay ended')
}
