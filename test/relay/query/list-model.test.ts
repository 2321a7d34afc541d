import * as fc from 'fast-check'
import { it } from 'vitest'
import type { LinkQuery } from '#contract'
import type { FetchedPart } from '../../../relay/kafka/fetch.ts'
import { encodeBatch } from '../../../relay/kafka/record-batch.ts'
import { listByTime } from '../../../relay/query/list.ts'
import type { Source } from '../../../relay/query/source.ts'

// A log as it is in Kafka, and what of it a reader of what is committed may see.
interface Log {
  start: bigint
  end: bigint
  batches: { first: bigint; last: bigint; bytes: Buffer }[]
  aborted: { producerId: bigint; first: bigint; last: bigint }[]
  visible: { offset: bigint; timestamp: number }[]
}

const ABORTED_PRODUCER = 9n
const ATTRIBUTES_AT = 21
const CONTROL = 32

const part = fc.oneof(
  fc.record({
    is: fc.constantFrom('data', 'data', 'aborted'),
    timestamps: fc.array(fc.nat(20), { minLength: 1, maxLength: 4 }),
    bytes: fc.constantFrom(10, 10, 3_000),
    gap: fc.nat(2),
  }),
)
type Part = typeof part extends fc.Arbitrary<infer T> ? T : never

async function logOf(parts: readonly Part[]): Promise<Log> {
  const log: Log = { start: 0n, end: 0n, batches: [], aborted: [], visible: [] }
  const add = async (timestamps: readonly number[], bytes: number, producerId: bigint) => {
    const head = { producerId: `${producerId}`, producerEpoch: 0, firstSequence: 0 }
    const value = 'x'.repeat(bytes)
    const messages = timestamps.map((timestamp) => ({ key: null, value, timestamp }))
    const batch = await encodeBatch(messages, head)
    const first = log.end
    batch.writeBigInt64BE(first, 0)
    log.end += BigInt(timestamps.length)
    log.batches.push({ first, last: log.end - 1n, bytes: batch })
    return { first, batch }
  }
  for (const { is, timestamps, bytes, gap } of parts) {
    if (is === 'data') {
      const { first } = await add(timestamps, bytes, 1n)
      for (const [n, timestamp] of timestamps.entries()) {
        log.visible.push({ offset: first + BigInt(n), timestamp })
      }
    } else {
      const { first } = await add(timestamps, bytes, ABORTED_PRODUCER)
      const { first: last, batch } = await add([0], 1, ABORTED_PRODUCER)
      batch.writeInt16BE(batch.readInt16BE(ATTRIBUTES_AT) | CONTROL, ATTRIBUTES_AT)
      log.aborted.push({ producerId: ABORTED_PRODUCER, first, last })
    }
    // Compacted away.
    log.end += BigInt(gap)
  }
  return log
}

// A broker's way to fill an answer: in order, whole batches, and one that is too large for the first partition that has something.
function sourceOf(logs: readonly Log[], maxBytes: number): Source {
  const fetchOne = (
    partition: number,
    offset: bigint,
    room: number,
    isFirst: boolean,
  ): FetchedPart => {
    const log = logs[partition]
    if (!log) throw new Error('no such partition')
    const bounds = { highWatermark: log.end, lastStable: log.end, logStart: log.start }
    const empty = { partition, code: 0, ...bounds, aborted: [], batches: Buffer.alloc(0) }
    if (offset < log.start || offset > log.end) return { ...empty, code: 1 }
    const chosen: Log['batches'] = []
    let left = room
    for (const batch of log.batches.filter(({ last }) => last >= offset)) {
      if (batch.bytes.length > left && !(isFirst && chosen.length === 0)) break
      chosen.push(batch)
      left -= batch.bytes.length
    }
    const through = chosen.at(-1)?.last ?? -1n
    return {
      ...empty,
      aborted: log.aborted.filter((t) => t.last >= offset && t.first <= through).toReversed(),
      batches: Buffer.concat(chosen.map(({ bytes }) => bytes)),
    }
  }
  const refuse = () => Promise.reject(new Error('not asked for here'))
  return {
    metadata: refuse,
    configs: refuse,
    create: refuse,
    close: () => {},
    topic: async (name) => ({
      code: 0,
      name,
      id: undefined,
      operations: undefined,
      partitions: logs.map((_, partition) => ({
        code: 0,
        partition,
        leader: 1,
        replicas: [1],
        inSync: [1],
      })),
    }),
    offsets: async (_, partitions, of) =>
      new Map(
        partitions.map((p) => {
          const log = logs[p]
          if (of === 'start') return [p, log?.start ?? 0n]
          if (typeof of === 'string') return [p, log?.end ?? 0n]
          const { timestamp } = of
          const found = log?.visible.find((v) => v.timestamp >= timestamp && v.offset >= log.start)
          return [p, found?.offset ?? -1n]
        }),
      ),
    async fetch(_, positions) {
      let room = maxBytes
      let isFirst = true
      return positions.map(({ partition, offset }) => {
        const answer = fetchOne(partition, offset, room, isFirst)
        room -= answer.batches.length
        isFirst &&= answer.batches.length === 0
        return answer
      })
    },
  }
}

it('page by page every visible record comes once, in the order of its partition, whatever the log and the answers are like, and however much expires meanwhile', async ({
  expect,
}) => {
  const { signal } = new AbortController()
  const logs = fc.array(fc.array(part, { maxLength: 8 }), { minLength: 1, maxLength: 4 })
  await fc.assert(
    fc.asyncProperty(
      logs,
      fc.integer({ min: 1, max: 6 }),
      fc.nat(12),
      fc.constantFrom(100, 1_000, 100_000),
      fc.constantFrom('all', 'partition'),
      fc.array(fc.nat(3), { maxLength: 4 }),
      async (parts, limit, from, maxBytes, limitOf, expires) => {
        const all = await Promise.all(parts.map(logOf))
        const source = sourceOf(all, maxBytes)
        const found = all.map((): bigint[] => [])
        const lost = all.map(() => new Set<bigint>())
        let next: Extract<LinkQuery, { op: 'records_by_time' }>['next']
        do {
          const answer = await listByTime(
            {
              op: 'records_by_time',
              topic: 't',
              from,
              limit,
              limitOf,
              values: true,
              ...(next ? { next } : {}),
            },
            source,
            { signal, patience: signal },
          )
          for (const { partition, offset, value, base64, timestamp } of answer.records) {
            expect(value ?? base64).toMatch(/^x+$/)
            expect(timestamp).toBeGreaterThanOrEqual(from)
            found[partition]?.push(BigInt(offset))
          }
          if (limitOf === 'all') expect(answer.records.length).toBeLessThanOrEqual(limit)
          next = answer.next
          // Of some partition the next few offsets are deleted.
          const expired = expires.pop()
          const at = next?.[(expired ?? 0) % all.length]
          const log = all[at?.partition ?? 0]
          if (expired !== undefined && at && log) {
            const start = BigInt(at.offset) + BigInt(expired)
            if (start <= log.end && start > log.start) log.start = start
            log.batches = log.batches.filter(({ last }) => last >= log.start)
            for (let offset = BigInt(at.offset); offset < start; offset++) {
              lost[at.partition]?.add(offset)
            }
          }
        } while (next)
        for (const [p, { visible }] of all.entries()) {
          const expected = visible.filter((v) => v.timestamp >= from).map((v) => v.offset)
          // What has expired may be there still: its batch goes on behind it.
          const seen = new Set(found[p])
          expect(found[p]).toEqual(
            expected.filter((offset) => seen.has(offset) || !lost[p]?.has(offset)),
          )
        }
      },
    ),
    { numRuns: 500 },
  )
})
