// What the audit reads, made of a history of plain values: topics, the log of the queues, the status store.
import { encodeEnvelope, encodeLedgerRecord, type Envelope, type EnvelopeId } from '#contract'
import type { Ports } from '../../../relay/audit/audit.ts'
import type { FetchedRecord, Topic } from '../../../relay/operator/topic.ts'
import type { History } from '../../history/history.ts'

// When everything in such a history was accepted.
const RECEIVED = 1
export const DATAHUB = 'datahub-abcdefgh'

interface Placed {
  partition: number
  offset: number
  record: Partial<FetchedRecord>
}

export interface TopicOptions {
  // Where the log of each partition begins.
  start?: number
}

export function topicOf(
  name: string,
  of: readonly Placed[],
  { start = 0 }: TopicOptions = {},
): Topic {
  const ends = new Map<number, bigint>([0, 1, 2].map((partition) => [partition, BigInt(start)]))
  for (const { partition, offset } of of) {
    const end = BigInt(offset) + 1n
    if (end > (ends.get(partition) ?? 0n)) ends.set(partition, end)
  }
  return {
    name,
    leaders: new Map([...ends.keys()].map((partition) => [partition, 0])),
    start: async () => BigInt(start),
    end: async (partition) => ends.get(partition) ?? 0n,
    offsetAt: async () => BigInt(start),
    async read({ partition, from, through }, visit) {
      if (from < BigInt(start)) throw new Error(`read before the log's start: ${from}`)
      const here = of.filter(
        (each) => each.partition === partition && each.offset >= from && each.offset <= through,
      )
      for (const { offset, record } of here.toSorted((a, b) => a.offset - b.offset)) {
        visit({
          key: null,
          value: null,
          timestamp: String(RECEIVED),
          ...record,
          offset: `${offset}`,
        })
      }
    },
  }
}

const headers = (of: Record<string, string>) =>
  Object.fromEntries(Object.entries(of).map(([name, text]) => [name, Buffer.from(text)]))

const ledgerRecords = ({ ledger, raw }: History): Placed[] => [
  ...ledger.map(({ partition, offset, id, outcome }) => ({
    partition,
    offset,
    record: { value: Buffer.from(encodeLedgerRecord({ v: 1, batch: [[id, outcome]] })) },
  })),
  ...raw.map(({ partition, offset, messageId }) => ({
    partition,
    offset,
    record: { value: Buffer.from(encodeLedgerRecord({ v: 1, batch: [], raw: [messageId] })) },
  })),
]

const letterRecords = ({ letters }: History): Placed[] =>
  letters.map(({ partition, offset, reason, report, messageId }) => ({
    partition,
    offset,
    record: {
      headers: headers({
        'edgehub-reason': reason,
        ...(report === undefined
          ? { 'edgehub-message-id': messageId ?? '' }
          : {
              'edgehub-id': report,
              'edgehub-datahub': DATAHUB,
              'edgehub-received': String(RECEIVED),
            }),
      }),
    },
  }))

export interface PortOptions {
  data?: TopicOptions
  isCompacted?: boolean
  // Names that are no topics any more.
  gone?: readonly string[]
}

export function portsOf(
  history: History,
  { data, isCompacted = false, gone = [] }: PortOptions = {},
): Ports {
  const records = history.records.map(({ partition, offset, report }) => ({
    partition,
    offset,
    record: { headers: headers({ 'edgehub-id': report }) },
  }))
  const outcomes = new Map<string, History['observations'][number]['reports']>()
  for (const { id, index, receipt, reports } of history.observations) {
    if (index === 0 && receipt === receiptOf(id)) outcomes.set(id, reports)
  }
  let isRead = false
  return {
    ledger: topicOf('ledger', ledgerRecords(history)),
    letters: topicOf('letters', letterRecords(history)),
    topic: async (name) =>
      gone.includes(name) ? undefined : topicOf(name, name === 'topic' ? records : [], data),
    isCompacted: async () => isCompacted,
    log: {
      async read(visit) {
        if (isRead) return
        isRead = true
        for (const { id, fate } of history.queue?.values() ?? []) {
          if (id === undefined) continue
          const envelope = envelopeOf(history, id)
          visit({ envelope, reports: reportsOf(history, id), fate })
        }
      },
    },
    store: {
      lookUp: async (ids) => ({
        found: new Set(ids.filter((id) => isTold(history, outcomes, id))),
        absent: new Set(ids.filter((id) => !isTold(history, outcomes, id))),
      }),
      receipts: async (receipts) =>
        receipts.map((receipt) => outcomes.get(receipt.slice('receipt of '.length))),
    },
    now: () => 1_000,
    sleep: async () => {},
  }
}

const receiptOf = (id: string): string => `receipt of ${id}`

// Whoever got no receipt did not ask; the store has its outcome all the same.
function isTold(
  { ledger, observations }: History,
  outcomes: ReadonlyMap<string, unknown>,
  id: EnvelopeId,
): boolean {
  if (outcomes.get(id) !== undefined) return true
  return !observations.some((o) => o.id === id) && ledger.some((entry) => entry.id === id)
}

function reportsOf({ accepted, ledger }: History, id: EnvelopeId): number {
  const posted = accepted.find((each) => each.id === id)?.reports.length
  const entry = ledger.find((each) => each.id === id)
  return posted ?? entry?.outcome.runs.reduce((sum, [length]) => sum + length, 0) ?? 1
}

function envelopeOf(history: History, id: EnvelopeId): Envelope {
  const envelope: Envelope = {
    v: 1,
    id,
    datahub: DATAHUB,
    topic: 'topic',
    received: RECEIVED,
    receipt: receiptOf(id),
    records: Array.from({ length: reportsOf(history, id) }, () => ({})),
  }
  // It must be one.
  encodeEnvelope(envelope)
  return envelope
}
