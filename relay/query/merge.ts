/** Merges partitions by time and keeps the order of each: whose turn it is, and whose records are held no longer. Pure. */

export interface Headed {
  partition: number
  /** Of its next record. */
  timestamp: number
}

/** The one with the earliest next record; of several, the lowest partition. Undefined when there are none. */
export function earliest<T extends Headed>(heads: Iterable<T>): T | undefined {
  let first: T | undefined
  for (const head of heads) if (!first || isBefore(head, first)) first = head
  return first
}

/** Those to let go of so that the rest holds no more than `maxBytes`: the ones whose turn comes last. The first one always stays. */
export function surplus<T extends Headed & { heldBytes: number }>(
  heads: Iterable<T>,
  maxBytes: number,
): T[] {
  const all = [...heads]
  if (all.reduce((sum, head) => sum + head.heldBytes, 0) <= maxBytes) return []
  const inTurn = all.toSorted((a, b) => (isBefore(a, b) ? -1 : 1))
  let sum = 0
  return inTurn.filter((head, i) => (sum += head.heldBytes) > maxBytes && i > 0)
}

function isBefore(a: Headed, b: Headed): boolean {
  return a.timestamp < b.timestamp || (a.timestamp === b.timestamp && a.partition < b.partition)
}
