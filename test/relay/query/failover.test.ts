import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, it } from 'vitest'
import { startKafka, type KafkaCluster } from '../../../dev/kafka/cluster.ts'
import { createPlacedTopic } from '../outages/cluster.ts'
import { eachLeads, makeQueries, openWriter } from './kafka-log.ts'

let dir: string
let cluster: KafkaCluster

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'edgehub-query-'))
  cluster = await startKafka({ dir, brokers: 3, quickFailover: true })
})
afterAll(async () => {
  await cluster.kill()
  await rm(dir, { recursive: true, force: true })
})

it('while a broker is dead the partitions of the others are read, its own are as soon as they have another leader, and until then it is told', async ({
  expect,
}) => {
  const kafka = { brokers: [...cluster.brokers], clientId: 'query-failover-test' }
  const topic = await createPlacedTopic(kafka, [1, 2, 3])
  await eachLeads(topic, 3, kafka)
  const writer = await openWriter(topic, kafka)
  for (const partition of [0, 1, 2]) await writer.send(partition, [{ value: `${partition}` }])
  await writer.close()
  const queries = makeQueries({ kafka })
  const ask = async (partition: number) => {
    const started = performance.now()
    const answer = await queries.ask(
      { op: 'record', topic, partition, offset: '0', maxBytes: 100 },
      5_000,
    )
    expect(performance.now() - started).toBeLessThan(6_000)
    return answer.status === 'record' ? answer.record.value : answer
  }
  expect(await Promise.all([0, 1, 2].map(ask))).toEqual(['0', '1', '2'])

  await cluster.nodes.find(({ id }) => id === 1)?.kill()
  await expect
    .poll(
      async () => {
        const [dead, ...alive] = await Promise.all([0, 1, 2, 1, 2].map(ask))
        expect(alive).toEqual(['1', '2', '1', '2'])
        if (typeof dead === 'object') expect(dead).toMatchObject({ reason: 'kafka_unavailable' })
        return dead
      },
      { timeout: 60_000, interval: 10 },
    )
    .toBe('0')
  expect(await queries.ask({ op: 'cluster' })).toMatchObject({ brokers: 2 })
  queries.close()
})
