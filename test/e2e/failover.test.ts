import process from 'node:process'
import { afterAll, beforeAll, describe, inject, it } from 'vitest'
import { finalReceipt, pauseQueues, relayMetric } from '../support/api.ts'
import { startHistory } from '../support/history.ts'
import {
  followRelayLog,
  followStackLog,
  isOwningEnd,
  isTakenOver,
  serves,
  sinceTime,
  type LogLine,
  type RelayLog,
} from '../support/relay-log.ts'
import { startStack, type StackOptions, type TestStack } from '../support/stack.ts'

const brokers = inject('brokers')
const SHARDS = [0, 1, 2, 3]
const KILLED_SERVED_AGAIN_MS = 15_000
const STOPPED_SERVED_AGAIN_MS = 3_000
const STOP_MS = 10_000
const LEASE_MS = 60_000
const MESSAGES = 100
const REPORTS = 20
// What a crashed relay held comes again after this.
const SHORT_LEASES = { TRANSACTION_TIMEOUT_MS: '4000', LEASE_MS: '6000' }

interface Relay {
  pid: number
  ops: string
  log: RelayLog
  shards: number[]
}

interface Pair {
  stack: TestStack
  stackLog: RelayLog
  // The process of each that runs now, and its shards, once both serve two.
  relays(): Promise<[Relay, Relay]>
  stop(): Promise<void>
}

// Two relays that share four shards.
async function startPair({ args = [], env = {} }: StackOptions): Promise<Pair> {
  const stack = await startStack({
    brokers,
    args: ['--relays', '2', '--shards', '4', ...args],
    env,
  })
  const { state, dev } = stack
  const logs = [await followRelayLog(state, 1), await followRelayLog(state, 2)] as const
  const stackLog = await followStackLog(state)
  const relay = async (i: 0 | 1): Promise<Relay> => {
    const log = logs[i]
    const shards = await log.until(serves(2))
    return { log, shards, pid: log.lines.at(-1)?.pid ?? 0, ops: dev.relays[i]?.ops ?? '' }
  }
  return {
    stack,
    stackLog,
    relays: async () => [await relay(0), await relay(1)],
    async stop() {
      for (const log of [...logs, stackLog]) log.close()
      await stack.stop()
    },
  }
}

// How long after `since` each of these shards is served by this relay for the first time.
async function takeOverMs({ log }: Relay, shards: readonly number[], since: number) {
  const isSince = sinceTime(since)
  const times = await log.until((lines) => {
    const first = shards.map((shard) =>
      lines.find((line) => line.shard === shard && isTakenOver(line) && isSince(line)),
    )
    return first.every((line) => line !== undefined) ? first.map(({ time }) => time) : undefined
  })
  return times.map((time) => Date.parse(time) - since)
}

const isDoubt = ({ msg }: LogLine) => msg.startsWith('A transaction is in doubt')
// Of a transaction that carries envelopes, not of a boot.
const isInTransaction = ({ point, transaction = 0 }: LogLine) =>
  point === 'added' && transaction > 0

it(
  'a killed relay that stays down: the other serves its shards within 15 s, and all that is accepted before, during and after arrives exactly once',
  { timeout: 180_000 },
  async ({ expect }) => {
    const pair = await startPair({ args: ['--no-restart'], env: SHORT_LEASES })
    try {
      const { stack, stackLog } = pair
      const [survivor, victim] = await pair.relays()
      expect(new Set([...survivor.shards, ...victim.shards])).toEqual(new Set(SHARDS))
      const history = await startHistory(stack.dev, brokers)
      const posting = history.keepPosting()
      await victim.log.next(isInTransaction)
      const killedAt = Date.now()
      process.kill(victim.pid, 'SIGKILL')
      const accepted = history.receipts().length

      const took = await takeOverMs(survivor, victim.shards, killedAt)
      expect(Math.max(...took)).toBeLessThanOrEqual(KILLED_SERVED_AGAIN_MS)
      // To its own shards nothing happened.
      for (const shard of survivor.shards) {
        expect(
          survivor.log.lines.filter((line) => line.shard === shard && isDoubt(line)),
        ).toHaveLength(0)
      }
      expect(await survivor.log.until(serves(4))).toEqual(SHARDS)
      const meanwhile = history.receipts().length
      expect(meanwhile).toBeGreaterThan(accepted)
      await survivor.log.next(isInTransaction)
      await posting.end()
      expect(history.receipts().length).toBeGreaterThan(meanwhile)
      expect(await history.problems()).toEqual([])

      expect(stackLog.lines.map(({ msg }) => msg)).toContain(
        'relay-2 ended (signal SIGKILL); it stays down',
      )
      const { pids, relays } = await stack.devNow()
      expect(pids.relay).toEqual([survivor.pid])
      expect(relays).toEqual(stack.dev.relays)
    } finally {
      await pair.stop()
    }
  },
)

it(
  'a relay that is stopped under load: exit code 0, nothing in doubt, its shards served again within 3 s, its leases at once',
  { timeout: 180_000 },
  async ({ expect }) => {
    const pair = await startPair({
      args: ['--no-restart'],
      // One transaction for each message, so that many are in hand; in leases that would last if they were not handed back.
      env: { MAX_TRANSACTION_REPORTS: String(REPORTS), LEASE_MS: String(LEASE_MS) },
    })
    try {
      const { stack, stackLog } = pair
      const [survivor, stopped] = await pair.relays()
      const history = await startHistory(stack.dev, brokers)
      await pauseQueues(stack.dev, true)
      await Promise.all(Array.from({ length: MESSAGES }, () => history.post(REPORTS)))
      const posting = history.keepPosting()
      const inHand = stopped.log.next(
        ({ msg, messages = 0 }) => msg === 'Messages pulled' && messages >= MESSAGES / 10,
      )
      await pauseQueues(stack.dev, false)
      await inHand
      const stoppedAt = Date.now()
      process.kill(stopped.pid, 'SIGTERM')

      const end = await stackLog.until((lines) =>
        lines.find(({ msg }) => msg.startsWith('relay-2 ended')),
      )
      expect(end.msg).toBe('relay-2 ended (exit code 0); it stays down')
      expect(Date.parse(end.time) - stoppedAt).toBeLessThan(STOP_MS)
      const took = await takeOverMs(survivor, stopped.shards, stoppedAt)
      expect(Math.max(...took)).toBeLessThanOrEqual(STOPPED_SERVED_AGAIN_MS)

      await posting.end()
      expect(await history.problems()).toEqual([])
      const handedBack = stopped.log.lines.filter(({ reason }) => reason === 'stopping')
      expect(handedBack.length).toBeGreaterThan(0)
      expect(Date.now() - stoppedAt).toBeLessThan(LEASE_MS / 2)
      expect([...survivor.log.lines, ...stopped.log.lines].filter(isDoubt)).toEqual([])
      expect(await relayMetric(survivor.ops, 'doubts_total')).toBe(0)
    } finally {
      await pair.stop()
    }
  },
)

describe('relays that are started again', () => {
  let pair: Pair
  beforeAll(async () => {
    pair = await startPair({ env: SHORT_LEASES })
  })
  afterAll(async () => {
    await pair.stop()
  })

  it('a killed relay comes back and gets shards again; what the other kept it did not boot again', async ({
    expect,
  }) => {
    const { stack } = pair
    const [survivor, victim] = await pair.relays()
    const bootsOfKept = async () =>
      Promise.all(
        survivor.shards.map((shard) =>
          relayMetric(survivor.ops, 'boots_total', { shard: String(shard) }),
        ),
      )
    const before = await bootsOfKept()
    const history = await startHistory(stack.dev, brokers)
    const posting = history.keepPosting()
    await victim.log.next(isInTransaction)
    process.kill(victim.pid, 'SIGKILL')

    const shards = await victim.log.until(serves(2, victim.pid))
    const [kept, again] = await pair.relays()
    expect(new Set([...shards, ...kept.shards])).toEqual(new Set(SHARDS))
    expect(again.pid).not.toBe(victim.pid)
    expect(kept.pid).toBe(survivor.pid)
    expect(await bootsOfKept()).toEqual(before)
    await posting.end()
    expect(await history.problems()).toEqual([])
    expect((await stack.devNow()).pids.relay).toEqual([kept.pid, again.pid])
  })

  it('a relay that sleeps through its session and its leases gives up what it lost, and owns shards again, without going in circles', async ({
    expect,
  }) => {
    const { stack } = pair
    const [awake, sleeper] = await pair.relays()
    const boots = async () =>
      (await relayMetric(awake.ops, 'boots_total')) +
      (await relayMetric(sleeper.ops, 'boots_total'))
    const before = await boots()
    const history = await startHistory(stack.dev, brokers)
    const posting = history.keepPosting()
    await sleeper.log.next(isInTransaction)
    const asleepAt = Date.now()
    process.kill(sleeper.pid, 'SIGSTOP')
    try {
      await takeOverMs(awake, sleeper.shards, asleepAt)
      // The other delivers also what the sleeper holds, so the sleep is longer than its leases.
      for (const receipt of history.receipts()) await finalReceipt(stack.dev, receipt)
    } finally {
      process.kill(sleeper.pid, 'SIGCONT')
    }
    const isAfter = sinceTime(Date.now())
    await sleeper.log.until((lines) => lines.find((line) => isAfter(line) && line.shards))
    const [stays, back] = await pair.relays()
    await Promise.all([stays.log.next(isInTransaction), back.log.next(isInTransaction)])
    await posting.end()
    expect([stays.pid, back.pid]).toEqual([awake.pid, sleeper.pid])
    expect(new Set([...stays.shards, ...back.shards])).toEqual(new Set(SHARDS))
    const givenUp = sleeper.log.lines.filter((line) => isAfter(line) && isOwningEnd(line))
    expect(givenUp.length).toBeGreaterThan(0)
    expect(await history.problems()).toEqual([])
    // Two shards go to the other and two come back; each may once more be fenced by mistake, and no more.
    expect((await boots()) - before).toBeLessThanOrEqual(8)
  })
})
