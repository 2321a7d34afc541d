import { afterAll, it } from 'vitest'
import { MAX_LIST_BYTES, type LinkAnswer, type LinkQuery } from '#contract'
import { withAdmin } from '../../support/admin.ts'
import { deleteBefore, kafka, makeQueries, makeTopic, openWriter } from './kafka-log.ts'

const queries = makeQueries()
afterAll(() => queries.close())

type ByTime = Extract<LinkQuery, { op: 'records_by_time' }>
const byTime = (topic: string, from: number, more: Partial<ByTime> = {}): ByTime => ({
  op: 'records_by_time',
  topic,
  from,
  limit: 1_000,
  limitOf: 'all',
  values: true,
  ...more,
})
const byOffset = (topic: string, offset: number | string, limit = 1_000, partition = 0) =>
  ({ op: 'records_by_offset', topic, partition, offset: `${offset}`, limit, values: true }) as const

function recordsOf(answer: LinkAnswer) {
  if (answer.status !== 'records') throw new Error(JSON.stringify(answer))
  return answer
}
const valuesOf = (answer: LinkAnswer) => recordsOf(answer).records.map((r) => r.value)

const T = 1_700_000_000_000

it('a list by offset goes on at its next, page by page, and ends without one', async ({
  expect,
}) => {
  const topic = await makeTopic()
  const writer = await openWriter(topic)
  for (const n of [0, 2, 4, 6, 8]) await writer.send(0, [{ value: `${n}` }, { value: `${n + 1}` }])
  await writer.close()
  const first = recordsOf(await queries.ask(byOffset(topic, 1, 4)))
  expect(valuesOf(first)).toEqual(['1', '2', '3', '4'])
  expect(first.next).toEqual([{ partition: 0, offset: '5' }])
  const second = recordsOf(await queries.ask(byOffset(topic, 5, 5)))
  expect(valuesOf(second)).toEqual(['5', '6', '7', '8', '9'])
  expect(second.next).toBeUndefined()
  const bare = recordsOf(await queries.ask({ ...byOffset(topic, 9), values: false }))
  expect(bare.records).toEqual([
    { partition: 0, offset: '9', timestamp: expect.any(Number), bytes: 1 },
  ])
  expect(await queries.ask(byOffset(topic, '9999999999999999999'))).toEqual({
    status: 'records',
    records: [],
  })
})

it('a list by time is merged over the partitions, keeps the order of each, and passes over what is earlier', async ({
  expect,
}) => {
  const topic = await makeTopic(4)
  const writer = await openWriter(topic)
  const at = (n: number) => ({ value: `${n}`, timestamp: T + n })
  await writer.send(0, [at(1), at(5), at(9)])
  // Out of order: 3 comes behind 8, and 0 is before what is asked for.
  await writer.send(1, [at(2), at(8), at(3), at(0), at(10)])
  await writer.send(2, [at(4)])
  await writer.close()
  const all = recordsOf(await queries.ask(byTime(topic, T + 1)))
  expect(valuesOf(all)).toEqual(['1', '2', '4', '5', '8', '3', '9', '10'])
  expect(all.next).toBeUndefined()
  expect(valuesOf(await queries.ask(byTime(topic, T + 1, { partition: 1 })))).toEqual([
    '2',
    '8',
    '3',
    '10',
  ])

  const pages: unknown[] = []
  let next: ByTime['next']
  do {
    const page = recordsOf(
      await queries.ask(byTime(topic, T + 1, { limit: 3, ...(next ? { next } : {}) })),
    )
    pages.push(valuesOf(page))
    next = page.next
  } while (next)
  expect(pages).toEqual([
    ['1', '2', '4'],
    ['5', '8', '3'],
    ['9', '10'],
  ])

  const each = recordsOf(
    await queries.ask(byTime(topic, T + 1, { limit: 1, limitOf: 'partition' })),
  )
  expect(valuesOf(each)).toEqual(['1', '2', '4'])
  expect(each.next).toEqual([
    { partition: 0, offset: '1' },
    { partition: 1, offset: '1' },
    { partition: 2, offset: '1' },
    { partition: 3, offset: '0' },
  ])
})

it('a time that is yet to come has no records, and the next is the end of each partition', async ({
  expect,
}) => {
  const topic = await makeTopic(2)
  const writer = await openWriter(topic)
  await writer.send(0, [{ value: 'a' }, { value: 'b' }])
  const future = Date.now() + 3_600_000
  const answer = recordsOf(await queries.ask(byTime(topic, future)))
  expect(answer).toEqual({
    status: 'records',
    records: [],
    next: [
      { partition: 0, offset: '2' },
      { partition: 1, offset: '0' },
    ],
  })
  const { next = [] } = answer
  expect(await queries.ask(byTime(topic, 0, { next }))).toEqual({ status: 'records', records: [] })
  await writer.send(1, [{ value: 'c' }])
  await writer.close()
  expect(valuesOf(await queries.ask(byTime(topic, 0, { next })))).toEqual(['c'])
})

it('a list ends before what is not decided, and passes over runs of aborted transactions', async ({
  expect,
}) => {
  const topic = await makeTopic()
  const [writer, open] = await Promise.all([openWriter(topic), openWriter(topic)])
  await writer.send(0, [{ value: 'first' }])
  let end = 1
  for (let n = 0; n < 30; n++) {
    writer.begin()
    await writer.send(0, [{ value: 'aborted' }])
    await writer.abort()
    await writer.reaches((end += 2))
  }
  writer.begin()
  await writer.send(0, [{ value: 'second' }])
  await writer.commit()
  await writer.reaches((end += 2))
  open.begin()
  await open.send(0, [{ value: 'open' }])
  const answer = recordsOf(await queries.ask(byOffset(topic, 0)))
  expect(valuesOf(answer)).toEqual(['first', 'second'])
  expect(answer.next).toBeUndefined()
  expect(valuesOf(await queries.ask(byTime(topic, 0)))).toEqual(['first', 'second'])
  await open.commit()
  await open.reaches(end + 2)
  expect(valuesOf(await queries.ask(byOffset(topic, end)))).toEqual(['open'])
  await Promise.all([writer.close(), open.close()])
})

it('a list goes on from the start of the log where its own start has expired', async ({
  expect,
}) => {
  const topic = await makeTopic(2)
  const writer = await openWriter(topic)
  for (const partition of [0, 1]) {
    await writer.send(partition, [
      { value: `${partition}0`, timestamp: T },
      { value: `${partition}1`, timestamp: T + 1 },
    ])
  }
  await writer.close()
  await deleteBefore(topic, 0, 1)
  await deleteBefore(topic, 1, 2)
  expect(await queries.ask(byOffset(topic, 0))).toMatchObject({
    records: [{ offset: '1', value: '01' }],
  })
  const next = [
    { partition: 0, offset: '0' },
    { partition: 1, offset: '0' },
  ]
  expect(valuesOf(await queries.ask(byTime(topic, 0, { next })))).toEqual(['01'])
  expect(valuesOf(await queries.ask(byTime(topic, 0)))).toEqual(['01'])
})

it('a page has no more bytes than it may, and no record is lost between two pages', async ({
  expect,
}) => {
  const topic = await makeTopic(3)
  const writer = await openWriter(topic)
  const expected: string[] = []
  for (let n = 0; n < 18; n++) {
    const value = `${n}`.padEnd(700_000, '.')
    await writer.send(n % 3, [{ value, timestamp: T + n }], n % 2)
    expected.push(value)
  }
  await writer.close()
  const found: unknown[] = []
  let pages = 0
  let next: ByTime['next']
  do {
    const page = recordsOf(await queries.ask(byTime(topic, T, next ? { next } : {})))
    expect(page.records.reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThanOrEqual(
      MAX_LIST_BYTES,
    )
    found.push(...valuesOf(page))
    next = page.next
    pages++
  } while (next)
  expect(found).toEqual(expected)
  expect(pages).toBe(4)
})

it('a record that is larger than any page is listed without its content', async ({ expect }) => {
  const topic = await makeTopic(1, { 'max.message.bytes': '6000000' })
  const writer = await openWriter(topic)
  const large = Buffer.alloc(MAX_LIST_BYTES + 1, 'x')
  await writer.send(0, [{ value: 'before' }])
  await writer.send(0, [{ value: large }])
  await writer.send(0, [{ value: 'behind' }])
  await writer.close()
  const first = recordsOf(await queries.ask(byOffset(topic, 0)))
  expect(valuesOf(first)).toEqual(['before'])
  expect(first.next).toEqual([{ partition: 0, offset: '1' }])
  const second = recordsOf(await queries.ask(byOffset(topic, 1)))
  expect(second.records).toEqual([
    { partition: 0, offset: '1', timestamp: expect.any(Number), bytes: MAX_LIST_BYTES + 1 },
    expect.objectContaining({ offset: '2', value: 'behind' }),
  ])
})

it('three hundred partitions with large batches are merged in order', async ({ expect }) => {
  const partitions = 300
  const topic = await makeTopic(partitions, {}, 1)
  const writer = await openWriter(topic)
  // So that the next batches of all partitions together are more than may be held.
  const filler = 'x'.repeat(100_000)
  for (let n = 0; n < partitions; n++) {
    const timestamp = T + ((n * 7) % partitions)
    await writer.send(n, [
      { value: `${timestamp - T} ${filler}`, timestamp },
      { value: `${partitions + n}`, timestamp: T + partitions + n },
    ])
  }
  await writer.close()
  const numbers: number[] = []
  let next: ByTime['next']
  do {
    const page = recordsOf(await queries.ask(byTime(topic, T, next ? { next } : {})))
    numbers.push(...valuesOf(page).map((value) => Number(value?.split(' ')[0])))
    next = page.next
  } while (next)
  await withAdmin(kafka, (admin) => admin.deleteTopics({ topics: [topic] }))
  expect(numbers).toEqual(Array.from({ length: 2 * partitions }, (_, n) => n))
})

it('when the time is nearly over a list has what was found by then, and says where to go on', async ({
  expect,
}) => {
  const topic = await makeTopic()
  const writer = await openWriter(topic)
  const many = Array.from({ length: 1_000 }, () => ({ value: 'early', timestamp: T }))
  for (let n = 0; n < 40; n++) await writer.send(0, many)
  await writer.send(0, [{ value: 'late', timestamp: T + 1 }])
  await writer.close()
  const found: unknown[] = []
  let next: ByTime['next'] = [{ partition: 0, offset: '0' }]
  let answers = 0
  while (next) {
    // Too short to pass over all of it at once, unless the machine is a fast one.
    const answer = await queries.ask(byTime(topic, T + 1, { next }), 20)
    if (answer.status === 'failed' && answer.reason === 'timed_out') continue
    found.push(...valuesOf(answer))
    next = recordsOf(answer).next
    answers++
  }
  expect(found).toEqual(['late'])
  expect(answers).toBeGreaterThanOrEqual(1)
})
