import { inject, it } from 'vitest'
import { encodeEnvelope, unpackRuns, type Envelope } from '#contract'
import { readTopic } from '../support/kafka-reader.ts'
import { startShard } from '../support/shard.ts'

const brokers = inject('brokers')

it('of a batch full of poison only the envelopes concerned wait or fail; all others are delivered in one transaction, with no doubt and no boot', async ({
  expect,
}) => {
  const shard = await startShard({
    kafka: { brokers, clientId: 'poison-test' },
    topicConfig: { 'max.message.bytes': '2000', 'message.timestamp.after.max.ms': '3600000' },
  })
  await shard.booted
  const inTwoDays = Date.now() + 172_800_000
  const good = [0, 1, 2].map((i) => shard.pushEnvelope([{ key: `k${i}`, value: `good ${i}` }]))
  shard.push('no envelope', { messageId: 'f'.repeat(32) })
  shard.push(JSON.stringify({ v: 2, id: 'AAAAAAAAAAAAAAAA', new: 'form' }))
  const large = shard.pushEnvelope([
    { key: 'k', value: 'x'.repeat(5_000), headers: { source: 'test' } },
  ])
  const early = shard.pushEnvelope([{ value: 'early' }], shard.topic, {}, { received: inTwoDays })
  const lost = shard.pushEnvelope([{ value: 'lost' }], shard.topic, {}, {}, 'claim')
  shard.pushEnvelope([{ value: 'nowhere' }], 'no-such-topic')
  shard.pushEnvelope([{ value: 'badly named' }], 'no/such/name')
  const old = shard.pushEnvelope(
    [{ value: 'old' }],
    shard.topic,
    {},
    { received: Date.now() - 8.5 * 86_400_000, receipt: 'R'.repeat(43) },
  )
  const ancient = shard.pushEnvelope(
    [{ value: 'ancient' }],
    shard.topic,
    {},
    {
      received: Date.now() - 10 * 86_400_000,
    },
  )
  // Three good, one raw, one large, one early, one lost, one badly named, one old, one ancient.
  await shard.acked(10)
  await shard.handedBack(2)
  await shard.stop()

  const statusOf = ({ id }: Envelope) =>
    unpackRuns(shard.outcomes.get(id)?.runs ?? []).map((r) =>
      r.status === 'failed' ? r.reason : r.status,
    )
  expect(good.flatMap(statusOf)).toEqual(['delivered', 'delivered', 'delivered'])
  expect(statusOf(early)).toEqual(['delivered'])
  expect(statusOf(large)).toEqual(['record_too_large'])
  expect(statusOf(lost)).toEqual(['envelope_lost'])
  expect(statusOf(old)).toEqual(['attempts_exhausted'])
  // Older than a row lives: it may have been delivered, so nothing is said of it.
  expect(shard.outcomes.has(ancient.id)).toBe(false)
  expect(await shard.metric('doubts_total')).toBe(0)
  expect(await shard.metric('boots_total')).toBe(1)
  expect(await shard.metric('handed_back_total', { reason: 'unknown_version' })).toBe(1)
  expect(await shard.metric('handed_back_total', { reason: 'blocked' })).toBe(1)
  const values = (await readTopic({ brokers, topic: shard.topic })).map(
    (r) => r.value?.toString() ?? '',
  )
  expect(values.sort()).toEqual(['early', 'good 0', 'good 1', 'good 2'])

  const letters = await readTopic({ brokers, topic: `edgehub-${shard.instance}-dead-letters` })
  const byReason = new Map(letters.map((l) => [l.headers['edgehub-reason']?.toString() ?? '', l]))
  expect([...byReason.keys()].sort()).toEqual([
    'attempts_exhausted',
    'envelope_lost',
    'record_too_large',
    'undecodable',
  ])
  const letter = byReason.get('record_too_large')
  expect(letter?.key?.toString()).toBe('k')
  expect(letter?.value?.length).toBe(5_000)
  expect(headersOf(letter?.headers)).toMatchObject({
    source: 'test',
    'edgehub-id': `${large.id}.0`,
    'edgehub-datahub': large.datahub,
    'edgehub-topic': shard.topic,
    'edgehub-received': String(large.received),
  })
  expect(letters.map(({ headers }) => headersOf(headers)['edgehub-receipt'] ?? '')).toContain(
    old.receipt,
  )
  const kept = letters.find((l) => l.value?.toString() === encodeEnvelope(ancient))
  expect(headersOf(kept?.headers)['edgehub-reason']).toBe('attempts_exhausted')
})

it('an envelope that waits for its topic is delivered once the topic is there', async ({
  expect,
}) => {
  const shard = await startShard({ kafka: { brokers, clientId: 'poison-test' } })
  const later = `${shard.topic}-later`
  const envelope = shard.pushEnvelope([{ value: 'patient' }], later)
  await shard.handedBack(1)
  await shard.createTopic(later)
  // It comes again and again, as a queue would bring it, while its topic is behind its breaker.
  for (let tries = 1; !shard.outcomes.has(envelope.id); tries++) {
    shard.push(encodeEnvelope(envelope), { attempts: tries + 1 })
    await Promise.race([shard.acked(1), shard.handedBack(tries + 1)])
  }
  await shard.stop()
  expect((await readTopic({ brokers, topic: later })).map((r) => r.value?.toString())).toEqual([
    'patient',
  ])
  expect(await shard.metric('doubts_total')).toBe(0)
})

function headersOf(headers: object | undefined): Record<string, string> {
  return Object.fromEntries(Object.entries(headers ?? {}).map(([k, v]) => [k, String(v)]))
}
