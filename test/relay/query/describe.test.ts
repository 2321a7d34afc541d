import { afterAll, it } from 'vitest'
import { withAdmin } from '../../support/admin.ts'
import { kafka, makeQueries, makeTopic, openWriter } from './kafka-log.ts'

const queries = makeQueries()
afterAll(() => queries.close())
const signal = new AbortController().signal

it('topics are listed with partitions and replicas, without internal ones and those that are not there', async ({
  expect,
}) => {
  const [a, b] = [await makeTopic(3), await makeTopic(1, {}, 1)]
  const named = await queries.ask({
    op: 'topics',
    names: [b, a, 'nobody-made-this', '__consumer_offsets', a],
  })
  const summaries = [
    { name: a, partitions: 3, replicas: 3 },
    { name: b, partitions: 1, replicas: 1 },
  ].toSorted((x, y) => (x.name < y.name ? -1 : 1))
  expect(named).toEqual({ status: 'topics', topics: summaries })
  expect(await queries.ask({ op: 'topics', names: [] })).toEqual({ status: 'topics', topics: [] })
  const all = await queries.ask({ op: 'topics' })
  if (all.status !== 'topics') throw new Error(JSON.stringify(all))
  expect(all.topics).toEqual(expect.arrayContaining(summaries))
  expect(all.topics.filter(({ name }) => /^(__|edgehub-)/.test(name))).toEqual([])
})

it('one topic is told with leaders, in-sync replicas, offsets, configuration and its id', async ({
  expect,
}) => {
  const topic = await makeTopic(2, { 'retention.ms': '86400000' })
  const writer = await openWriter(topic)
  await writer.send(1, [{ value: 'a' }, { value: 'b' }])
  await writer.close()
  const answer = await queries.ask({ op: 'topic', topic })
  const state = { leader: expect.any(Number), replicas: 3, inSync: 3, start: '0' }
  expect(answer).toMatchObject({
    status: 'topic',
    topic: {
      name: topic,
      partitions: 2,
      replicas: 3,
      id: expect.stringMatching(/^[\w-]{22}$/),
      partitionStates: [
        { partition: 0, ...state, end: '0' },
        { partition: 1, ...state, end: '2' },
      ],
      config: { 'retention.ms': '86400000', 'cleanup.policy': 'delete' },
    },
  })
  expect(await queries.ask({ op: 'topic', topic: 'nobody-made-this' })).toMatchObject({
    reason: 'topic_not_found',
  })
})

it('the cluster is told by its id and the number of its brokers', async ({ expect }) => {
  const { clusterId } = await withAdmin(kafka, (admin) => admin.describeCluster())
  expect(await queries.ask({ op: 'cluster' })).toEqual({ status: 'cluster', clusterId, brokers: 3 })
})

it('a target is fit with its partitions and largest batch, or unfit with the reason', async ({
  expect,
}) => {
  const fit = await makeTopic(2, { 'max.message.bytes': '2000000' })
  const single = await makeTopic(1, {}, 1)
  const asked = ['nobody-made-this', fit, 'edgehub-own', single, fit]
  expect(await queries.targets({ topics: asked }, signal)).toEqual([
    { topic: 'nobody-made-this', status: 'unfit', reason: 'topic_not_found' },
    { topic: fit, status: 'fit', partitions: 2, maxMessageBytes: 2_000_000 },
    { topic: 'edgehub-own', status: 'unfit', reason: 'topic_not_found' },
    { topic: single, status: 'unfit', reason: 'replication_too_low' },
  ])
  const other = makeQueries({ compresses: true, minInSyncReplicas: 1 })
  expect(await other.targets({ topics: [fit, single] }, signal)).toEqual([
    { topic: fit, status: 'fit', partitions: 2 },
    { topic: single, status: 'fit', partitions: 1 },
  ])
  expect(await other.targets({ topics: [] }, signal)).toEqual([])
  other.close()
})

it('of targets nothing is said where no broker can be reached', async ({ expect }) => {
  const nowhere = makeQueries({ kafka: { brokers: ['127.0.0.1:1'], clientId: 'query-test' } })
  expect(await nowhere.targets({ topics: ['topic'] }, signal)).toEqual([])
  nowhere.close()
})
