/** A shard's two queues as one place to hand leases back to: each goes to the queue that it was pulled from. */
import type { SourceName } from '../item.ts'
import type { QueueClient } from './client.ts'

export interface LeaseRef {
  leaseId: string
  source: SourceName
}

export interface ShardQueue {
  /** Acks, and gives back with a delay. @throws QueueError when one of the two did not take all of it */
  settle(
    acks: readonly LeaseRef[],
    retries: readonly { lease: LeaseRef; delaySeconds: number }[],
  ): Promise<void>
}

export function createShardQueue(
  clients: Readonly<Record<SourceName, Pick<QueueClient, 'settle'>>>,
): ShardQueue {
  return {
    async settle(acks, retries) {
      const ends = await Promise.allSettled(
        (['queue', 'dead_letter_queue'] as const).map(async (source) => {
          const ofSource = acks.filter((lease) => lease.source === source)
          const back = retries.filter(({ lease }) => lease.source === source)
          if (ofSource.length + back.length === 0) return
          await clients[source].settle(
            ofSource.map(({ leaseId }) => leaseId),
            back.map(({ lease, delaySeconds }) => ({ leaseId: lease.leaseId, delaySeconds })),
          )
        }),
      )
      for (const end of ends) if (end.status === 'rejected') throw end.reason
    },
  }
}
