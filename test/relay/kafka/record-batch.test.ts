import { createRequire } from 'node:module'
import * as fc from 'fast-check'
import { describe, it } from 'vitest'
import { crc32c } from '../../../relay/kafka/crc32c.ts'
import { encodeBatch, type LaneMessage } from '../../../relay/kafka/record-batch.ts'

interface KafkaJsProduce {
  encode(): Promise<{ buffer: Buffer }>
}
const require = createRequire(import.meta.url)
const kafkaJsProduce = require('kafkajs/src/protocol/requests/produce/v7/request') as (
  args: unknown,
) => KafkaJsProduce
const kafkaJsCrc32c = require('kafkajs/src/protocol/recordBatch/crc32C') as (b: Buffer) => number

const head = { producerId: '4711', producerEpoch: 3, firstSequence: 99 }

// kafkajs's Produce request of one partition: 2+1 bytes of transactional id, acks, time-out, one topic of 1 byte, one partition, the size.
const BEFORE_THE_BATCH = 2 + 1 + 2 + 4 + 4 + 2 + 1 + 4 + 4 + 4

async function byKafkaJs(laneMessages: readonly LaneMessage[], compression = 0): Promise<Buffer> {
  const messages = laneMessages.map((message) => {
    const { value } = message
    return { ...message, value: typeof value === 'string' ? Buffer.from(value) : value }
  })
  const { producerId, producerEpoch, firstSequence } = head
  const { buffer } = await kafkaJsProduce({
    acks: -1,
    timeout: 1,
    transactionalId: 't',
    producerId,
    producerEpoch,
    compression,
    topicData: [{ topic: 'd', partitions: [{ partition: 0, firstSequence, messages }] }],
  }).encode()
  return buffer.subarray(BEFORE_THE_BATCH)
}

const bytes = fc.option(
  fc.uint8Array({ maxLength: 300 }).map((b) => Buffer.from(b)),
  { nil: null },
)
// kafkajs sorts times as texts, so they need as many digits each.
const time = fc.integer({ min: 1_000_000_000_000, max: 9_999_999_999_999 })
const message: fc.Arbitrary<LaneMessage> = fc.record(
  {
    key: bytes,
    // Texts with halves of surrogate pairs too, which become U+FFFD.
    value: fc.oneof(bytes, fc.string({ unit: 'binary', maxLength: 300 })),
    timestamp: time,
    headers: fc.dictionary(
      fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }),
      fc.string({ unit: 'grapheme', maxLength: 200 }),
      { maxKeys: 4, noNullPrototype: true },
    ),
  },
  { requiredKeys: ['key', 'value', 'timestamp'] },
)

describe('a record batch', () => {
  it('has the bytes that kafkajs makes, whatever is in it', async ({ expect }) => {
    await fc.assert(
      fc.asyncProperty(fc.array(message, { minLength: 1, maxLength: 80 }), async (messages) => {
        expect((await encodeBatch(messages, head)).equals(await byKafkaJs(messages))).toBe(true)
      }),
    )
  })

  it('compressed, holds the same records', async ({ expect }) => {
    const messages = Array.from({ length: 50 }, (_, i): LaneMessage => ({
      key: Buffer.from(`k${i}`),
      value: Buffer.from('x'.repeat(100)),
      headers: { 'edgehub-id': `AAAAAAAAAAAAAAAA.${i}` },
      timestamp: 1_790_000_000_000 + i,
    }))
    const plain = await encodeBatch(messages, head)
    let given: Buffer | undefined
    const packed = await encodeBatch(messages, head, {
      code: 4,
      async compress(records) {
        given = Buffer.from(records)
        return Buffer.from('packed')
      },
    })
    expect(given?.equals(plain.subarray(61))).toBe(true)
    expect(packed.subarray(61).toString()).toBe('packed')
    expect(packed.readInt16BE(21)).toBe(16 | 4)
    expect(packed.readInt32BE(8)).toBe(packed.length - 12)
    expect(packed.readUInt32BE(17)).toBe(kafkaJsCrc32c(packed.subarray(21)))
  })

  it('may hold records without a time', async ({ expect }) => {
    const messages = [{ key: null, value: Buffer.from('x'), timestamp: -1 }]
    expect((await encodeBatch(messages, head)).equals(await byKafkaJs(messages))).toBe(true)
  })
})

describe('CRC-32C', () => {
  it('of the check text is the published value', ({ expect }) => {
    // The check value of CRC-32/ISCSI.
    expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283)
    expect(crc32c(Buffer.alloc(0))).toBe(0)
  })

  it('is the same as byte by byte, from any place and of any length', ({ expect }) => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat({ max: 100 }), (data, from) => {
        const start = Math.min(from, data.length)
        expect(crc32c(data, start)).toBe(kafkaJsCrc32c(Buffer.from(data.subarray(start))))
      }),
    )
  })
})
