// Reports that a test sends to the demo topic, whatever happens to the relays meanwhile, and the proof that each of them is in Kafka
// exactly once, where its receipt says.
import { randomBytes } from 'node:crypto'
import type { DevJson } from '../../dev/dev-json.ts'
import { finalReceipt, postReports, type ReceiptBody } from './api.ts'
import { readTopic } from './kafka-reader.ts'

export interface History {
  // One POST of so many reports, half of them with a key. Its receipt.
  post(reports: number, headers?: Record<string, string>): Promise<string>
  // Posts one after the other until it is told to end; each waits a second for its outcome, so that the load is what the relays can do.
  keepPosting(): { end(): Promise<void> }
  // Of all posts, in the order of their answers.
  receipts(): string[]
  // When every receipt is final: what is wrong with which report. Bounded by the test's own time limit.
  problems(): Promise<string[]>
}

const REPORTS_OF_KEPT = 5

export async function startHistory(dev: DevJson, brokers: readonly string[]): Promise<History> {
  // The demo topic of a shared cluster holds what other tests sent.
  const from: Record<number, number> = {}
  for (const { partition, offset } of await readTopic({ brokers, topic: dev.topic })) {
    from[partition] = Math.max(from[partition] ?? 0, offset + 1)
  }
  const name = randomBytes(4).toString('hex')
  const sent = new Map<string, string[]>()
  let posts = 0

  async function post(reports: number, headers: Record<string, string> = {}): Promise<string> {
    const n = ++posts
    const values = Array.from({ length: reports }, (_, i) => `${name} ${n}.${i}`)
    const response = await postReports(
      dev,
      values.map((value, i) => ({ value, ...(i % 2 === 0 ? { key: `k${i}` } : {}) })),
      headers,
    )
    if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`)
    const { receipt } = (await response.json()) as ReceiptBody
    sent.set(receipt, values)
    return receipt
  }

  return {
    post,
    keepPosting() {
      let ended = false
      const run = async () => {
        while (!ended) await post(REPORTS_OF_KEPT, { prefer: 'wait=1' })
      }
      const runs = Promise.all([run(), run()])
      // Told by end().
      runs.catch(() => undefined)
      return {
        async end() {
          ended = true
          await runs
        },
      }
    },
    receipts: () => [...sent.keys()],
    async problems() {
      const finals: ReceiptBody[] = []
      for (const receipt of sent.keys()) finals.push(await finalReceipt(dev, receipt))
      const records = await readTopic({ brokers, topic: dev.topic, from })
      const stored = records.map((r) => r.value?.toString() ?? '')
      const at = new Map(records.map((r, i) => [`${r.partition}/${r.offset}`, stored[i]]))
      const times = Map.groupBy(stored, (value) => value)
      const known = new Set([...sent.values()].flat())
      return [
        ...finals.flatMap(({ receipt, status, messages = [] }) =>
          (sent.get(receipt) ?? []).flatMap((value, i) => {
            const { partition, offset } = messages[i] ?? {}
            const copies = times.get(value)?.length ?? 0
            if (
              status === 'delivered' &&
              copies === 1 &&
              at.get(`${partition}/${offset}`) === value
            ) {
              return []
            }
            return [`${value}: ${status}, told ${partition}/${offset}, stored ${copies} times`]
          }),
        ),
        ...stored.filter((value) => !known.has(value)).map((value) => `${value}: not sent`),
      ]
    },
  }
}
