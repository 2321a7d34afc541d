import process from 'node:process'
import { inject, it } from 'vitest'
import { accept, finalReceipt, type ReceiptBody } from '../support/api.ts'
import { readTopic } from '../support/kafka-reader.ts'
import { followRelayLog, readRelayLog, type LogLine } from '../support/relay-log.ts'
import { startStack } from '../support/stack.ts'

const brokers = inject('brokers')
const KILLS = 8
const POSTS_BETWEEN_KILLS = 50
const REPORTS_A_POST = 25

it(
  'the relay is killed again and again while 10,000 reports come in: each is in Kafka exactly once, where its receipt says',
  { timeout: 300_000 },
  async ({ expect }) => {
    // Small transactions: more of them for the kills to hit.
    const stack = await startStack({ brokers, env: { MAX_TRANSACTION_REPORTS: '100' } })
    const { dev, state } = stack
    const from: Record<number, number> = {}
    for (const { partition, offset } of await readTopic({ brokers, topic: dev.topic })) {
      from[partition] = Math.max(from[partition] ?? 0, offset + 1)
    }
    const sent = new Map<string, string[]>()
    const killed: number[] = []
    const post = async (n: number) => {
      const values = Array.from({ length: REPORTS_A_POST }, (_, i) => `${n}.${i}`)
      const { receipt } = await accept(
        dev,
        values.map((value, i) => ({ value, ...(i % 2 === 0 ? { key: `k${i}` } : {}) })),
      )
      sent.set(receipt, values)
    }
    try {
      const log = await followRelayLog(state)
      for (let kill = 0; kill < KILLS; kill++) {
        const hit = log.next(
          ({ pid, step, transaction = 0 }) =>
            step === 'added' && transaction > 0 && !killed.includes(pid),
        )
        const posting = Promise.all(
          Array.from({ length: POSTS_BETWEEN_KILLS }, (_, i) =>
            post(kill * POSTS_BETWEEN_KILLS + i),
          ),
        )
        const { pid } = await hit
        process.kill(pid, 'SIGKILL')
        killed.push(pid)
        await posting
      }
      log.close()
      const finals: ReceiptBody[] = []
      for (const receipt of sent.keys()) finals.push(await finalReceipt(dev, receipt))

      expect(sent.size * REPORTS_A_POST).toBe(10_000)
      expect(new Set(finals.map(({ status }) => status))).toEqual(new Set(['delivered']))
      // The demo topic of the shared cluster holds what other tests sent before.
      const records = await readTopic({ brokers, topic: dev.topic, from })
      const values = records.map((r) => r.value?.toString() ?? '')
      expect(values.length).toBe(10_000)
      expect(new Set(values)).toEqual(new Set([...sent.values()].flat()))
      const byPlace = new Map(
        records.map((r) => [`${r.partition}/${r.offset}`, r.value?.toString()]),
      )
      for (const { receipt, messages = [] } of finals) {
        expect(
          messages.map(({ partition, offset }) => byPlace.get(`${partition}/${offset}`)),
        ).toEqual(sent.get(receipt))
      }
      const lines = await readRelayLog(state)
      expect(
        killed.filter((pid) => diedInsideTransaction(pid, lines)).length,
      ).toBeGreaterThanOrEqual(2)
    } finally {
      await stack.stop()
    }
  },
)

// Its log ends, for one shard, after the partitions were added and before the leases were acked.
function diedInsideTransaction(pid: number, all: readonly LogLine[]): boolean {
  const shards = Map.groupBy(
    all.filter((line) => line.pid === pid && line.shard !== undefined),
    ({ shard }) => shard,
  )
  return [...shards.values()].some((of) => {
    const added = of.findLastIndex(
      ({ step, transaction = 0 }) => step === 'added' && transaction > 0,
    )
    return added >= 0 && !of.slice(added).some(({ msg }) => msg === 'Leases were acked')
  })
}
