// Two that share no code agree on what is committed: the one of the operator's commands and the one of the tests' own reader.
import * as fc from 'fast-check'
import { it } from 'vitest'
import { markAborted } from '../../../relay/operator/mend-aborted.ts'
import { markAborted as asTheTestsDo } from '../../support/kafka-reader.ts'

const key = Buffer.from([0, 0, 0, 0])
const marker = (type: number) => Buffer.from([0, 0, 0, type])

const records = fc
  .array(
    fc.record({
      producerId: fc.constantFrom('1', '2', '3'),
      kind: fc.constantFrom('record', 'record', 'plain', 'abort', 'commit'),
      gap: fc.constantFrom(1, 1, 2, 10),
    }),
    { maxLength: 30 },
  )
  .map((all) => {
    let offset = 8
    return all.map(({ producerId, kind, gap }) => {
      offset += gap
      const isControlRecord = kind === 'abort' || kind === 'commit'
      return {
        offset: String(offset),
        key: isControlRecord ? marker(kind === 'abort' ? 0 : 1) : key,
        isControlRecord,
        batchContext: { producerId, inTransaction: kind !== 'plain' },
      }
    })
  })
const transactions = fc.array(
  fc.record({
    firstOffset: fc.integer({ min: 0, max: 60 }).map(String),
    producerId: fc.constantFrom('1', '2', '3'),
  }),
  { maxLength: 6 },
)

it('the same records of any fetch are aborted', ({ expect }) => {
  fc.assert(
    fc.property(records, transactions, (fetched, aborted) => {
      expect(markAborted(fetched, aborted)).toEqual(asTheTestsDo(fetched, aborted))
    }),
    { numRuns: 500 },
  )
})

it('records of old formats, which know no transactions, are shown', ({ expect }) => {
  const old = [{ offset: '7', key: null, isControlRecord: false }]
  expect(markAborted(old, [{ firstOffset: '3', producerId: '1' }])).toEqual(old)
})
