import { randomUUID } from 'node:crypto'
import { inject, it } from 'vitest'
import { createTopics } from '../../../dev/kafka/topics.ts'
import type { LaneMessage } from '../../../relay/kafka/kafkajs.ts'
import { Lane } from '../../../relay/kafka/lane.ts'
import { readTopic } from '../../support/kafka-reader.ts'

const kafka = { brokers: inject('brokers'), clientId: 'lane-test' }
const PARTITIONS = [0, 1, 2]

async function makeTopics(
  ledgerOptions: { maxMessageBytes?: number } = {},
): Promise<{ data: string; ledger: string }> {
  const name = randomUUID().slice(0, 8)
  const topics = { data: `lane-${name}`, ledger: `lane-${name}-ledger` }
  const configEntries = ledgerOptions.maxMessageBytes
    ? [{ name: 'max.message.bytes', value: String(ledgerOptions.maxMessageBytes) }]
    : []
  await createTopics(kafka, [
    { topic: topics.data, numPartitions: PARTITIONS.length, replicationFactor: 3, configEntries },
    { topic: topics.ledger, numPartitions: 1, replicationFactor: 3 },
  ])
  return topics
}

const openLane = (ledgerTopic: string, transactionalId = `lane-${ledgerTopic}`) =>
  Lane.open({
    kafka,
    transactionalId,
    ledgerTopic,
    transactionTimeoutMs: 15_000,
    minInSyncReplicas: 2,
  })

const text = (value: string): LaneMessage => ({
  key: null,
  value: Buffer.from(value),
  timestamp: Date.now(),
})

it('300 back-to-back transactions over several partitions lose nothing, double nothing and know every offset', async ({
  expect,
}) => {
  const { data, ledger } = await makeTopics()
  const lane = await openLane(ledger)
  const expected = new Map<string, string>()
  try {
    for (let n = 0; n < 300; n++) {
      await lane.topology([data])
      const appends = PARTITIONS.map((partition) => ({
        topic: data,
        partition,
        messages: [
          text(`${n}.${partition}.a`),
          text(`${n}.${partition}.b`),
          text(`${n}.${partition}.c`),
        ],
      }))
      const refused = await lane.add([
        ...appends.map(({ topic, partition }) => ({ topic, partition })),
        { topic: ledger, partition: 0 },
      ])
      expect(refused).toEqual([])
      const results = await lane.append(appends)
      await lane.append([{ topic: ledger, partition: 0, messages: [text(`${n}`)] }])
      await lane.commit()
      for (const [p, ofPartition] of results.entries()) {
        for (const [i, result] of ofPartition.entries()) {
          expect(result.status).toBe('stored')
          if (result.status === 'stored') {
            expected.set(`${p}/${result.offset}`, `${n}.${p}.${'abc'[i]}`)
          }
        }
      }
    }
  } finally {
    await lane.close()
  }
  const found = await readTopic({ brokers: kafka.brokers, topic: data })
  expect(found).toHaveLength(300 * 9)
  expect(
    new Map(found.map((r) => [`${r.partition}/${r.offset}`, r.value?.toString() ?? ''])),
  ).toEqual(expected)
})

it('a successor fences the lane: what the predecessor left open is aborted, and its commit ends in a fenced doubt', async ({
  expect,
}) => {
  const { data, ledger } = await makeTopics()
  const first = await openLane(ledger)
  await first.topology([data])
  await first.add([{ topic: data, partition: 0 }])
  await first.append([{ topic: data, partition: 0, messages: [text('of the zombie')] }])

  const second = await openLane(ledger)
  await expect(first.commit()).rejects.toMatchObject({
    name: 'Doubt',
    step: 'commit',
    fenced: true,
  })
  await second.topology([data])
  await second.add([{ topic: data, partition: 0 }])
  await second.append([{ topic: data, partition: 0, messages: [text('of the successor')] }])
  await second.commit()
  await first.close()
  await second.close()

  const found = await readTopic({ brokers: kafka.brokers, topic: data })
  expect(found.map((r) => r.value?.toString())).toEqual(['of the successor'])
})

it('a record that is too large for its topic is refused alone; the others of its partition and transaction are stored', async ({
  expect,
}) => {
  const { data, ledger } = await makeTopics({ maxMessageBytes: 2_000 })
  const lane = await openLane(ledger)
  await lane.topology([data])
  await lane.add([
    { topic: data, partition: 0 },
    { topic: data, partition: 1 },
  ])
  const results = await lane.append([
    {
      topic: data,
      partition: 0,
      messages: [
        text('a'),
        text('x'.repeat(5_000)),
        text('b'),
        text('y'.repeat(1_500)),
        text('z'.repeat(1_500)),
      ],
    },
    { topic: data, partition: 1, messages: [text('c')] },
  ])
  await lane.commit()
  // The same epoch goes on in the refused partition.
  await lane.add([{ topic: data, partition: 0 }])
  const [after] = await lane.append([{ topic: data, partition: 0, messages: [text('d')] }])
  await lane.commit()
  await lane.close()

  expect(results.map((of) => of.map((r) => ('reason' in r ? r.reason : r.status)))).toEqual([
    ['stored', 'record_too_large', 'stored', 'stored', 'stored'],
    ['stored'],
  ])
  const found = await readTopic({ brokers: kafka.brokers, topic: data })
  expect(
    found.filter((r) => r.partition === 0).map((r) => r.value?.toString().slice(0, 1)),
  ).toEqual(['a', 'b', 'y', 'z', 'd'])
  const last = after?.[0]
  expect(last?.status === 'stored' && Number(last.offset)).toBe(
    found.find((r) => r.value?.toString() === 'd')?.offset,
  )
})

it('a timestamp that the broker refuses is replaced by the present; the record arrives', async ({
  expect,
}) => {
  const { data, ledger } = await makeTopics()
  const lane = await openLane(ledger)
  await lane.topology([data])
  await lane.add([{ topic: data, partition: 2 }])
  const inTwoDays = Date.now() + 172_800_000
  const before = Date.now()
  await lane.append([
    {
      topic: data,
      partition: 2,
      messages: [{ key: null, value: Buffer.from('early'), timestamp: inTwoDays }],
    },
  ])
  await lane.commit()
  await lane.close()
  const [record] = await readTopic({ brokers: kafka.brokers, topic: data })
  expect(record?.value?.toString()).toBe('early')
  expect(record?.timestamp).toBeGreaterThanOrEqual(before)
  expect(record?.timestamp).toBeLessThan(inTwoDays)
})

it('an unknown topic keeps no other partition out of the transaction', async ({ expect }) => {
  const { data, ledger } = await makeTopics()
  const lane = await openLane(ledger)
  const topology = await lane.topology([data, 'lane-does-not-exist'])
  expect(topology.get('lane-does-not-exist')).toEqual({ status: 'unavailable', code: 3 })
  const refused = await lane.add([
    { topic: data, partition: 0 },
    { topic: 'lane-does-not-exist', partition: 0 },
  ])
  expect(refused).toEqual([{ topic: 'lane-does-not-exist', partition: 0, code: 3 }])
  await lane.append([{ topic: data, partition: 0, messages: [text('good')] }])
  await lane.commit()
  await lane.close()
  expect(
    (await readTopic({ brokers: kafka.brokers, topic: data })).map((r) => r.value?.toString()),
  ).toEqual(['good'])
})
