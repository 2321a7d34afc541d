import * as fc from 'fast-check'
import { Partitioners } from 'kafkajs'
import { it } from 'vitest'
import { murmur2, partitionOf } from '../../../relay/kafka/partitioner.ts'

// From Kafka's own UtilsTest.testMurmur2.
it.for([
  ['21', -973932308],
  ['foobar', -790332482],
  ['a-little-bit-long-string', -985981536],
  ['a-little-bit-longer-string', -1486304829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
] as const)('murmur2 of %s is what Java computes', ([text, expected], { expect }) => {
  expect(murmur2(Buffer.from(text))).toBe(expected)
})

it('a key lands where the Java-compatible partitioner of kafkajs puts it', ({ expect }) => {
  const theirs = Partitioners.DefaultPartitioner()
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 40 }),
      fc.integer({ min: 1, max: 50 }),
      (bytes, partitions) => {
        const key = Buffer.from(bytes)
        const partitionMetadata = Array.from({ length: partitions }, (_, partitionId) => ({
          partitionErrorCode: 0,
          partitionId,
          leader: 1,
          replicas: [],
          isr: [],
        }))
        expect(partitionOf(key, partitions)).toBe(
          theirs({ topic: 't', partitionMetadata, message: { key, value: null } }),
        )
      },
    ),
  )
})
