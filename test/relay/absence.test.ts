import { inject, it, type ExpectStatic } from 'vitest'
import {
  encodeEnvelope,
  ledgerTopic,
  type Envelope,
  type EnvelopeId,
  type Outcome,
} from '#contract'
import { LedgerMadeAnew } from '../../relay/ledger/boot.ts'
import { relayGroup } from '../../relay/ownership/group-id.ts'
import { withAdmin } from '../support/admin.ts'
import { readTopic } from '../support/kafka-reader.ts'
import { startShard, type TestShard } from '../support/shard.ts'

const brokers = inject('brokers')
const kafka = { brokers, clientId: 'absence-test' }

const valuesOf = async (shard: Pick<TestShard, 'topic'>) =>
  (await readTopic({ brokers, topic: shard.topic })).map((r) => r.value?.toString() ?? '').sort()

// What the relays' group has committed as "settled below here".
const commitLow = (shard: TestShard, offset: string) =>
  withAdmin(kafka, (a) =>
    a.setOffsets({
      groupId: relayGroup(shard.instance),
      topic: ledgerTopic(shard.instance),
      partitions: [{ partition: 0, offset }],
    }),
  )

// Delivers some envelopes, one a transaction, and stops; its ledger has them all.
async function deliveredBefore(
  count: number,
): Promise<{ first: TestShard; envelopes: Envelope[] }> {
  const first = await startShard({ kafka })
  await first.booted
  const envelopes: Envelope[] = []
  for (let i = 0; i < count; i++) {
    envelopes.push(first.pushEnvelope([{ value: `v${i}` }]))
    await first.acked(i + 1)
  }
  await first.stop()
  return { first, envelopes }
}

it('a repeat of what is forgotten is a look-up, and is acked without being sent', async ({
  expect,
}) => {
  const shard = await startShard({ kafka, keptIds: 0 })
  const envelope = shard.pushEnvelope([{ value: 'once' }])
  await shard.acked(1)
  // Something else, so that the first is forgotten when it comes again.
  shard.pushEnvelope([{ value: 'other' }])
  await shard.acked(2)
  shard.push(encodeEnvelope(envelope))
  await shard.acked(3)
  await shard.stop()
  expect(await shard.metric('look_ups_total', { answer: 'found' })).toBe(1)
  expect(await valuesOf(shard)).toEqual(['once', 'other'])
})

it('a repeat of what is still kept needs no look-up', async ({ expect }) => {
  const shard = await startShard({ kafka, keptIds: 10 })
  const envelope = shard.pushEnvelope([{ value: 'once' }])
  await shard.acked(1)
  shard.push(encodeEnvelope(envelope))
  await shard.acked(2)
  await shard.stop()
  expect(await shard.metric('look_ups_total', { answer: 'found' })).toBe(0)
  expect(await shard.metric('known_total')).toBe(1)
  expect(await valuesOf(shard)).toEqual(['once'])
})

it('without an answer to its look-up nothing is sent; it is handed back, and delivered when it comes again', async ({
  expect,
}) => {
  const shard = await startShard({ kafka })
  await shard.booted
  shard.worker.away = true
  const envelope = shard.pushEnvelope([{ value: 'late' }])
  await shard.handedBack(1)
  expect(await valuesOf(shard)).toEqual([])
  shard.worker.away = false
  shard.push(encodeEnvelope(envelope), { attempts: 2 })
  await shard.acked(1)
  await shard.stop()
  expect(await valuesOf(shard)).toEqual(['late'])
  expect(await shard.metric('handed_back_total', { reason: 'look_up_failed' })).toBe(1)
})

it('what the store did not take before a crash is settled by the next owner from the ledger, also when its message never comes again', async ({
  expect,
}) => {
  const outcomes = new Map<EnvelopeId, Outcome>()
  const first = await startShard({ kafka, outcomes })
  const committed = first.passed('committed')
  const envelope = first.pushEnvelope([{ value: 'x' }])
  await first.passed('began')
  first.worker.away = true
  await committed
  await first.stop()
  expect(outcomes.size).toBe(0)

  const second = await startShard({ kafka, outcomes, after: first })
  await second.settled(1)
  second.push(encodeEnvelope(envelope))
  await second.acked(1)
  await second.stop()
  expect([...outcomes.keys()]).toEqual([envelope.id])
  expect(await valuesOf(first)).toEqual(['x'])
})

it('the store is away through a kill and the boot after it: nothing is sent twice, and everything is settled when it is back', async ({
  expect,
}) => {
  const outcomes = new Map<EnvelopeId, Outcome>()
  const first = await startShard({ kafka, outcomes })
  const committed = first.passed('committed')
  const envelope = first.pushEnvelope([{ value: 'x' }])
  await first.passed('began')
  first.worker.away = true
  await committed
  await first.stop()

  const second = await startShard({ kafka, outcomes, after: first, workerAway: true })
  await second.booted
  // It is remembered, so it is known without a look-up; it can't be settled yet.
  second.push(encodeEnvelope(envelope))
  await second.handedBack(1)
  second.worker.away = false
  await second.settled(1)
  second.push(encodeEnvelope(envelope))
  await second.acked(1)
  await second.stop()
  expect(await valuesOf(first)).toEqual(['x'])
  expect(await second.metric('look_ups_total', { answer: 'absent' })).toBe(0)
})

it('a boot begins where the group has committed, and what lies before is found in the store', async ({
  expect,
}) => {
  const { first, envelopes } = await deliveredBefore(3)
  // Each transaction has two offsets in the ledger: its record and its marker. The claim comes first.
  await commitLow(first, '6')
  const second = await startShard({ kafka, after: first, outcomes: first.outcomes, keptIds: 10 })
  await second.booted
  await expectAllKnown(expect, second, envelopes)
  await second.stop()
  expect(await second.metric('look_ups_total', { answer: 'found' })).toBe(2)
  expect(await second.metric('ledger_gaps_total')).toBe(0)
  expect(await valuesOf(first)).toEqual(['v0', 'v1', 'v2'])
})

it('an old committed offset is still true, only longer to read', async ({ expect }) => {
  const { first, envelopes } = await deliveredBefore(3)
  await commitLow(first, '2')
  const second = await startShard({ kafka, after: first, outcomes: first.outcomes, keptIds: 10 })
  await second.booted
  await expectAllKnown(expect, second, envelopes)
  await second.stop()
  expect(await second.metric('look_ups_total', { answer: 'found' })).toBe(0)
  expect(await valuesOf(first)).toEqual(['v0', 'v1', 'v2'])
})

it('a ledger that starts after the committed offset is read from its start, with an alarm', async ({
  expect,
}) => {
  const { first, envelopes } = await deliveredBefore(3)
  await commitLow(first, '2')
  await withAdmin(kafka, async (a) => {
    const topic = ledgerTopic(first.instance)
    // kafkajs finds the leader only of a topic that it was asked about before.
    await a.fetchTopicOffsets(topic)
    await a.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '6' }] })
  })
  const second = await startShard({ kafka, after: first, outcomes: first.outcomes })
  await second.booted
  await expectAllKnown(expect, second, envelopes)
  await second.stop()
  expect(await second.metric('ledger_gaps_total')).toBe(1)
  expect(await valuesOf(first)).toEqual(['v0', 'v1', 'v2'])
})

it('a ledger that ends before what was settled was made anew: the shard refuses to run', async ({
  expect,
}) => {
  const { first } = await deliveredBefore(1)
  await commitLow(first, '1000')
  const second = await startShard({ kafka, after: first })
  await expect(second.booted).rejects.toBeInstanceOf(LedgerMadeAnew)
})

it('two copies of an envelope on both sides of a transaction are one record, whichever of the two queues they come from', async ({
  expect,
}) => {
  const shard = await startShard({ kafka })
  await shard.booted
  const appended = shard.passed('data_appended')
  const envelope = shard.pushEnvelope([{ value: 'once' }])
  await appended
  // It was looked up before the first copy is committed, and is decided after.
  shard.push(encodeEnvelope(envelope), { source: 'dead_letter_queue' })
  shard.push(encodeEnvelope(envelope))
  await shard.acked(3)
  await shard.stop()
  expect(await valuesOf(shard)).toEqual(['once'])
})

it('one key with two bodies is one record: the first that arrives, in one batch or in two', async ({
  expect,
}) => {
  const shard = await startShard({ kafka })
  await shard.booted
  const first = shard.pushEnvelope([{ value: 'body 1' }])
  shard.push(encodeEnvelope(other(first, 'aaaaaaaa', 'body 2')))
  await shard.acked(2)
  shard.push(encodeEnvelope(other(first, 'bbbbbbbb', 'body 3')))
  await shard.acked(3)
  await shard.stop()
  expect(await valuesOf(shard)).toEqual(['body 1'])
})

it('a message in the dead-letter queue is delivered from there; one that has to wait stays away for at least an hour', async ({
  expect,
}) => {
  const shard = await startShard({ kafka })
  await shard.booted
  const good = shard.pushEnvelope([{ value: 'rescued' }], shard.topic, {
    source: 'dead_letter_queue',
  })
  await shard.acked(1)
  shard.pushEnvelope([{ value: 'nowhere' }], 'no-such-topic', { source: 'dead_letter_queue' })
  await shard.handedBack(1)
  await shard.stop()
  expect([...shard.outcomes.keys()]).toEqual([good.id])
  expect(await valuesOf(shard)).toEqual(['rescued'])
  expect(shard.givenBack[0]?.delaySeconds).toBeGreaterThanOrEqual(3_600)
})

it('a shard with too many untaken outcomes stops pulling, and goes on when they are taken', async ({
  expect,
}) => {
  const shard = await startShard({ kafka, maxUnsettled: 1 })
  await shard.booted
  shard.worker.takesNothing = true
  shard.pushEnvelope([{ value: 'v0' }])
  shard.pushEnvelope([{ value: 'v1' }])
  await shard.handedBack(2)
  const order: string[] = []
  const pulled = shard.passed('pulled').then(() => order.push('pulled'))
  const settled = shard.settled(2).then(() => order.push('settled'))
  shard.pushEnvelope([{ value: 'held' }])
  // What is untaken is posted again by itself, without its messages.
  shard.worker.takesNothing = false
  await Promise.all([pulled, settled])
  await shard.acked(1)
  await shard.stop()
  expect(order).toEqual(['settled', 'pulled'])
  expect(await valuesOf(shard)).toEqual(['held', 'v0', 'v1'])
})

function other(envelope: Envelope, digest: string, value: string): Envelope {
  return { ...envelope, digest, records: [{ value }] }
}

async function expectAllKnown(
  expect: ExpectStatic,
  shard: TestShard,
  envelopes: readonly Envelope[],
): Promise<void> {
  for (const envelope of envelopes) shard.push(encodeEnvelope(envelope))
  await shard.acked(envelopes.length)
  expect(await shard.metric('delivered_total')).toBe(0)
}
