/** A fresh process that sends all reports with a stock kafkajs producer: no idempotence, no transaction, several calls in flight. */
import process from 'node:process'
import { Kafka, logLevel, Partitioners, type Message } from 'kafkajs'
import { ID_HEADER, reportId } from '#contract'
import { busyCores, machineLoad, quantile, type Figures } from './figures.ts'
import { ACKS, idOf, VALUE, warmUpOf } from './load.ts'

export interface PlainOptions {
  brokers: string[]
  topic: string
  reports: number
  batch: number
  inFlight: number
}

// Nobody waits for this process any more.
process.once('disconnect', () => process.exit(1))

const { brokers, topic, reports, batch, inFlight } = JSON.parse(
  process.argv[2] ?? '{}',
) as PlainOptions
const kafka = new Kafka({ brokers, clientId: 'edgehub-bench-plain', logLevel: logLevel.NOTHING })
const producer = kafka.producer({
  createPartitioner: Partitioners.DefaultPartitioner,
  allowAutoTopicCreation: false,
})
await producer.connect()

const warmUp = warmUpOf(reports)
let given = 0
let done = 0
let calls: number[] = []
let start = sample()
await Promise.all(Array.from({ length: inFlight }, sendAll))
const end = sample()

const figures: Figures = {
  reports: end.done - start.done,
  seconds: (end.at - start.at) / 1000,
  cpuSeconds: (end.cpu - start.cpu) / 1e6,
  reached: (end.done - start.done) / calls.length,
  p50Ms: quantile(calls, 0.5),
  p99Ms: quantile(calls, 0.99),
  rssBytes: process.memoryUsage.rss(),
  busyCores: busyCores(start.load, end.load),
}
process.send?.(figures)
await producer.disconnect()
process.disconnect()

async function sendAll(): Promise<void> {
  while (given < reports) {
    const messages = nextBatch()
    const began = performance.now()
    await producer.sendBatch({ acks: ACKS, topicMessages: [{ topic, messages }] })
    const wasWarm = done >= warmUp
    done += messages.length
    calls.push(performance.now() - began)
    if (wasWarm || done < warmUp) continue
    start = sample()
    calls = []
  }
}

function nextBatch(): Message[] {
  const length = Math.min(batch, reports - given)
  const id = idOf(given, 0)
  given += length
  return Array.from({ length }, (_, i) => ({
    key: null,
    value: VALUE,
    headers: { [ID_HEADER]: reportId(id, i) },
  }))
}

function sample() {
  const { user, system } = process.cpuUsage()
  return { at: performance.now(), done, cpu: user + system, load: machineLoad() }
}
