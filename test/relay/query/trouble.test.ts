import { it } from 'vitest'
import { createTopics } from '../../../dev/kafka/topics.ts'
import { createLossySockets } from '../../support/lossy-socket.ts'
import { createPlacedTopic, deleteTopic, moveLeader } from '../outages/cluster.ts'
import { eachLeads, kafka, makeQueries, makeTopic, openWriter } from './kafka-log.ts'

const FETCH = 1
const METADATA = 3

async function write(topic: string, value: string) {
  const writer = await openWriter(topic)
  await writer.send(0, [{ value }])
  await writer.close()
}

const record = (topic: string) =>
  ({ op: 'record', topic, partition: 0, offset: '0', maxBytes: 1_000 }) as const

it('a leader that moves between two questions is followed', async ({ expect }) => {
  const topic = await createPlacedTopic(kafka, [1])
  await eachLeads(topic, 1)
  await write(topic, 'value')
  const queries = makeQueries()
  for (const leader of [2, 3, 1]) {
    expect(await queries.ask(record(topic))).toMatchObject({ record: { value: 'value' } })
    await moveLeader(kafka, topic, 0, leader)
  }
  expect(await queries.ask(record(topic))).toMatchObject({ record: { value: 'value' } })
  queries.close()
})

it('a topic that is deleted is gone, and one of the same name that is made later is another one', async ({
  expect,
}) => {
  const topic = await makeTopic()
  await write(topic, 'first')
  const queries = makeQueries()
  expect(await queries.ask(record(topic))).toMatchObject({ record: { value: 'first' } })
  await deleteTopic(kafka, topic)
  expect(await queries.ask(record(topic))).toMatchObject({ reason: 'topic_not_found' })
  await createTopics(kafka, [{ topic, numPartitions: 1, replicationFactor: 3 }])
  await eachLeads(topic, 1)
  await write(topic, 'second')
  expect(await queries.ask(record(topic))).toMatchObject({ record: { value: 'second' } })
  queries.close()
})

it('a lost request, a lost answer and a half-open connection are answered by another try', async ({
  expect,
}) => {
  const topic = await makeTopic()
  await write(topic, 'value')
  const sockets = createLossySockets()
  const queries = makeQueries({ kafka: { ...kafka, socketFactory: sockets.socketFactory } })
  for (const harm of ['request', 'answer'] as const) {
    const lost = sockets.loseNext(harm, FETCH)
    expect(await queries.ask(record(topic))).toMatchObject({ record: { value: 'value' } })
    await lost
    const lostToo = sockets.loseNext(harm, METADATA)
    const topics = await queries.ask({ op: 'topics', names: [topic] })
    expect(topics).toMatchObject({ topics: [{ name: topic }] })
    await lostToo
  }
  const dead = sockets.halfOpenNext(FETCH)
  const answers = await Promise.all(Array.from({ length: 20 }, () => queries.ask(record(topic))))
  await dead
  for (const answer of answers) expect(answer).toMatchObject({ record: { value: 'value' } })
  queries.close()
})

it('no connection is left open when the reader is closed', async ({ expect }) => {
  const topic = await makeTopic(3)
  await write(topic, 'value')
  const sockets = createLossySockets()
  let open = 0
  const queries = makeQueries({
    kafka: {
      ...kafka,
      socketFactory: (args) => {
        const socket = sockets.socketFactory(args)
        open++
        socket.once('close', () => open--)
        return socket
      },
    },
  })
  await Promise.all(Array.from({ length: 50 }, () => queries.ask({ op: 'topic', topic })))
  // Two for each broker.
  expect(open).toBeLessThanOrEqual(6)
  queries.close()
  await expect.poll(() => open).toBe(0)
})
