/**
 * The local queues: fixed names and ids, eight shards, each with its dead-letter queue. The one table that the simulator, the stack and
 * the tests read. Pure: importable from Node and from workerd.
 */

export interface QueueName {
  /** What Cloudflare's API calls queue_id: 32 hex digits. */
  id: string
  name: string
}

export interface SimulatedQueue extends QueueName {
  deadLetter: QueueName
}

/** Which of a shard's two queues. */
export type Side = 'queue' | 'deadLetter'

const LOCAL_QUEUE_COUNT = 8

export const localQueueName = (k: number): string => `edgehub-local-${k}`

/** Says nothing, but looks like an id and is the same in every process. */
const localQueueId = (k: number, side: 'a' | 'd'): string => `ed9e4b${'0'.repeat(24)}${side}${k}`

export const LOCAL_QUEUES: readonly SimulatedQueue[] = Array.from(
  { length: LOCAL_QUEUE_COUNT },
  (_, k) => ({
    id: localQueueId(k, 'a'),
    name: localQueueName(k),
    deadLetter: { id: localQueueId(k, 'd'), name: `${localQueueName(k)}-dlq` },
  }),
)

/** The account that the local API answers for. */
export const LOCAL_ACCOUNT_ID = `ed9e4b${'0'.repeat(26)}`

export interface FoundQueue extends QueueName {
  /** Index in the table: the number of the shard. */
  shard: number
  side: Side
}

/** By id or by name: the two can't be confused, because no name here is 32 hex digits. */
export function findQueue(
  queues: readonly SimulatedQueue[],
  idOrName: string,
): FoundQueue | undefined {
  for (const [shard, { id, name, deadLetter }] of queues.entries()) {
    if (id === idOrName || name === idOrName) return { id, name, shard, side: 'queue' }
    if (deadLetter.id === idOrName || deadLetter.name === idOrName) {
      return { ...deadLetter, shard, side: 'deadLetter' }
    }
  }
  return undefined
}
