/**
 * Mends how kafkajs passes over aborted records. It opens at most one aborted transaction a record and takes the broker's list as sorted, so
 * where several shards write to one partition it would show records of an aborted transaction as committed. Each answer to a fetch is put
 * right before kafkajs sees it: aborted records are marked as control records, which it drops and counts, and the list of aborted
 * transactions is emptied. The mend hangs on one cluster object, and nobody else in the process sees it.
 */
import type { Broker, Cluster, FetchResponse } from '../kafka/kafkajs.ts'

/** What is needed of a record as kafkajs decodes it. */
export interface RawRecord {
  readonly offset: string
  readonly key: Buffer | null
  readonly isControlRecord: boolean
  /** Missing on records of old formats, which know no transactions. */
  readonly batchContext?: { readonly producerId: string; readonly inTransaction: boolean }
}

export interface AbortedTransaction {
  readonly firstOffset: string
  readonly producerId: string
}

export function mendAborted(cluster: Cluster): void {
  const findBroker = cluster.findBroker.bind(cluster)
  cluster.findBroker = async (to) => mendBroker(await findBroker(to))
}

function mendBroker(broker: Broker): Broker {
  // The same object is found again and again.
  if (Object.hasOwn(broker, 'fetch')) return broker
  const fetch = broker.fetch.bind(broker)
  broker.fetch = async (args) => mendAnswer(await fetch(args))
  return broker
}

function mendAnswer(answer: FetchResponse): FetchResponse {
  for (const { partitions } of answer.responses) {
    for (const data of partitions as (FetchResponse['responses'][number]['partitions'][number] & {
      abortedTransactions?: readonly AbortedTransaction[] | null
    })[]) {
      data.messages = markAborted(data.messages as RawRecord[], data.abortedTransactions ?? [])
      data.abortedTransactions = []
    }
  }
  return answer
}

/**
 * The rule of Java's consumer: a transaction is aborted from its first offset to the abort marker of its producer. The broker lists
 * transactions by their end, and one record may be the first after the start of several.
 */
export function markAborted(
  records: readonly RawRecord[],
  transactions: readonly AbortedTransaction[],
): RawRecord[] {
  if (transactions.length === 0) return [...records]
  const waiting = transactions
    .map(({ firstOffset, producerId }) => ({ first: BigInt(firstOffset), producerId }))
    .toSorted((a, b) => (a.first < b.first ? -1 : Number(a.first > b.first)))
  const aborted = new Set<string>()
  let next = 0
  return records.map((record) => {
    const offset = BigInt(record.offset)
    for (let at = waiting[next]; at && at.first <= offset; at = waiting[++next]) {
      aborted.add(at.producerId)
    }
    const { producerId = '', inTransaction = false } = record.batchContext ?? {}
    if (record.isControlRecord) {
      if (isAbortMarker(record)) aborted.delete(producerId)
      return record
    }
    return inTransaction && aborted.has(producerId) ? { ...record, isControlRecord: true } : record
  })
}

/** Key of a control record: int16 version, int16 type; type 0 is abort, 1 is commit. */
function isAbortMarker({ key }: RawRecord): boolean {
  return key !== null && key.length >= 4 && key.readInt16BE(2) === 0
}
