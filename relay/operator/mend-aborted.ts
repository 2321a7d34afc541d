/**
 * Mends how kafkajs passes over aborted records. It opens at most one aborted transaction a record and takes the broker's list as sorted,
 * so where several shards write to one partition it would show records of an aborted transaction as committed. Each answer to a fetch is put
 * right before kafkajs sees it: aborted records are marked as control records, which it drops and counts, and the list of aborted
 * transactions is emptied. The mend hangs on one cluster object, and nobody else in the process sees it.
 */
import { createAbortedFilter } from '../kafka/aborted.ts'
import type { Broker, Cluster, FetchResponse } from '../kafka/kafkajs.ts'

/** What is needed of a record as kafkajs decodes it. */
export interface RawRecord {
  readonly offset: string
  readonly key: Buffer | null
  readonly isControlRecord: boolean
  /** Missing on records of old formats, which know no transactions. */
  readonly batchContext?: { readonly producerId: string; readonly inTransaction: boolean }
}

/** As kafkajs decodes the broker's list of aborted transactions. */
export interface RawTransaction {
  readonly firstOffset: string
  readonly producerId: string
}

/** From now on what this cluster's brokers answer to a fetch is put right. Doing it twice changes nothing. */
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
      abortedTransactions?: readonly RawTransaction[] | null
    })[]) {
      data.messages = markAborted(data.messages as RawRecord[], data.abortedTransactions ?? [])
      data.abortedTransactions = []
    }
  }
  return answer
}

/** The same records, with those of aborted transactions marked as control records. */
export function markAborted(
  records: readonly RawRecord[],
  transactions: readonly RawTransaction[],
): RawRecord[] {
  if (transactions.length === 0) return [...records]
  const isAborted = createAbortedFilter(
    transactions.map(({ firstOffset, producerId }) => ({
      first: BigInt(firstOffset),
      producerId: BigInt(producerId),
    })),
  )
  return records.map((record) => {
    const { producerId, inTransaction } = record.batchContext ?? NO_TRANSACTION
    const wasAborted = isAborted({
      last: BigInt(record.offset),
      producerId: BigInt(producerId),
      isTransactional: inTransaction && !record.isControlRecord,
      isEnd: record.isControlRecord && isAbortMarker(record),
    })
    return wasAborted ? { ...record, isControlRecord: true } : record
  })
}

const NO_TRANSACTION = { producerId: '-1', inTransaction: false }

/** Key of a control record: int16 version, int16 type; type 0 is abort, 1 is commit. */
function isAbortMarker({ key }: RawRecord): boolean {
  return key !== null && key.length >= 4 && key.readInt16BE(2) === 0
}
