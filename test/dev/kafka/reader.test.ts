import * as fc from 'fast-check'
import { test } from 'vitest'
import {
  type AbortedTransaction,
  type FetchedMessage,
  markAborted,
} from '../../support/kafka-reader.ts'

interface Step {
  readonly producer: number
  readonly action: 'write' | 'commit' | 'abort' | 'plain'
}

// Plays steps into a log as a broker would keep it, and knows which records are visible.
function play(steps: readonly Step[]) {
  const messages: FetchedMessage[] = []
  const transactions: AbortedTransaction[] = []
  const open = new Map<string, string[]>()
  const visible = new Set<string>()
  const append = (producerId: string, key: Buffer | null, isControlRecord: boolean) => {
    const offset = String(messages.length)
    const inTransaction = producerId !== '-1'
    messages.push({ offset, key, isControlRecord, batchContext: { producerId, inTransaction } })
    return offset
  }
  const end = (producerId: string, action: 'commit' | 'abort') => {
    const offsets = open.get(producerId)
    if (offsets === undefined) return
    open.delete(producerId)
    append(producerId, Buffer.from([0, 0, 0, action === 'abort' ? 0 : 1]), true)
    if (action === 'commit') for (const offset of offsets) visible.add(offset)
    else transactions.push({ producerId, firstOffset: offsets[0] ?? '' })
  }
  for (const { producer, action } of steps) {
    const producerId = String(producer)
    // The key that stock kafkajs takes for an abort marker.
    const key = Buffer.from([0, 0, 0, 0])
    if (action === 'plain') visible.add(append('-1', key, false))
    else if (action === 'write') {
      open.set(producerId, [...(open.get(producerId) ?? []), append(producerId, key, false)])
    } else end(producerId, action)
  }
  for (const producerId of open.keys()) end(producerId, 'abort')
  return { messages, transactions, visible }
}

const steps = fc.array(
  fc.record({
    producer: fc.integer({ min: 0, max: 3 }),
    action: fc.constantFrom('write', 'write', 'write', 'commit', 'abort', 'plain'),
  }),
  { maxLength: 40 },
)

test('a record is shown if and only if its transaction was committed or it had none', ({
  expect,
}) => {
  fc.assert(
    fc.property(steps, fc.nat(40), (played, from) => {
      const { messages, transactions, visible } = play(played)
      // A fetch from the middle names the transactions that end at or after its offset.
      const fetched = messages.filter(({ offset }) => Number(offset) >= from)
      const ends = (transaction: AbortedTransaction) =>
        fetched.some(
          ({ isControlRecord, key, batchContext, offset }) =>
            isControlRecord &&
            key?.[3] === 0 &&
            batchContext.producerId === transaction.producerId &&
            Number(offset) > Number(transaction.firstOffset),
        )
      const shown = markAborted(fetched, transactions.filter(ends))
        .filter(({ isControlRecord }) => !isControlRecord)
        .map(({ offset }) => offset)
      expect(shown).toEqual(
        [...visible]
          .filter((offset) => Number(offset) >= from)
          .toSorted((a, b) => Number(a) - Number(b)),
      )
    }),
  )
})
