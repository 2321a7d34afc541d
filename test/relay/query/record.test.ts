import { afterAll, it } from 'vitest'
import { MAX_LINK_QUERIES, type LinkAnswer } from '#contract'
import { deleteBefore, kafka, makeQueries, makeTopic, openWriter } from './kafka-log.ts'

const queries = makeQueries()
afterAll(() => queries.close())

const record = (
  topic: string,
  offset: bigint | number,
  more: { partition?: number; maxBytes?: number } = {},
) =>
  ({
    op: 'record',
    topic,
    partition: 0,
    offset: `${offset}`,
    maxBytes: 2_000_000,
    ...more,
  }) as const
const said = (answer: LinkAnswer) =>
  answer.status === 'absent' || answer.status === 'failed' ? answer.reason : answer.status

it('a record comes with its key, value, headers and time, text where it is UTF-8 and base64 where it is not', async ({
  expect,
}) => {
  const topic = await makeTopic()
  const writer = await openWriter(topic)
  const binary = Buffer.from([0xff, 0, 0xfe])
  await writer.send(0, [
    { key: 'schlüssel', value: '{"a":1}', timestamp: 1_700_000_000_000 },
    { key: binary, value: binary, headers: { text: 'ja', bytes: binary, twice: ['1', binary] } },
    { key: null, value: null },
    { key: '', value: '' },
  ])
  await writer.close()
  expect(await queries.ask(record(topic, 0))).toEqual({
    status: 'record',
    record: {
      partition: 0,
      offset: '0',
      timestamp: 1_700_000_000_000,
      bytes: 10 + 7,
      key: 'schlüssel',
      value: '{"a":1}',
      headers: [],
    },
  })
  const base64 = binary.toString('base64')
  expect(await queries.ask(record(topic, 1))).toMatchObject({
    record: {
      keyBase64: base64,
      base64,
      bytes: 6 + 6 + 8 + 2 * 5 + 4,
      headers: [
        { name: 'text', value: 'ja' },
        { name: 'bytes', base64 },
        { name: 'twice', value: '1' },
        { name: 'twice', base64 },
      ],
    },
  })
  expect(await queries.ask(record(topic, 2))).toMatchObject({ record: { key: null, value: null } })
  expect(await queries.ask(record(topic, 3))).toMatchObject({ record: { key: '', value: '' } })
})

it('of two overlapping transactions that are aborted in reverse order no record is shown, from wherever the reading starts', async ({
  expect,
}) => {
  const topic = await makeTopic()
  const [a, b, plain] = await Promise.all([openWriter(topic), openWriter(topic), openWriter(topic)])
  a.begin()
  b.begin()
  await a.send(0, [{ value: 'a0' }])
  await b.send(0, [{ value: 'b1' }])
  await plain.send(0, [{ value: 'c2' }])
  await a.send(0, [{ value: 'a3' }])
  await b.send(0, [{ value: 'b4' }])
  await b.abort()
  await plain.reaches(6)
  await a.send(0, [{ value: 'a after b' }])
  await a.abort()
  await plain.reaches(8)
  b.begin()
  const committed = await b.send(0, [{ value: 'committed' }])
  await b.commit()
  await plain.reaches(Number(committed) + 2)
  const all = await Promise.all(
    Array.from({ length: Number(committed) + 2 }, (_, offset) =>
      queries.ask(record(topic, offset)),
    ),
  )
  await Promise.all([a.close(), b.close(), plain.close()])
  expect(all.map(said)).toEqual([
    'aborted',
    'aborted',
    'record',
    'aborted',
    'aborted',
    'control',
    'aborted',
    'control',
    'record',
    'control',
  ])
  expect(all[2]).toMatchObject({ record: { value: 'c2' } })
  expect(all[8]).toMatchObject({ record: { value: 'committed' } })
  expect(all[0]).toEqual({ status: 'absent', reason: 'aborted', start: '0', end: '10' })
  for (const offset of ['0', '1', '3', '4']) {
    const list = await queries.ask({
      op: 'records_by_offset',
      topic,
      partition: 0,
      offset,
      limit: 10,
      values: true,
    })
    const values = list.status === 'records' ? list.records.map((r) => r.value) : list
    expect(values).toEqual(Number(offset) > 2 ? ['committed'] : ['c2', 'committed'])
  }
})

it('what is written and not decided is waited for until it is committed, and reported as undecided when the time is over', async ({
  expect,
}) => {
  const topic = await makeTopic()
  const writer = await openWriter(topic)
  writer.begin()
  await writer.send(0, [{ value: 'first' }, { value: 'second' }])
  expect(await queries.ask(record(topic, 1), 300)).toEqual({
    status: 'absent',
    reason: 'undecided',
    start: '0',
    end: '0',
  })
  expect(said(await queries.ask(record(topic, 2)))).toBe('beyond_end')
  // More than may read at once: those that wait keep no other from reading.
  const waiting = Array.from({ length: 20 }, () => queries.ask(record(topic, 1)))
  expect(said(await queries.ask(record(topic, 99)))).toBe('beyond_end')
  await writer.commit()
  for (const answer of await Promise.all(waiting)) {
    expect(answer).toMatchObject({ status: 'record', record: { value: 'second' } })
  }
  await writer.close()
})

it('a record above maxBytes is not sent, and its size is told; a batch of 1 MB is read whole', async ({
  expect,
}) => {
  const topic = await makeTopic()
  const writer = await openWriter(topic)
  const large = 'x'.repeat(1_000_000)
  await writer.send(0, [{ key: 'k', value: large }])
  await writer.send(0, [{ value: 'a' }, { value: large.slice(0, 900_000) }, { value: 'c' }], 1)
  await writer.close()
  expect(await queries.ask(record(topic, 0))).toMatchObject({ record: { value: large } })
  expect(await queries.ask(record(topic, 0, { maxBytes: 1_000_000 }))).toEqual({
    status: 'absent',
    reason: 'too_large',
    start: '0',
    end: '4',
    bytes: 1_000_001,
  })
  expect(await queries.ask(record(topic, 3))).toMatchObject({ record: { value: 'c' } })
})

it('a record of control characters that no frame of the link could hold is too large', async ({
  expect,
}) => {
  const topic = await makeTopic(1, { 'max.message.bytes': '3000000' })
  const writer = await openWriter(topic)
  await writer.send(0, [{ value: Buffer.alloc(1_500_000) }])
  await writer.close()
  expect(await queries.ask(record(topic, 0))).toMatchObject({
    reason: 'too_large',
    bytes: 1_500_000,
  })
})

it('offsets before the start of the log have expired, and those beyond its end are not there yet', async ({
  expect,
}) => {
  const topic = await makeTopic()
  const writer = await openWriter(topic)
  await writer.send(0, [{ value: '0' }, { value: '1' }, { value: '2' }])
  await writer.close()
  await deleteBefore(topic, 0, 2)
  const bounds = { status: 'absent', start: '2', end: '3' }
  expect(await queries.ask(record(topic, 0))).toEqual({ ...bounds, reason: 'expired' })
  expect(await queries.ask(record(topic, 2))).toMatchObject({ record: { value: '2' } })
  for (const offset of [3n, 4n, 10n ** 18n, 10n ** 19n - 1n]) {
    expect(await queries.ask(record(topic, offset))).toEqual({ ...bounds, reason: 'beyond_end' })
  }
})

it('an empty partition has nothing at all, and a partition or topic that is not there is told so', async ({
  expect,
}) => {
  const topic = await makeTopic()
  expect(await queries.ask(record(topic, 0))).toEqual({
    status: 'absent',
    reason: 'beyond_end',
    start: '0',
    end: '0',
  })
  expect(said(await queries.ask(record(topic, 0, { partition: 1 })))).toBe('partition_not_found')
  expect(said(await queries.ask(record('nobody-made-this', 0)))).toBe('topic_not_found')
  for (const own of ['edgehub-ckafka-abcdefgh-ledger', '__consumer_offsets']) {
    expect(said(await queries.ask(record(own, 0)))).toBe('topic_not_found')
  }
})

it('a hundred questions at once are all answered, and what is above the most is refused as busy', async ({
  expect,
}) => {
  const topic = await makeTopic(3)
  const writer = await openWriter(topic)
  for (const partition of [0, 1, 2]) {
    await writer.send(
      partition,
      Array.from({ length: 50 }, (_, n) => ({ value: `${partition}.${n}` })),
    )
  }
  await writer.close()
  // None of them finds the connections made.
  const fresh = makeQueries()
  const answers = await Promise.all(
    Array.from({ length: 100 }, (_, n) => fresh.ask(record(topic, n % 50, { partition: n % 3 }))),
  )
  expect(answers.map((a) => a.status === 'record' && a.record.value)).toEqual(
    answers.map((_, n) => `${n % 3}.${n % 50}`),
  )
  const many = await Promise.all(
    Array.from({ length: MAX_LINK_QUERIES + 10 }, () => fresh.ask(record(topic, 0))),
  )
  expect(many.filter((a) => said(a) === 'busy')).toHaveLength(10)
  expect(many.filter((a) => a.status === 'record')).toHaveLength(MAX_LINK_QUERIES)
  fresh.close()
})

it('a question that nobody waits for ends at once, and so does every question when the reader is closed', async ({
  expect,
}) => {
  const topic = await makeTopic()
  const writer = await openWriter(topic)
  writer.begin()
  await writer.send(0, [{ value: 'open' }])
  const one = makeQueries()
  const cancel = new AbortController()
  const cancelled = one.ask(record(topic, 0), 60_000, cancel.signal)
  const closed = one.ask(record(topic, 0), 60_000)
  await one.ask(record(topic, 5))
  cancel.abort()
  expect(said(await cancelled)).toBe('timed_out')
  expect(said(await one.ask(record(topic, 0), 60_000, AbortSignal.abort()))).toBe('timed_out')
  one.close()
  expect(said(await closed)).toBe('timed_out')
  await writer.abort()
  await writer.close()
})

it('where no broker can be reached, the answer says so within the time', async ({ expect }) => {
  const nowhere = makeQueries({ kafka: { ...kafka, brokers: ['127.0.0.1:1', '127.0.0.1:2'] } })
  const answer = await nowhere.ask(record('topic', 0), 5_000)
  expect(answer).toMatchObject({ status: 'failed', reason: 'kafka_unavailable' })
  expect(answer.status === 'failed' && answer.problem).toContain('ECONNREFUSED')
  nowhere.close()
})
