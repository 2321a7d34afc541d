import process from 'node:process'
import { inject, it } from 'vitest'
import type { Point } from '../../relay/failpoints.ts'
import { startHistory } from '../support/history.ts'
import { followRelayLog, type LogLine, type RelayLog } from '../support/relay-log.ts'
import { startStack } from '../support/stack.ts'

const brokers = inject('brokers')
// Where each kill comes, give or take the moment that the signal takes.
const KILL_AT: readonly Point[] = [
  'added',
  'data_appended',
  'ledger_appended',
  'endtxn_sent',
  'endtxn_answered',
  'committed',
  'outcomes_taken',
  'added',
]
const POSTS_BETWEEN_KILLS = 50
const REPORTS_A_POST = 25

it(
  'relays are killed again and again while 10,000 reports come in: each is in Kafka exactly once, where its receipt says',
  { timeout: 300_000 },
  async ({ expect }) => {
    const stack = await startStack({
      brokers,
      // Each kill costs a session time-out before its shards are served again. Of two relays both can be dead in that time.
      args: ['--relays', '2'],
      env: {
        // Small transactions: more of them for the kills to hit.
        MAX_TRANSACTION_REPORTS: '100',
        TRANSACTION_TIMEOUT_MS: '4000',
        LEASE_MS: '6000',
      },
    })
    const { dev, state } = stack
    const logs = await Promise.all([followRelayLog(state, 1), followRelayLog(state, 2)])
    try {
      const history = await startHistory(dev, brokers)
      const killed: number[] = []
      for (const point of KILL_AT) {
        const hit = Promise.race(logs.map((log) => reaches(point, log, killed)))
        const posting = Promise.all(
          Array.from({ length: POSTS_BETWEEN_KILLS }, () => history.post(REPORTS_A_POST)),
        )
        const { pid } = await hit
        process.kill(pid, 'SIGKILL')
        killed.push(pid)
        await posting
      }

      expect(history.receipts().length * REPORTS_A_POST).toBe(10_000)
      expect(await history.problems()).toEqual([])
      const lines = logs.flatMap((log) => log.lines)
      expect(new Set(killed).size).toBe(KILL_AT.length)
      expect(
        killed.filter((pid) => diedInsideTransaction(pid, lines)).length,
      ).toBeGreaterThanOrEqual(KILL_AT.length / 2)
    } finally {
      for (const log of logs) log.close()
      await stack.stop()
    }
  },
)

// Not the first boot's claim.
const isIn = ({ transaction = 0 }: LogLine) => transaction > 0

function reaches(point: Point, log: RelayLog, killed: readonly number[]): Promise<LogLine> {
  return log.next((line) => line.point === point && isIn(line) && !killed.includes(line.pid))
}

// Its log ends, for one shard, after the partitions were added and before the leases were acked.
function diedInsideTransaction(pid: number, all: readonly LogLine[]): boolean {
  const shards = Map.groupBy(
    all.filter((line) => line.pid === pid && line.shard !== undefined),
    ({ shard }) => shard,
  )
  return [...shards.values()].some((of) => {
    const added = of.findLastIndex((line) => line.point === 'added' && isIn(line))
    return added >= 0 && !of.slice(added).some(({ point }) => point === 'acked')
  })
}
