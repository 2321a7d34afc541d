import * as fc from 'fast-check'
import { describe, it } from 'vitest'
import { StoredRecord } from '#contract'
import type { AbortedTransaction } from '../../../relay/kafka/aborted.ts'
import type { BatchRecord, StoredBatch } from '../../../relay/kafka/read-batch.ts'
import { locate, outside } from '../../../relay/query/absence.ts'
import { contentBytes, frameBytes, wholeRecord } from '../../../relay/query/content.ts'
import { createLine } from '../../../relay/query/line.ts'
import { earliest, surplus } from '../../../relay/query/merge.ts'
import { createPage } from '../../../relay/query/page.ts'
import { judge } from '../../../relay/query/targets.ts'
import { within } from '../../../relay/query/time-left.ts'
import { judgeBatches } from '../../../relay/query/visible.ts'

const batchOf = (first: number, last = first, more: Partial<StoredBatch> = {}): StoredBatch => ({
  first: BigInt(first),
  last: BigInt(last),
  producerId: -1n,
  isTransactional: false,
  isControl: false,
  compression: 0,
  firstTimestamp: 0n,
  appendTimestamp: undefined,
  count: last - first + 1,
  records: Buffer.alloc(0),
  ...more,
})

const recordOf = (value: Buffer | string | null, more: Partial<BatchRecord> = {}): BatchRecord => ({
  offset: 0n,
  timestamp: 0,
  key: null,
  value: typeof value === 'string' ? Buffer.from(value) : value,
  headers: [],
  ...more,
})

describe('which batches are visible', () => {
  // Producers write, commit and abort in any order; what each batch is, is known as it is written.
  const step = fc.record({
    producer: fc.integer({ min: 0, max: 3 }),
    what: fc.constantFrom('write', 'write', 'plain', 'commit', 'abort'),
  })

  function logOf(steps: readonly { producer: number; what: string }[]) {
    const batches: StoredBatch[] = []
    const is: ('open' | 'data' | 'aborted' | 'control')[] = []
    const open = new Map<number, number[]>()
    const aborted: (AbortedTransaction & { last: bigint })[] = []
    const end = (producer: number, what: string) => {
      const of = open.get(producer)
      if (!of) return
      open.delete(producer)
      const offset = batches.length
      const producerId = BigInt(producer)
      batches.push(batchOf(offset, offset, { producerId, isTransactional: true, isControl: true }))
      is.push('control')
      for (const at of of) is[at] = what === 'commit' ? 'data' : 'aborted'
      if (what === 'abort') {
        aborted.push({ producerId, first: BigInt(of[0] ?? 0), last: BigInt(offset) })
      }
    }
    for (const { producer, what } of steps) {
      const offset = batches.length
      const producerId = BigInt(producer)
      if (what === 'plain') {
        batches.push(batchOf(offset, offset, { producerId }))
        is.push('data')
      } else if (what === 'write') {
        batches.push(batchOf(offset, offset, { producerId, isTransactional: true }))
        is.push('open')
        open.set(producer, [...(open.get(producer) ?? []), offset])
      } else end(producer, what)
    }
    // Only what is decided is fetched.
    for (const producer of open.keys()) end(producer, 'abort')
    return { batches, is, aborted }
  }

  it('each is what it was written as, from wherever a fetch starts and however long it is', ({
    expect,
  }) => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 40 }),
        fc.nat(40),
        fc.nat(40),
        (steps, from, length) => {
          const { batches, is, aborted } = logOf(steps)
          const part = batches.slice(from, from + length)
          const [first, end] = [BigInt(from), BigInt(from + length)]
          // What a broker lists: in the order of their ends.
          const listed = aborted.filter((t) => t.last >= first && t.first < end)
          expect(judgeBatches(part, listed).map((judged) => judged.is)).toEqual(
            is.slice(from, from + length),
          )
        },
      ),
      { numRuns: 2_000 },
    )
  })
})

describe('why there is no record', () => {
  const bounds = { logStart: 10n, lastStable: 20n, highWatermark: 30n }
  it.for([
    [9n, 'expired'],
    [10n, undefined],
    [19n, undefined],
    [20n, 'undecided'],
    [29n, 'undecided'],
    [30n, 'beyond_end'],
  ] as const)(
    'offset %s of a log from 10, decided to 20 and written to 30: %s',
    ([offset, reason], { expect }) => {
      expect(outside(offset, bounds)).toBe(reason)
    },
  )

  it.for([
    ['in the middle of a batch', 5, [batchOf(3, 7)], 3n],
    ['behind a batch that ends before it', 5, [batchOf(3, 4), batchOf(5, 6)], 5n],
    ['before the first batch that is left', 5, [batchOf(6, 9)], 'compacted'],
    ['between two batches', 5, [batchOf(3, 4), batchOf(6, 9)], 'compacted'],
    ['where nothing is left', 5, [], 'compacted'],
    ['at an end marker', 5, [batchOf(5, 5, { isControl: true })], 'control'],
    [
      'in an aborted batch',
      5,
      [batchOf(4, 6, { producerId: 1n, isTransactional: true })],
      'aborted',
    ],
  ] as const)('an offset %s', ([, offset, batches, expected], { expect }) => {
    const found = locate(BigInt(offset), judgeBatches(batches, [{ producerId: 1n, first: 4n }]))
    expect(typeof found === 'string' ? found : found.first).toBe(expected)
  })
})

describe('text or base64', () => {
  it('whatever the bytes are, they come back out of the record, which has the form of the link', ({
    expect,
  }) => {
    const bytes = fc.option(
      fc.oneof(
        fc.uint8Array({ maxLength: 20 }).map((b) => Buffer.from(b)),
        fc.string({ unit: 'binary' }).map((s) => Buffer.from(s)),
      ),
    )
    const header = fc.record({ name: fc.string().map((s) => Buffer.from(s)), value: bytes })
    const back = (text: string | null | undefined, base64: string | undefined) =>
      text === undefined
        ? Buffer.from(base64 ?? '', 'base64')
        : text === null
          ? null
          : Buffer.from(text)
    fc.assert(
      fc.property(bytes, bytes, fc.array(header, { maxLength: 3 }), (key, value, headers) => {
        const record = StoredRecord.parse(wholeRecord(1, recordOf(value, { key, headers })))
        expect(back(record.key, record.keyBase64)).toEqual(key)
        expect(back(record.value, record.base64)).toEqual(value)
        expect(
          record.headers?.map((h) => ({
            name: Buffer.from(h.name),
            value: 'base64' in h ? back(undefined, h.base64) : back(h.value, undefined),
          })),
        ).toEqual(headers)
        const sizes = [key, value, ...headers.flatMap((h) => [h.name, h.value])]
        expect(record.bytes).toBe(sizes.reduce((sum, each) => sum + (each?.length ?? 0), 0))
      }),
    )
  })
})

describe('merging', () => {
  it('takes each partition in its own order, and always the earliest of the heads', ({
    expect,
  }) => {
    const logs = fc.array(fc.array(fc.nat(10), { maxLength: 6 }), { maxLength: 5 })
    fc.assert(
      fc.property(logs, (timestamps) => {
        const left = timestamps.map((of, partition) => ({ partition, of: [...of] }))
        const merged: { partition: number; timestamp: number }[] = []
        const heads = () =>
          left.flatMap(({ partition, of }) =>
            of.slice(0, 1).map((timestamp) => ({ partition, timestamp })),
          )
        for (let head = earliest(heads()); head; head = earliest(heads())) {
          expect(head.timestamp).toBe(Math.min(...heads().map((h) => h.timestamp)))
          merged.push(head)
          left[head.partition]?.of.shift()
        }
        expect(
          timestamps.map((_, p) => merged.filter((m) => m.partition === p).map((m) => m.timestamp)),
        ).toEqual(timestamps)
      }),
    )
  })

  it('lets go of those whose turn comes last, as many as it has to, and never of the first', ({
    expect,
  }) => {
    const held = fc.array(fc.record({ timestamp: fc.nat(9), heldBytes: fc.nat(100) }), {
      maxLength: 8,
    })
    fc.assert(
      fc.property(held, fc.nat(300), (of, maxBytes) => {
        const heads = of.map((each, partition) => ({ ...each, partition }))
        const gone = new Set(surplus(heads, maxBytes))
        const kept = heads.filter((head) => !gone.has(head))
        const first = earliest(heads)
        if (first) expect(kept).toContain(first)
        const sum = kept.reduce((total, head) => total + head.heldBytes, 0)
        expect(sum <= maxBytes || kept.length === 1).toBe(true)
        for (const head of gone) {
          expect(kept.every((k) => k.timestamp <= head.timestamp)).toBe(true)
        }
      }),
    )
  })
})

describe('a page', () => {
  const value = fc.oneof(
    fc.nat(60).map((n) => Buffer.alloc(n, 'x')),
    fc.nat(60).map((n) => Buffer.alloc(n)),
  )

  it('never has more records or bytes than it may, and refuses nothing as its first', ({
    expect,
  }) => {
    fc.assert(
      fc.property(
        fc.array(value, { maxLength: 12 }),
        fc.integer({ min: 1, max: 5 }),
        (values, records) => {
          const page = createPage(true, { records, bytes: 100, frameBytes: 600 })
          const added = values.map((v) => page.add(0, recordOf(v)))
          const whole = page.records.filter((r) => r.value !== undefined)
          expect(page.records.length).toBe(added.filter(Boolean).length)
          expect(page.records.length).toBeLessThanOrEqual(records)
          expect(whole.reduce((sum, r) => sum + r.bytes, 0)).toBeLessThanOrEqual(100)
          expect(whole.reduce((sum, r) => sum + frameBytes(r), 0)).toBeLessThanOrEqual(600)
          if (values.length > 0) expect(added[0]).toBe(true)
        },
      ),
    )
  })

  it('lists what is too large for any page without its content, as its first record only', ({
    expect,
  }) => {
    const limits = { records: 9, bytes: 10, frameBytes: 1_000 }
    const large = recordOf('x'.repeat(11))
    const page = createPage(true, limits)
    expect(page.add(0, large)).toBe(true)
    expect(page.records).toEqual([
      { partition: 0, offset: '0', timestamp: 0, bytes: contentBytes(large) },
    ])
    const second = createPage(true, limits)
    expect([second.add(0, recordOf('a')), second.add(0, large)]).toEqual([true, false])
  })

  it('without content it is as long as asked for', ({ expect }) => {
    const page = createPage(false, { records: 2, bytes: 1, frameBytes: 1 })
    expect([1, 2, 3].map(() => page.add(0, recordOf('xxx')))).toEqual([true, true, false])
    expect(page.isFull).toBe(true)
  })
})

describe('the line', () => {
  it('lets so many in at once, the others in their order, and forgets who gives up', async ({
    expect,
  }) => {
    const line = createLine(2)
    const { signal } = new AbortController()
    const giveUp = new AbortController()
    const entered: number[] = []
    const enter = async (n: number, of = signal) => {
      const leave = await line.enter(of)
      entered.push(n)
      return leave
    }
    const [a, b] = [await enter(1), await enter(2)]
    const third = enter(3, giveUp.signal)
    const fourth = enter(4)
    const fifth = enter(5)
    giveUp.abort(new Error('given up'))
    await expect(third).rejects.toThrow('given up')
    a()
    a()
    const leave = await fourth
    expect(entered).toEqual([1, 2, 4])
    b()
    leave()
    await fifth
    expect(entered).toEqual([1, 2, 4, 5])
  })
})

describe('the time of a question', () => {
  it('ends it, and its patience a little before; what it found by then is its answer', async ({
    expect,
  }) => {
    const asker = new AbortController()
    const patient = within(100, asker.signal, async ({ patience, signal }) => {
      const { promise, resolve } = Promise.withResolvers<string>()
      patience.addEventListener('abort', () => resolve(signal.aborted ? 'late' : 'in time'))
      return promise
    })
    expect(await patient).toBe('in time')
    const endless = () => within(20, asker.signal, () => new Promise(() => {}))
    await expect(endless()).rejects.toMatchObject({ reason: 'timed_out' })
    asker.abort()
    await expect(endless()).rejects.toThrow('nobody waits')
  })
})

describe('a target', () => {
  const partition = { code: 0, partition: 0, leader: 1, replicas: [1, 2], inSync: [1] }
  const topic = {
    code: 0,
    name: 't',
    id: undefined,
    operations: undefined,
    partitions: [partition],
  }
  it.for([
    ['is fit', topic, 2, 'fit'],
    ['is fit with the right to write', { ...topic, operations: 1 << 4 }, 2, 'fit'],
    [
      'is not authorised without it',
      { ...topic, operations: (1 << 3) | (1 << 8) },
      2,
      'not_authorized',
    ],
    [
      'is not authorised when it may not be seen',
      { ...topic, code: 29, partitions: [] },
      2,
      'not_authorized',
    ],
    ['has too few replicas', topic, 3, 'replication_too_low'],
    [
      'with one replica is fit where one is enough',
      { ...topic, partitions: [{ ...partition, replicas: [1] }] },
      1,
      'fit',
    ],
    ['is not there', { ...topic, code: 3, partitions: [] }, 2, 'topic_not_found'],
    ['has a name that no topic has', { ...topic, code: 17, partitions: [] }, 2, 'topic_not_found'],
    ['is not judged while it has no leader', { ...topic, code: 5, partitions: [] }, 2, undefined],
    [
      'is fit while one of its partitions has none',
      { ...topic, partitions: [{ ...partition, code: 5, leader: -1 }] },
      2,
      'fit',
    ],
  ] as const)('%s', ([, of, least, expected], { expect }) => {
    const partitions = of.partitions.map((p) => ({
      ...p,
      replicas: [...p.replicas],
      inSync: [...p.inSync],
    }))
    const state = judge({ ...of, partitions }, least)
    expect(state?.status === 'unfit' ? state.reason : state?.status).toBe(expected)
  })
})
