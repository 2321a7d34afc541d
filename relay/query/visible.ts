/** Which batches of a fetch are visible to a reader of what is committed. Pure. */
import { createAbortedFilter, type AbortedTransaction } from '../kafka/aborted.ts'
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
  const isAborted = createAbortedFilter(transactions)
  return batches.map((batch) => {
    // A producer has one transaction at a time in a partition: the marker behind an aborted one is its own, whatever it says.
    const is = isAborted({ ...batch, isEnd: batch.isControl }) ? 'aborted' : 'data'
    return { batch, is: batch.isControl ? 'control' : is }
  })
}
