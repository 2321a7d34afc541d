/** The boot of a shard whose ledger is full of outcomes that the status store never took: how long from its claim until it is served. */
import { randomBytes } from 'node:crypto'
import process from 'node:process'
import {
  encodeLedgerRecord,
  InstanceId,
  ledgerTopic,
  transactionalId,
  type EnvelopeId,
  type Outcome,
} from '#contract'
import { findFreePorts } from '../../dev/kafka/ports.ts'
import { createQueuePullServer } from '../../dev/queue-pull/node/memory-server.ts'
import { Lane } from '../../relay/kafka/lane.ts'
import { ensureOwnTopics } from '../../relay/kafka/topics.ts'
import { isTakenOver, type LogLine } from '../support/relay-log.ts'
import { readMetrics } from './figures.ts'
import type { BenchKafka } from './kafka.ts'
import { idOf } from './load.ts'
import { startTalkingRelay, TOKEN } from './relays.ts'

/** Envelopes in one ledger record. */
export const BATCH_IDS = 50
const RECORDS_A_TRANSACTION = 100
const TRANSACTION_TIMEOUT_MS = 15_000
const STOP_GRACE_MS = 12_000

export interface UnsettledOptions {
  kafka: BenchKafka
  runs: number
  envelopes: number
  signal: AbortSignal
}

export async function bootUnsettled({ kafka, runs, envelopes, signal }: UnsettledOptions) {
  const instance = InstanceId.parse(`ckafka-${randomBytes(4).toString('hex')}`)
  const queue = await createQueuePullServer({ token: TOKEN, keepLog: false })
  // Nobody listens there: the worker is away.
  const [away = 0] = await findFreePorts(1)
  const boots: { seconds: number; rssBytes: number }[] = []
  try {
    await fillLedger(kafka, instance, envelopes)
    for (let run = 0; run < runs; run++) {
      const relay = startTalkingRelay({
        kafka,
        instance,
        shards: 1,
        queueUrl: queue.url,
        workerUrl: `http://127.0.0.1:${away}`,
        name: 'relay',
        logLevel: 'debug',
        signal,
      })
      try {
        const claimed = await relay.until((lines) => lines.find(({ point }) => point === 'claimed'))
        const booted = await relay.until((lines) => lines.find(isTakenOver))
        const ops = await relay.until((lines) => lines.find(isOps))
        const metrics = readMetrics(await (await fetch(`${ops.url}/metrics`)).text())
        const known = metrics.get('edgehub_relay_unsettled_envelopes')
        if (known !== envelopes) throw new Error(`${known} envelopes are known, not ${envelopes}`)
        const seconds = (Date.parse(booted.time) - Date.parse(claimed.time)) / 1000
        const rssBytes = metrics.get('process_resident_memory_bytes') ?? Number.NaN
        boots.push({ seconds, rssBytes })
        process.stderr.write(`boot with ${envelopes} envelopes: ${seconds.toFixed(2)} s\n`)
      } finally {
        await relay.end(STOP_GRACE_MS)
      }
    }
  } finally {
    await queue.close()
    await kafka.deleteTopics(instance)
  }
  return boots
}

const isOps = (line: LogLine): line is LogLine & { url: string } => 'url' in line

/** As a relay would have written it: transactions of ledger records, through its lane. */
async function fillLedger(
  { brokers, minInSyncReplicas }: BenchKafka,
  instance: InstanceId,
  envelopes: number,
): Promise<void> {
  const kafka = { brokers, clientId: 'edgehub-bench' }
  await ensureOwnTopics(kafka, instance, 1)
  const ledger = { topic: ledgerTopic(instance), partition: 0 }
  const lane = await Lane.open({
    kafka,
    transactionalId: transactionalId(instance, 0),
    ledgerTopic: ledger.topic,
    transactionTimeoutMs: TRANSACTION_TIMEOUT_MS,
    minInSyncReplicas,
  })
  try {
    const timestamp = Date.now()
    for (let n = 0; n < envelopes;) {
      const messages = []
      while (messages.length < RECORDS_A_TRANSACTION && n < envelopes) {
        const count = Math.min(BATCH_IDS, envelopes - n)
        const batch = Array.from({ length: count }, (_, i) => settled(n + i, timestamp))
        const value = Buffer.from(encodeLedgerRecord({ v: 1, batch }))
        messages.push({ key: null, value, timestamp })
        n += count
      }
      await lane.topology([])
      await lane.add([ledger])
      await lane.append([{ ...ledger, messages }])
      await lane.commit()
    }
  } finally {
    await lane.close()
  }
}

function settled(n: number, at: number): [EnvelopeId, Outcome] {
  const outcome: Outcome = {
    datahub: 'datahub-benchben',
    topic: 'bench',
    received: at,
    sent: at,
    runs: [[10, n % 3, String(n * 10)]],
  }
  return [idOf(n, 0), outcome]
}
