/**
 * INIT: the transactional id gets a new epoch, which ends what a predecessor has open and fences it. Repeated only on answers that say that
 * nothing was executed: the transaction before is still being ended, or the coordinator is not ready or elsewhere.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Code } from './codes.ts'
import { AnswerError } from './doubt.ts'
import { raw, type Broker, type Cluster } from './kafkajs.ts'

export interface ProducerIdentity {
  transactionalId: string
  producerId: string
  producerEpoch: number
}

const COORDINATOR_TYPE_TRANSACTION = 1
const INIT_RETRY_MS = 10
const INIT_DEADLINE_MS = 30_000
/** Nothing was executed: the transaction before is still being ended, or the coordinator is not ready or elsewhere. */
const INIT_AGAIN = new Set<number>([
  Code.CONCURRENT_TRANSACTIONS,
  Code.COORDINATOR_LOAD_IN_PROGRESS,
  Code.COORDINATOR_NOT_AVAILABLE,
  Code.NOT_COORDINATOR,
])

/** @throws when it does not come about within half a minute */
export async function initialise(
  cluster: Cluster,
  options: { transactionalId: string; transactionTimeoutMs: number },
): Promise<{ coordinator: Broker; identity: ProducerIdentity }> {
  const { transactionalId, transactionTimeoutMs } = options
  const deadline = performance.now() + INIT_DEADLINE_MS
  for (;;) {
    const coordinator = await cluster.findGroupCoordinator({
      groupId: transactionalId,
      coordinatorType: COORDINATOR_TYPE_TRANSACTION,
    })
    for (;;) {
      const answer = await raw<{ errorCode: number; producerId: string; producerEpoch: number }>(
        coordinator,
        'InitProducerId',
        {
          transactionalId,
          transactionTimeout: transactionTimeoutMs,
        },
      )
      const { errorCode: code, producerId, producerEpoch } = answer
      if (code === Code.NONE) {
        return { coordinator, identity: { transactionalId, producerId, producerEpoch } }
      }
      if (!INIT_AGAIN.has(code) || performance.now() > deadline) {
        throw new AnswerError(code, 'from InitProducerId')
      }
      await sleep(INIT_RETRY_MS)
      if (code === Code.NOT_COORDINATOR || code === Code.COORDINATOR_NOT_AVAILABLE) break
    }
  }
}
