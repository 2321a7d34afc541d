import * as fc from 'fast-check'
import { afterAll, describe, it } from 'vitest'
import { compressionOf, type LaneMessage } from '../../../relay/kafka/kafkajs.ts'
import { readBatches, readRecords, UnreadableBatch } from '../../../relay/kafka/read-batch.ts'
import { encodeBatch } from '../../../relay/kafka/record-batch.ts'
import { makeQueries, makeTopic, openWriter } from './kafka-log.ts'

const HEAD = { producerId: '7', producerEpoch: 0, firstSequence: 0 }
const message = fc.record({
  key: fc.option(fc.uint8Array({ maxLength: 9 }).map((b) => Buffer.from(b))),
  value: fc.option(fc.uint8Array({ maxLength: 300 }).map((b) => Buffer.from(b))),
  headers: fc.dictionary(fc.string(), fc.string(), { maxKeys: 3 }),
  timestamp: fc.integer({ min: -1, max: 2 ** 45 }),
})
const messages = fc.array(message, { minLength: 1, maxLength: 20 })

describe('reading a batch', () => {
  it('gives what was written, whatever it is and however it is compressed', async ({ expect }) => {
    await fc.assert(
      fc.asyncProperty(messages, fc.constantFrom(0, 1, 4), async (written: LaneMessage[], code) => {
        const bytes = await encodeBatch(written, HEAD, compressionOf(code))
        const [batch, ...more] = readBatches(
          Buffer.concat([bytes, bytes.subarray(0, Math.min(70, bytes.length - 1))]),
        )
        if (!batch || more.length > 0) throw new Error('not the one batch')
        expect(batch).toMatchObject({ first: 0n, last: BigInt(written.length - 1), producerId: 7n })
        const read = await readRecords(batch)
        expect(
          read.map((r) => ({
            ...r,
            headers: Object.fromEntries(
              r.headers.map((h) => [String(h.name), h.value?.toString()]),
            ),
          })),
        ).toEqual(written.map((m, n) => ({ ...m, headers: { ...m.headers }, offset: BigInt(n) })))
      }),
    )
  })

  it('refuses damage, and never reads for ever or beyond the batch', async ({ expect }) => {
    await fc.assert(
      fc.asyncProperty(
        messages,
        fc.nat(),
        fc.nat(255),
        async (written: LaneMessage[], at, byte) => {
          const bytes = await encodeBatch(written, HEAD)
          // Behind the head, whose bytes mean other things.
          const damagedAt = 61 + (at % (bytes.length - 61))
          bytes[damagedAt] = byte
          for (const batch of readBatches(bytes)) {
            const result = await readRecords(batch).catch((error: unknown) => error)
            expect(Array.isArray(result) || result instanceof UnreadableBatch).toBe(true)
          }
        },
      ),
    )
  })

  it('refuses the formats of before Kafka 0.11', ({ expect }) => {
    const old = Buffer.alloc(40)
    old[16] = 1
    expect(() => readBatches(old)).toThrow(UnreadableBatch)
  })
})

describe('what a topic compresses', () => {
  const queries = makeQueries()
  afterAll(() => queries.close())

  it.for(['gzip', 'snappy', 'lz4', 'zstd'])('with %s is read', async (compression, { expect }) => {
    const topic = await makeTopic(1, { 'compression.type': compression })
    const writer = await openWriter(topic)
    // Long repetitions, short ones, and what does not compress at all.
    const random = fc.sample(fc.uint8Array({ minLength: 100_000, maxLength: 100_000 }), {
      seed: 1,
      numRuns: 1,
    })
    const values = [
      'x'.repeat(200_000),
      Array.from({ length: 20_000 }, (_, n) => `${n % 97},${n % 13};`).join(''),
      Buffer.from(random[0] ?? []).toString('hex'),
      '',
    ]
    await writer.send(
      0,
      values.map((value) => ({ value })),
    )
    await writer.send(0, [{ value: Buffer.from(random[0] ?? []) }])
    await writer.close()
    const answer = await queries.ask({
      op: 'records_by_offset',
      topic,
      partition: 0,
      offset: '0',
      limit: 10,
      values: true,
    })
    if (answer.status !== 'records') throw new Error(JSON.stringify(answer))
    expect(answer.records.slice(0, 4).map((r) => r.value)).toEqual(values)
    expect(answer.records[4]?.base64).toBe(Buffer.from(random[0] ?? []).toString('base64'))
  })
})
