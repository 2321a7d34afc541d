/**
 * Which batches of a fetch are visible to a reader of what is committed. The rule of Java's consumer: a transaction is aborted from its
 * first offset to the end marker of its producer. The broker lists the aborted transactions by their end, several may begin before the
 * same batch, and one may have begun before the fetch. Pure.
 */
import type { AbortedTransaction } from '../kafka/fetch.ts'
import type { StoredBatch } from '../kafka/read-batch.ts'

export type Visibility = 'data' | 'aborted' | 'control'

export interface JudgedBatch {
  batch: StoredBatch
  is: Visibility
}

/** The batches are those of one fetch, in their order. */
export function judgeBatches(
  batches: readonly StoredBatch[],
  transactions: readonly AbortedTransaction[],
): JudgedBatch[] {
  const waiting = transactions.toSorted((a, b) =>
    a.first < b.first ? -1 : Number(a.first > b.first),
  )
  const aborted = new Set<bigint>()
  let next = 0
  return batches.map((batch) => {
    for (let at = waiting[next]; at && at.first <= batch.last; at = waiting[++next]) {
      aborted.add(at.producerId)
    }
    if (batch.isControl) {
      // A producer has one transaction at a time in a partition: the marker behind an aborted one is its own.
      aborted.delete(batch.producerId)
      return { batch, is: 'control' }
    }
    return {
      batch,
      is: batch.isTransactional && aborted.has(batch.producerId) ? 'aborted' : 'data',
    }
  })
}
