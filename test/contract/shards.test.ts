import * as fc from 'fast-check'
import { describe, it } from 'vitest'
import {
  deadLetterTopic,
  envelopeIdOf,
  isReservedTopic,
  isShardCount,
  ledgerTopic,
  SHARD_COUNTS,
  shardOf,
  STATUS_SHARDS,
  statusShardOf,
  TopicName,
  transactionalId,
} from '#contract'

describe('shards', () => {
  it('are chosen by byte 0 of the id, status shards by byte 1', ({ expect }) => {
    const bytes = fc.uint8Array({ minLength: 12, maxLength: 12 })
    fc.assert(
      fc.property(bytes, fc.constantFrom(...SHARD_COUNTS), (idBytes, shards) => {
        const id = envelopeIdOf(idBytes)
        expect(shardOf(id, shards)).toBe((idBytes[0] ?? 0) % shards)
        expect(statusShardOf(id)).toBe((idBytes[1] ?? 0) % STATUS_SHARDS)
      }),
    )
  })

  it('are used evenly', ({ expect }) => {
    for (const shards of SHARD_COUNTS) {
      const used = Array<number>(shards).fill(0)
      for (let first = 0; first < 256; first++) {
        const shard = shardOf(envelopeIdOf(new Uint8Array(12).fill(first)), shards)
        used[shard] = (used[shard] ?? 0) + 1
      }
      expect(used).toEqual(Array(shards).fill(256 / shards))
    }
  })

  it('are 1, 2, 4 or 8', ({ expect }) => {
    expect([0, 1, 2, 3, 4, 5, 8, 16].filter((n) => isShardCount(n))).toEqual([1, 2, 4, 8])
  })
})

describe('names', () => {
  it('are built from the instance as ever', ({ expect }) => {
    expect(ledgerTopic('ckafka-abcdefgh')).toBe('edgehub-ckafka-abcdefgh-ledger')
    expect(deadLetterTopic('ckafka-abcdefgh')).toBe('edgehub-ckafka-abcdefgh-dead-letters')
    expect(transactionalId('ckafka-abcdefgh', 3)).toBe('edgehub.ckafka-abcdefgh.3')
  })

  it('of our own topics are reserved', ({ expect }) => {
    const names = [
      ledgerTopic('ckafka-abcdefgh'),
      deadLetterTopic('ckafka-abcdefgh'),
      '__transaction_state',
      'orders',
      '_x',
    ]
    expect(names.map((name) => isReservedTopic(name))).toEqual([true, true, true, false, false])
  })

  it.for([
    ['a', true],
    ['a.b-c_D9', true],
    ['x'.repeat(249), true],
    ['x'.repeat(250), false],
    ['', false],
    ['.', false],
    ['..', false],
    ['...', true],
    ['a:b', false],
    ['ü', false],
  ] as const)('topic %j: %s', ([name, valid], { expect }) => {
    expect(TopicName.safeParse(name).success).toBe(valid)
  })
})
