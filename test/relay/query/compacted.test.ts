import { ConfigResourceTypes } from 'kafkajs'
import { afterAll, beforeAll, it } from 'vitest'
import { withAdmin } from '../../support/admin.ts'
import { kafka, makeQueries, makeTopic, openWriter } from './kafka-log.ts'

// The cleaner looks for work every 15 s by default.
const setBackoff = (ms: number | undefined) =>
  withAdmin(kafka, (admin) =>
    admin.alterConfigs({
      validateOnly: false,
      resources: ['1', '2', '3'].map((name) => ({
        type: ConfigResourceTypes.BROKER,
        name,
        configEntries:
          ms === undefined ? [] : [{ name: 'log.cleaner.backoff.ms', value: String(ms) }],
      })),
    }),
  )

const queries = makeQueries()
beforeAll(() => setBackoff(100))
afterAll(async () => {
  queries.close()
  await setBackoff(undefined)
})

it('what was compacted away is told as such, and a list passes over it', async ({ expect }) => {
  const topic = await makeTopic(1, {
    'cleanup.policy': 'compact',
    // A segment is cleaned once a later record has begun the next one.
    'segment.ms': '50',
    'min.cleanable.dirty.ratio': '0.0001',
    'min.compaction.lag.ms': '0',
  })
  const writer = await openWriter(topic)
  await writer.send(0, [
    { key: 'a', value: 'old' },
    { key: 'b', value: 'kept' },
    { key: 'a', value: 'older' },
  ])
  await writer.send(0, [{ key: 'a', value: 'whole batch' }])
  await writer.send(0, [{ key: 'a', value: 'new' }])
  const ask = (offset: bigint) =>
    queries.ask({ op: 'record', topic, partition: 0, offset: `${offset}`, maxBytes: 1_000 })
  let end = 5n
  await expect
    .poll(
      async () => {
        end = (await writer.send(0, [{ key: 'c', value: 'later' }])) + 1n
        const answers = await Promise.all([0n, 2n, 3n].map(ask))
        return answers.map((a) => (a.status === 'absent' ? a.reason : a.status))
      },
      { timeout: 60_000, interval: 200 },
    )
    .toEqual(['compacted', 'compacted', 'compacted'])
  await writer.close()
  expect(await ask(1n)).toMatchObject({ record: { value: 'kept' } })
  expect(await ask(4n)).toMatchObject({ record: { value: 'new' } })
  expect(await ask(end)).toMatchObject({ reason: 'beyond_end' })
  const list = await queries.ask({
    op: 'records_by_offset',
    topic,
    partition: 0,
    offset: '0',
    limit: 2,
    values: true,
  })
  expect(list).toMatchObject({
    records: [
      { offset: '1', value: 'kept' },
      { offset: '4', value: 'new' },
    ],
  })
})
