import { inject, it } from 'vitest'
import { encodeEnvelope, type EnvelopeId, type Outcome } from '#contract'
import { readTopic } from '../support/kafka-reader.ts'
import { startShard } from '../support/shard.ts'

const brokers = inject('brokers')
const kafka = { brokers, clientId: 'owners-test' }
const MINUTE_MS = 60_000

it('two that both believe to own a shard, for a minute, fence each other ever more rarely: both make progress, and nothing is sent twice', async ({
  expect,
}) => {
  const outcomes = new Map<EnvelopeId, Outcome>()
  const first = await startShard({ kafka, outcomes, leaseMs: 8_000, redelivers: true })
  await first.booted
  const second = await startShard({
    kafka,
    outcomes,
    leaseMs: 8_000,
    redelivers: true,
    after: first,
  })
  await second.booted

  const sent = new Map<EnvelopeId, string>()
  const end = Date.now() + MINUTE_MS
  for (let round = 0; Date.now() < end; round++) {
    // The same envelopes come to both of them, over two leases.
    for (let i = 0; i < 5; i++) {
      const value = `${round}.${i}`
      const envelope = first.pushEnvelope([{ key: value, value }])
      sent.set(envelope.id, value)
      second.push(encodeEnvelope(envelope))
    }
    await first.settled(sent.size)
  }
  await Promise.all([first.stop(), second.stop()])

  const values = (await readTopic({ brokers, topic: first.topic })).map((r) => r.value?.toString())
  expect(values.length).toBe(sent.size)
  expect(new Set(values)).toEqual(new Set(sent.values()))
  for (const shard of [first, second]) {
    const boots = await shard.metric('boots_total')
    const delivered = await shard.metric('delivered_total')
    expect(boots).toBeGreaterThan(1)
    // Only a committed batch lets the next boot come without a wait; the others come ever more rarely.
    expect(boots).toBeLessThan(2 * delivered + 30)
    expect(await shard.metric('fenced_total')).toBeGreaterThan(0)
    expect(await shard.metric('delivered_total')).toBeGreaterThan(0)
  }
})
