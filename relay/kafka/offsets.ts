/** ListOffsets for many partitions of one topic, each with its own answer. */
import { raw, type Broker } from './kafkajs.ts'

/** Which offset: the first one of the log, the first not decided, the first not on all in-sync replicas, or the first of a time. */
export type OffsetOf = 'start' | 'decided' | 'written' | { timestamp: number }

export interface PartitionOffsetAnswer {
  partition: number
  code: number
  /** -1 when there is none, or for an error. */
  offset: bigint
}

const CONSUMER = -1
const READ_UNCOMMITTED = 0
const READ_COMMITTED = 1
const LATEST = -1
const EARLIEST = -2

/** @throws when the broker can't be asked */
export async function listOffsets(
  broker: Broker,
  topic: string,
  partitions: readonly number[],
  of: OffsetOf,
): Promise<PartitionOffsetAnswer[]> {
  const timestamp = timestampOf(of)
  const answer = await raw<{
    responses: { partitions: { partition: number; errorCode: number; offset: string }[] }[]
  }>(broker, 'ListOffsets', {
    replicaId: CONSUMER,
    isolationLevel: of === 'written' ? READ_UNCOMMITTED : READ_COMMITTED,
    topics: [{ topic, partitions: partitions.map((partition) => ({ partition, timestamp })) }],
  })
  return answer.responses.flatMap((response) =>
    response.partitions.map(({ partition, errorCode, offset }) => ({
      partition,
      code: errorCode,
      offset: BigInt(offset),
    })),
  )
}

function timestampOf(of: OffsetOf): number {
  if (of === 'start') return EARLIEST
  return typeof of === 'string' ? LATEST : of.timestamp
}
