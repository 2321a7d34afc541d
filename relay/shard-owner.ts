/** Taking over a shard: INIT fences whoever had it, BOOT reads what they did; then transactions, until the first doubt. */
import {
  deadLetterTopic,
  ledgerTopic,
  transactionalId,
  type EnvelopeId,
  type InstanceId,
  type Outcome,
} from '#contract'
import { deliver, type Batch, type Delivered } from './deliver.ts'
import { Lane, type LaneOptions } from './kafka/lane.ts'
import { boot } from './ledger/boot.ts'
import type { Remembered } from './ledger/remembered.ts'

export interface ShardOwner {
  /** Outcomes that the boot read in the ledger and that were not remembered before. */
  found: [EnvelopeId, Outcome][]
  /** One transaction. @throws Doubt: the owner is of no more use then */
  deliver(batch: Batch): Promise<Delivered>
  close(): Promise<void>
}

export interface TakeOverOptions extends Pick<
  LaneOptions,
  'kafka' | 'transactionTimeoutMs' | 'minInSyncReplicas' | 'maxBatchBytes' | 'onStep'
> {
  instance: InstanceId
  shard: number
  relay: string
  remembered: Remembered
  now(): number
}

/** @throws Doubt */
export async function takeOver(options: TakeOverOptions): Promise<ShardOwner> {
  const { instance, shard, relay, remembered, now, ...laneOptions } = options
  const ledger = { topic: ledgerTopic(instance), partition: shard }
  const deadLetters = { topic: deadLetterTopic(instance), partition: shard }
  const lane = await Lane.open({
    ...laneOptions,
    transactionalId: transactionalId(instance, shard),
    ledgerTopic: ledger.topic,
  })
  try {
    const found = await boot({ lane, remembered, ledger, relay, now: now() })
    const rotation = { next: Math.floor(now() / 1000) + shard }
    return {
      found,
      deliver: (batch) => deliver(batch, { lane, ledger, deadLetters, rotation, now }),
      close: () => lane.close(),
    }
  } catch (error) {
    await lane.close()
    throw error
  }
}
