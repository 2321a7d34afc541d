import { inject, it, type ExpectStatic } from 'vitest'
import { unpackRuns, type Envelope, type Outcome } from '#contract'
import { readTopic, type KafkaRecord } from '../support/kafka-reader.ts'
import { createLossySockets, END_TXN, type Loss } from '../support/lossy-socket.ts'
import { startShard } from '../support/shard.ts'

const brokers = inject('brokers')

it.for<Loss>(['request', 'answer'])(
  'a lost EndTxn %s is decided by the ledger: every report is in Kafka exactly once, where its outcome says',
  async (loss, { expect }) => {
    const sockets = createLossySockets()
    const shard = await startShard({
      kafka: { brokers, clientId: 'doubt-test', socketFactory: sockets.socketFactory },
    })
    await shard.booted
    const envelopes: Envelope[] = [shard.pushEnvelope([{ value: 'before' }])]
    await shard.acked(1)

    const lost = sockets.loseNext(loss, END_TXN)
    envelopes.push(
      shard.pushEnvelope([
        { key: 'k1', value: 'a' },
        { key: 'k2', value: 'b' },
        { key: 'k3', value: 'c' },
      ]),
    )
    await lost
    await shard.acked(2)
    envelopes.push(shard.pushEnvelope([{ value: 'after' }]))
    await shard.acked(3)
    await shard.stop()

    expect(await shard.metric('doubts_total')).toBe(1)
    expect(await shard.metric('boots_total')).toBe(2)
    const records = await readTopic({ brokers, topic: shard.topic })
    expect(records.map((r) => r.value?.toString() ?? '').sort()).toEqual([
      'a',
      'after',
      'b',
      'before',
      'c',
    ])
    for (const envelope of envelopes) {
      expectAtItsPlace(expect, records, envelope, shard.outcomes.get(envelope.id))
    }
  },
)

it('a shard that takes over knows what its predecessor delivered: a redelivery is settled and not sent', async ({
  expect,
}) => {
  const kafka = { brokers, clientId: 'takeover-test' }
  const first = await startShard({ kafka })
  await first.booted
  const envelope = first.pushEnvelope([{ value: 'once' }])
  await first.acked(1)
  await first.stop()

  const second = await startShard({ kafka, after: first })
  await second.booted
  second.push(JSON.stringify(envelope))
  await second.acked(1)
  await second.stop()

  expect(await second.metric('known_total')).toBe(1)
  expect(second.outcomes.get(envelope.id)).toEqual(first.outcomes.get(envelope.id))
  expect(
    (await readTopic({ brokers, topic: first.topic })).map((r) => r.value?.toString()),
  ).toEqual(['once'])
})

it('one envelope delivered twice in one pull is sent once, and both its leases are acked', async ({
  expect,
}) => {
  const shard = await startShard({ kafka: { brokers, clientId: 'twice-test' } })
  const envelope = shard.pushEnvelope([{ value: 'once' }])
  shard.push(JSON.stringify(envelope))
  await shard.acked(2)
  await shard.stop()
  expect(
    (await readTopic({ brokers, topic: shard.topic })).map((r) => r.value?.toString()),
  ).toEqual(['once'])
})

it('reports too large for their topic are dead-lettered and failed; the other envelopes of the batch are delivered', async ({
  expect,
}) => {
  const shard = await startShard({
    kafka: { brokers, clientId: 'large-test' },
    topicConfig: { 'max.message.bytes': '2000' },
  })
  const large = shard.pushEnvelope([
    { key: 'k', value: 'x'.repeat(5_000), headers: { source: 'test' } },
  ])
  const mixed = shard.pushEnvelope([{ value: 'small' }, { value: 'y'.repeat(5_000) }])
  const good = shard.pushEnvelope([{ value: 'good' }])
  await shard.acked(3)
  await shard.stop()

  const reports = (e: Envelope) => unpackRuns(shard.outcomes.get(e.id)?.runs ?? [])
  expect(reports(large)).toEqual([{ status: 'failed', reason: 'record_too_large' }])
  expect(reports(mixed).map((r) => r.status)).toEqual(['delivered', 'failed'])
  expect(reports(good).map((r) => r.status)).toEqual(['delivered'])
  const letters = await readTopic({ brokers, topic: `edgehub-${shard.instance}-dead-letters` })
  expect(
    letters.map((l) => [
      l.key?.toString(),
      l.value?.length,
      l.headers['edgehub-id']?.toString(),
      l.headers['edgehub-reason']?.toString(),
    ]),
  ).toEqual([
    ['k', 5_000, `${large.id}.0`, 'record_too_large'],
    [undefined, 5_000, `${mixed.id}.1`, 'record_too_large'],
  ])
  expect(letters[0]?.headers['source']?.toString()).toBe('test')
})

it('a message that is no envelope goes to the dead letters raw, under its queue id, once, also when it comes again', async ({
  expect,
}) => {
  const shard = await startShard({ kafka: { brokers, clientId: 'raw-test' }, keptIds: 100 })
  shard.push('{"not": "an envelope', { messageId: 'a'.repeat(32) })
  const good = shard.pushEnvelope([{ value: 'good' }])
  await shard.acked(2)
  shard.push('{"not": "an envelope', { messageId: 'a'.repeat(32) })
  await shard.acked(3)
  await shard.stop()

  const letters = await readTopic({ brokers, topic: `edgehub-${shard.instance}-dead-letters` })
  expect(
    letters.map((l) => [
      l.key?.toString(),
      l.value?.toString(),
      l.headers['edgehub-reason']?.toString(),
    ]),
  ).toEqual([['a'.repeat(32), '{"not": "an envelope', 'undecodable']])
  expect(shard.outcomes.has(good.id)).toBe(true)
})

it('an envelope for a topic that does not exist is given back and costs the others nothing', async ({
  expect,
}) => {
  const shard = await startShard({ kafka: { brokers, clientId: 'unknown-test' } })
  shard.pushEnvelope([{ value: 'nowhere' }], 'no-such-topic')
  const good = shard.pushEnvelope([{ value: 'good' }])
  await shard.acked(1)
  await shard.stop()
  expect([...shard.outcomes.keys()]).toEqual([good.id])
  expect(shard.givenBack).toHaveLength(1)
  expect(await shard.metric('doubts_total')).toBe(0)
})

function expectAtItsPlace(
  expect: ExpectStatic,
  records: KafkaRecord[],
  envelope: Envelope,
  outcome: Outcome | undefined,
): void {
  if (!('records' in envelope)) throw new Error('these tests send no claims')
  const reports = unpackRuns(outcome?.runs ?? [])
  expect(reports).toHaveLength(envelope.records.length)
  for (const [i, report] of reports.entries()) {
    if (report.status !== 'delivered') throw new Error(`report ${i} is ${report.status}`)
    const record = records.find(
      (r) => r.partition === report.partition && r.offset === Number(report.offset),
    )
    expect(record?.value?.toString()).toBe(envelope.records[i]?.value)
    expect(record?.headers['edgehub-id']?.toString()).toBe(`${envelope.id}.${i}`)
    expect(record?.timestamp).toBe(envelope.received)
  }
}
