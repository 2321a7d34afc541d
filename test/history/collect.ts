// Reads a history from a running stack: what is committed in its topics, what its queues were given, what its receipts say. Incrementally:
// each read begins where the one before ended. Reads only; shares no code with the relay but the contract.
import { setTimeout as pause } from 'node:timers/promises'
import type { IHeaders } from 'kafkajs'
import {
  deadLetterTopic,
  decodeEnvelope,
  decodeLedgerRecord,
  EnvelopeId,
  ID_HEADER,
  InstanceId,
  ledgerTopic,
  parseMessageId,
  type FailureReason,
  type ReportOutcome,
} from '#contract'
import type { DevJson } from '../../dev/dev-json.ts'
import { createAdmin } from '../../relay/kafka/kafkajs.ts'
import { queueSwitch, type ReceiptBody } from '../support/api.ts'
import { readTopic, type KafkaRecord } from '../support/kafka-reader.ts'
import {
  bytesText,
  contentOf,
  queueKey,
  receiptPlace,
  type History,
  type Observation,
  type QueueMessage,
} from './history.ts'

export interface CollectOptions {
  // Where reports may be. Without them: the demo topic.
  topics?: readonly string[]
  // Read the bodies of queue messages too, so that the content of what no client has a receipt for is checked as well.
  bodies?: boolean
  // How long to wait for the brokers and for open transactions.
  timeoutMs?: number
}

// The first that is not read yet: offsets by topic and partition, and the last seq of each shard's log that needs no second look.
export interface Positions {
  topics: Readonly<Record<string, Readonly<Record<number, number>>>>
  queue: readonly number[]
}

export const START: Positions = { topics: {}, queue: [] }

const LOG_PAGE = 10_000
const BODIES_PAGE = 200

// The ends of everything, for a history that begins now. Nothing should be under way: what a transaction that is open now commits later is
// half before and half behind.
export async function positionsNow(dev: DevJson, options: CollectOptions = {}): Promise<Positions> {
  const admin = createAdmin({ brokers: dev.kafka.split(','), clientId: 'history' })
  await admin.connect()
  try {
    const topics: Record<string, Record<number, number>> = {}
    for (const topic of topicsOf(dev, options)) {
      const ends = await admin.fetchTopicOffsets(topic)
      topics[topic] = Object.fromEntries(ends.map((p) => [p.partition, Number(p.high)]))
    }
    const { next } = await readQueues(dev, [], false)
    return { topics, queue: next }
  } finally {
    await admin.disconnect()
  }
}

// What there is from these positions on. The topics are read up to what was written when each was begun, after waiting for open transactions to
// be decided. The queues come first: what they say is acked is in the ledger that is read after them.
export async function collect(
  dev: DevJson,
  from: Positions = START,
  options: CollectOptions = {},
): Promise<{ part: Partial<History>; next: Positions }> {
  const { bodies = false, timeoutMs } = options
  const { queue, next } = await readQueues(dev, from.queue, bodies)
  const topics: Record<string, Record<number, number>> = {}
  const read = async (topic: string): Promise<KafkaRecord[]> => {
    const begin = from.topics[topic] ?? {}
    const records = await readTopic({
      brokers: dev.kafka.split(','),
      topic,
      from: begin,
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    })
    const end: Record<number, number> = { ...begin }
    for (const { partition, offset } of records) end[partition] = offset + 1
    topics[topic] = end
    return records
  }
  const part: Partial<History> = { records: [], ledger: [], raw: [], letters: [], queue }
  for (const topic of options.topics ?? [dev.topic]) {
    for (const record of await read(topic)) addRecord(part, topic, record)
  }
  const [ledger = '', letters = ''] = ownTopics(dev)
  for (const record of await read(ledger)) addLedger(part, record)
  for (const record of await read(letters)) addLetter(part, record)
  return { part, next: { topics, queue: next } }
}

function ownTopics({ instanceId }: DevJson): string[] {
  const instance = InstanceId.parse(instanceId)
  return [ledgerTopic(instance), deadLetterTopic(instance)]
}

const topicsOf = (dev: DevJson, { topics = [dev.topic] }: CollectOptions) => [
  ...topics,
  ...ownTopics(dev),
]

const text = (bytes: Buffer | null) => (bytes === null ? null : bytesText(bytes))
const header = (headers: IHeaders, name: string) => headers[name]?.toString()

function addRecord({ records }: Partial<History>, topic: string, of: KafkaRecord): void {
  const { partition, offset, key, value, headers } = of
  const report = header(headers, ID_HEADER)
  if (report === undefined) return
  records?.push({ topic, partition, offset, report, key: text(key), value: text(value) })
}

function addLedger({ ledger, raw }: Partial<History>, record: KafkaRecord): void {
  const { partition, offset, value } = record
  const decoded = decodeLedgerRecord(value?.toString() ?? '')
  if (!('batch' in decoded)) return
  for (const [id, outcome] of decoded.batch) ledger?.push({ partition, offset, id, outcome })
  for (const messageId of decoded.raw ?? []) raw?.push({ partition, offset, messageId })
}

function addLetter({ letters }: Partial<History>, of: KafkaRecord): void {
  const { partition, offset, key, value, headers } = of
  const report = header(headers, ID_HEADER)
  const messageId = header(headers, 'edgehub-message-id')
  letters?.push({
    partition,
    offset,
    reason: header(headers, 'edgehub-reason') ?? '',
    key: text(key),
    value: text(value),
    ...(report === undefined ? {} : { report }),
    ...(messageId === undefined ? {} : { messageId }),
  })
}

interface LogPage {
  messages: {
    seq: number
    id: string
    envelopeId: string | null
    fate: QueueMessage['fate']
    body?: string
  }[]
  next: number | null
}

async function readQueues(
  dev: DevJson,
  from: readonly number[],
  bodies: boolean,
): Promise<{ queue: Map<string, QueueMessage>; next: number[] }> {
  const queue = new Map<string, QueueMessage>()
  const next: number[] = []
  for (const shard of dev.queues.keys()) {
    let last = from[shard] ?? 0
    let firstLive = Infinity
    for (let after: number | null = last; after !== null;) {
      const query = bodies ? `limit=${BODIES_PAGE}&bodies=1` : `limit=${LOG_PAGE}`
      const page: LogPage = await queueSwitch<LogPage>(dev, shard, `log?after=${after}&${query}`)
      for (const message of page.messages) {
        const { seq, fate } = message
        last = seq
        if (fate === 'live') firstLive = Math.min(firstLive, seq)
        queue.set(queueKey({ shard, seq }), queueMessage(shard, message))
      }
      after = page.next
    }
    // A live one is looked at again, and what comes behind it with it.
    next.push(Math.min(last, firstLive - 1))
  }
  return { queue, next }
}

function queueMessage(shard: number, message: LogPage['messages'][number]): QueueMessage {
  const { seq, id: messageId, envelopeId, fate, body } = message
  const decoded = body === undefined ? undefined : decodeEnvelope(body)
  const envelope = decoded?.status === 'ok' ? decoded.envelope : undefined
  const reports =
    envelope && 'records' in envelope ? { reports: envelope.records.map(contentOf) } : {}
  return { shard, seq, messageId, id: EnvelopeId.safeParse(envelopeId).data, fate, ...reports }
}

// Nothing is left in any queue of the stack, dead-letter queues included.
export async function isDrained(dev: DevJson): Promise<boolean> {
  for (const shard of dev.queues.keys()) {
    const state = await queueSwitch<Record<'queue' | 'deadLetter', Record<string, number>>>(
      dev,
      shard,
      'state',
    )
    for (const side of [state.queue, state.deadLetter]) {
      if ((side['ready'] ?? 0) + (side['leased'] ?? 0) + (side['delayed'] ?? 0) > 0) return false
    }
  }
  return true
}

const QUERY_RECEIPTS = 100
const WAITING_AT_ONCE = 20
const WAIT_SECONDS = 25
const RETRY_MS = 200

// What the status store says of these receipts now.
export async function observe(dev: DevJson, receipts: readonly string[]): Promise<Observation[]> {
  const observations: Observation[] = []
  for (let from = 0; from < receipts.length; from += QUERY_RECEIPTS) {
    const response = await fetch(`${dev.api}/v1/receipts/query`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ receipts: receipts.slice(from, from + QUERY_RECEIPTS) }),
    })
    if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`)
    const answer = (await response.json()) as { receipts: ReceiptBody[] }
    observations.push(...answer.receipts.map(observationOf))
  }
  return observations
}

// The same once each has its outcome, or when the time is up. A worker that does not answer is asked again.
export async function observeFinal(
  dev: DevJson,
  receipts: readonly string[],
  { timeoutMs }: { timeoutMs: number },
): Promise<Observation[]> {
  const deadline = Date.now() + timeoutMs
  const wait = async (receipt: string): Promise<void> => {
    while (Date.now() < deadline) {
      const seconds = Math.min(WAIT_SECONDS, Math.ceil((deadline - Date.now()) / 1_000))
      try {
        const response = await fetch(`${dev.api}/v1/receipts/${receipt}?wait=${seconds}`)
        const body = await response.text()
        if (response.ok && (JSON.parse(body) as ReceiptBody).status !== 'queued') return
      } catch {
        // Asked again below.
      }
      await pause(RETRY_MS)
    }
  }
  const waiting = [...receipts]
  await Promise.all(
    Array.from({ length: WAITING_AT_ONCE }, async () => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await wait(next)
    }),
  )
  return observe(dev, receipts)
}

function observationOf({ receipt, status, messages }: ReceiptBody): Observation {
  const { id, index } = receiptPlace(receipt)
  const isOpen = status === 'queued' || status === 'expired'
  return { id, receipt, index, reports: isOpen ? undefined : (messages ?? []).map(outcomeOf) }
}

function outcomeOf(of: NonNullable<ReceiptBody['messages']>[number]): ReportOutcome {
  if (of.status !== 'delivered') return { status: 'failed', reason: of.reason as FailureReason }
  const named = parseMessageId(of.messageId ?? '')
  if (named?.partition !== of.partition || named?.offset !== of.offset || !named) {
    throw new Error(`a MessageId that does not fit its report: ${JSON.stringify(of)}`)
  }
  return { status: 'delivered', partition: named.partition, offset: named.offset }
}
