/**
 * What of a fetch belongs to aborted transactions. The rule of Java's consumer: a transaction is aborted from its first offset to the end
 * marker of its producer. The broker lists the aborted ones by their end, several may begin before the same record, and one may have begun
 * before the fetch. Pure; how records and batches are decoded is the caller's business.
 */

/** A transaction that was aborted: of which producer, and where it began. */
export interface AbortedTransaction {
  producerId: bigint
  first: bigint
}

/** A record, or a batch with the offsets that it stands for. */
export interface FetchedUnit {
  /** The last offset. */
  last: bigint
  producerId: bigint
  isTransactional: boolean
  /** It is the marker that ends an aborted transaction of its producer. */
  isEnd: boolean
}

/** Answers of one after the other, in the order of the fetch, whether it was aborted. A marker itself never was. */
export function createAbortedFilter(
  transactions: readonly AbortedTransaction[],
): (unit: FetchedUnit) => boolean {
  const waiting = transactions.toSorted((a, b) =>
    a.first < b.first ? -1 : Number(a.first > b.first),
  )
  const aborted = new Set<bigint>()
  let next = 0
  return function isAborted({ last, producerId, isTransactional, isEnd }) {
    for (let at = waiting[next]; at && at.first <= last; at = waiting[++next]) {
      aborted.add(at.producerId)
    }
    if (isEnd) {
      aborted.delete(producerId)
      return false
    }
    return isTransactional && aborted.has(producerId)
  }
}
