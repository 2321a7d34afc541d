// Brokers that die, stop answering, and come back: a cluster of its own, because the shared one must not suffer.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { startKafka, type KafkaCluster } from '../../../dev/kafka/cluster.ts'
import type { Reach } from '../../../relay/failpoints.ts'
import { createPlacedInstance, createPlacedTopic, healed } from './cluster.ts'
import { MSG, says } from './log-lines.ts'
import { startRig, type Rig } from './rig.ts'

// The session of a dead broker ends after 3 s; then leaders and coordinators move.
const FAILOVER_MS = 15_000
const IDS = [1, 2, 3]
// Of one key for each partition, and more.
const KEYS = ['a', 'b', 'c', 'd', 'e', 'f']

interface Where {
  ledgerLeader: number
  coordinator: number
  leaders: number[]
}

let dir: string
let cluster: KafkaCluster
let kafka: { brokers: string[]; clientId: string }
// To three shards broker 1 is one thing each, and to the fourth nothing but a follower.
let rigs: { data: Rig; ledger: Rig; coordinator: Rig; follower: Rig }
// Every passing of a moment in the fourth waits for this.
let gate: Reach | undefined

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'edgehub-test-outages-'))
  cluster = await startKafka({ dir, brokers: 3, quickFailover: true })
  kafka = { brokers: [...cluster.brokers], clientId: 'kafka-outage-test' }
  rigs = {
    data: await startPlaced({ ledgerLeader: 2, coordinator: 3, leaders: [1, 2, 3] }),
    ledger: await startPlaced({ ledgerLeader: 1, coordinator: 3, leaders: [2, 3, 2] }),
    coordinator: await startPlaced({ ledgerLeader: 2, coordinator: 1, leaders: [2, 3, 2] }),
    follower: await startPlaced({ ledgerLeader: 2, coordinator: 3, leaders: [2, 3, 2] }, (point) =>
      gate?.(point),
    ),
  }
}, 180_000)
afterAll(async () => {
  for (const rig of Object.values(rigs)) await rig.stop()
  await cluster.kill()
  await rm(dir, { recursive: true, force: true })
})

async function startPlaced(where: Where, reach?: Reach): Promise<Rig> {
  const instance = await createPlacedInstance(kafka, where)
  const topic = await createPlacedTopic(kafka, where.leaders)
  const rig = await startRig({ kafka, after: { instance, topic }, ...(reach && { reach }) })
  rig.sendSome(3)
  await rig.allAcked()
  return rig
}

const allAcked = (of: readonly Rig[]) => Promise.all(of.map((rig) => rig.allAcked()))

interface Trouble {
  doubts: number
  boots: number
  bootFailures: number
}

async function troubleOf(rig: Rig): Promise<Trouble> {
  return {
    doubts: await rig.metric('doubts_total'),
    boots: await rig.metric('boots_total'),
    bootFailures: await rig.metric('boot_failures_total'),
  }
}

const NAMES = ['data', 'ledger', 'coordinator'] as const

describe('a broker that is killed', () => {
  const after = new Map<Rig, Trouble>()
  let tookMs: number
  // What the shard with the topic that wants three replicas did while there were two.
  let whileTwo: string | undefined
  beforeAll(async () => {
    const { follower } = rigs
    const three = NAMES.map((name) => rigs[name])
    const wide = await createPlacedTopic(kafka, [2, 3, 2], { 'min.insync.replicas': '3' })
    follower.sendSome(2, { topic: wide })
    await follower.allAcked()
    // Its transaction begins only when the one before is ended on all three.
    follower.sendSome(1)
    await follower.allAcked()

    await cluster.nodes[0]?.kill()
    const since = performance.now()
    for (const rig of three) {
      rig.sendSome(3)
      rig.send(KEYS.map((key) => ({ key, value: key })))
    }
    await allAcked(three)
    tookMs = performance.now() - since
    for (const rig of three) after.set(rig, await troubleOf(rig))
    // By now every broker knows that there are two.
    follower.sendSome(2, { topic: wide })
    follower.sendSome(3)
    whileTwo = await Promise.race([
      follower.acked(9).then(() => 'the others are delivered'),
      follower.log.until((lines) => lines.find(says(MSG.doubt))?.err?.message),
    ])
    await cluster.nodes[0]?.start(IDS)
    await healed(kafka)
    for (const rig of Object.values(rigs)) rig.sendSome(2)
    await allAcked(Object.values(rigs))
  }, 180_000)

  it.for([
    ['data', 'a data partition'],
    ['ledger', 'the ledger partition'],
    ['coordinator', 'the transactional id'],
  ] as const)(
    'had the %s: all goes on after its session, with few boots',
    async ([name], { expect }) => {
      const rig = rigs[name]
      const trouble = after.get(rig)
      expect(tookMs).toBeLessThan(FAILOVER_MS)
      expect(trouble?.doubts).toBeGreaterThanOrEqual(1)
      expect(trouble?.doubts).toBeLessThanOrEqual(3)
      expect(trouble?.boots).toBe(1 + (trouble?.doubts ?? 0))
      expect(trouble?.bootFailures).toBeLessThanOrEqual(10)
      expect(rig.log.count(MSG.doubt)).toBe(trouble?.doubts)
      expect(await rig.metric('breaker_open', { target: 'kafka' })).toBe(0)
      expect(await rig.problems()).toEqual([])
    },
  )

  it('leaves a topic with too few replicas: only its envelopes wait, without a doubt, until the broker is back', async ({
    expect,
  }) => {
    const { follower } = rigs
    expect(await follower.problems()).toEqual([])
    expect(whileTwo).toBe('the others are delivered')
    const blocked = follower.log.lines.filter(says(MSG.blocked))
    expect(new Set(blocked.map(({ reason }) => reason))).toEqual(new Set(['no_leader']))
    expect(
      await follower.metric('handed_back_total', { reason: 'blocked' }),
    ).toBeGreaterThanOrEqual(2)
  })
})

it('a broker that stops answering for a while: doubts where an answer is missing, and all goes on when it answers', async ({
  expect,
}) => {
  const all = Object.values(rigs)
  const before = new Map(
    await Promise.all(all.map(async (rig) => [rig, await troubleOf(rig)] as const)),
  )
  // It leads more than the others since broker 1 was away.
  cluster.nodes[1]?.pause()
  const doubt = rigs.data.log.next(says(MSG.doubt))
  for (const rig of all) rig.send(KEYS.map((key) => ({ key, value: key })))
  await doubt
  cluster.nodes[1]?.resume()
  await allAcked(all)
  await healed(kafka)
  for (const rig of all) rig.sendSome(2)
  await allAcked(all)
  for (const rig of all) {
    const { doubts = 0, bootFailures = 0 } = before.get(rig) ?? {}
    const now = await troubleOf(rig)
    expect(now.doubts - doubts).toBeLessThanOrEqual(3)
    expect(now.bootFailures - bootFailures).toBeLessThanOrEqual(5)
    expect(await rig.problems()).toEqual([])
  }
})

it('all brokers away: the circuit opens, what is held is handed back, nothing is pulled; all is delivered when they are back', async ({
  expect,
}) => {
  const rig = rigs.follower
  const before = await troubleOf(rig)
  const linesBefore = rig.log.lines.length
  const handedBack = () => rig.metric('handed_back_total', { reason: 'kafka_away' })
  const handedBackBefore = await handedBack()
  const began = Promise.withResolvers<void>()
  const opened = Promise.withResolvers<void>()
  gate = (point) => {
    if (point !== 'began') return undefined
    began.resolve()
    return opened.promise
  }
  rig.sendSome(5)
  await began.promise
  // Pulled ahead, while a transaction has begun.
  const ahead = rig.log.next(says(MSG.pulled))
  rig.sendSome(3)
  await ahead
  await cluster.kill()
  const since = performance.now()
  gate = undefined
  opened.resolve()

  await rig.log.next(says(MSG.handedBack, 'kafka_away'))
  expect(performance.now() - since).toBeLessThan(10_000)
  expect(await rig.metric('breaker_open', { target: 'kafka' })).toBe(1)
  expect((await handedBack()) - handedBackBefore).toBe(8)
  expect((await rig.state()).leased).toBe(0)
  const pulls = { ...rig.pulls }
  rig.sendSome(5)
  await rig.log.next(says(MSG.bootFailed))
  await rig.log.next(says(MSG.bootFailed))
  expect(rig.pulls).toEqual(pulls)

  await Promise.all(cluster.nodes.map((node) => node.start(IDS)))
  await rig.allAcked()
  rig.sendSome(2)
  await rig.allAcked()
  const seconds = (performance.now() - since) / 1000
  const now = await troubleOf(rig)
  const failures = now.bootFailures - before.bootFailures
  expect(await rig.metric('breaker_open', { target: 'kafka' })).toBe(0)
  expect(now.doubts - before.doubts).toBe(1)
  // Ever more rarely, up to once in ten seconds.
  expect(failures).toBeLessThanOrEqual(6 + seconds / 5)
  expect(rig.log.lines.slice(linesBefore).filter(says(MSG.bootFailed))).toHaveLength(failures)
  expect(await rig.problems()).toEqual([])
})
