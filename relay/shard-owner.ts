/** Taking over a shard: INIT fences whoever had it, BOOT reads what they did; then transactions, until the first doubt. */
import { deadLetterTopic, ledgerTopic, type InstanceId } from '#contract'
import type { Breakers } from './breakers.ts'
import { deliver, type Batch, type DeliverDeps, type Delivered } from './deliver.ts'
import type { Reach } from './failpoints.ts'
import { Doubt, type LanePort } from './kafka/lane.ts'
import { boot, type BootBegin } from './ledger/boot.ts'
import type { Remembered } from './ledger/remembered.ts'
import { partitionPlace } from './placement.ts'

export interface ShardOwner {
  /** One transaction. @throws Doubt: the owner is of no more use then */
  deliver(batch: Batch): Promise<Delivered>
  close(): Promise<void>
}

export interface TakeOverOptions {
  /** INIT. @throws Doubt */
  openLane(): Promise<LanePort>
  instance: InstanceId
  shard: number
  /** The relays' consumer group. */
  groupId: string
  relay: string
  remembered: Remembered
  breakers: Breakers
  /** Unix ms. */
  now(): number
  reach: Reach
  onBegin(begin: BootBegin): void
  onUnchecked: DeliverDeps['onUnchecked']
}

/** @throws Doubt, LedgerMadeAnew */
export async function takeOver(options: TakeOverOptions): Promise<ShardOwner> {
  const { openLane, instance, shard, groupId, relay, remembered, breakers, now, reach } = options
  const ledger = { topic: ledgerTopic(instance), partition: shard }
  const deadLetters = { topic: deadLetterTopic(instance), partition: shard }
  const lane = await openLane()
  try {
    const { onBegin } = options
    await boot({ lane, remembered, ledger, groupId, relay, now: now(), reach, onBegin })
  } catch (error) {
    await lane.close()
    throw error
  }
  const rotation = { next: Math.floor(now() / 1000) + shard }
  const own = new Set([ledger.topic, deadLetters.topic])
  return {
    async deliver(batch) {
      try {
        const { onUnchecked } = options
        return await deliver(batch, {
          lane,
          ledger,
          deadLetters,
          rotation,
          breakers,
          now,
          reach,
          onUnchecked,
        })
      } catch (error) {
        // Data partitions that a doubt came from wait a while, so that the next batch does not end in the same doubt.
        const partitions = error instanceof Doubt ? error.partitions : []
        for (const { topic, partition } of partitions) {
          const place = partitionPlace(topic, partition)
          // A breaker that is open already knows better why.
          if (!own.has(topic) && !breakers.reasonFor(place)) breakers.fail(place, 'no_leader')
        }
        throw error
      }
    },
    close: () => lane.close(),
  }
}
