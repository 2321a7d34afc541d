// A history: what clients were told, and all that Kafka, the queues and the status store hold of it, as plain values. collect.ts reads one
// from a running stack, generate.ts makes one up, check.ts says what is wrong with it. No I/O.
import { envelopeIdOf, type EnvelopeId, type Outcome, type ReportOutcome } from '#contract'

// Key and value of a report as bytes, one character a byte ('latin1'), so that any content can be compared; null: none.
export interface Content {
  key: string | null
  value: string | null
}

// One POST that was answered with a receipt. Two with one id had one idempotency key.
export interface Accepted {
  id: EnvelopeId
  topic: string
  reports: readonly Content[]
}

// `report`: what the header edgehub-id says, `<envelope id>.<index>`. Records without one are not ours, and not in a history.
export interface DataRecord extends Content {
  topic: string
  partition: number
  offset: number
  report: string
}

// One envelope of a `batch`; offset and partition are those of the ledger record that it is in.
export interface LedgerEntry {
  partition: number
  offset: number
  id: EnvelopeId
  outcome: Outcome
}

// A message that was no envelope, by the queue's id of it.
export interface RawEntry {
  partition: number
  offset: number
  messageId: string
}

export interface DeadLetter extends Content {
  partition: number
  offset: number
  reason: string
  // One of the two: of a report, or of a message that was no envelope.
  report?: string
  messageId?: string
}

// What a queue was given, and what became of it. `acked`: whoever held its lease has given it up for good.
export interface QueueMessage {
  shard: number
  seq: number
  messageId: string
  // What its body says; undefined when it is no envelope.
  id: EnvelopeId | undefined
  fate: 'live' | 'acked' | 'dropped'
  // Of its body, when bodies were read and the records are in them.
  reports?: readonly Content[]
}

// What the status store said at some time, in the order of asking. `receipt` may be of a part of the reports, from `index` on.
export interface Observation {
  id: EnvelopeId
  receipt: string
  index: number
  // Undefined: no outcome. `idempotency_conflict` for all of them: the outcome is that of another body.
  reports: readonly ReportOutcome[] | undefined
}

export interface History {
  accepted: Accepted[]
  records: DataRecord[]
  ledger: LedgerEntry[]
  raw: RawEntry[]
  letters: DeadLetter[]
  // By shard and seq, so that what is read again replaces what was read before. Undefined: the queues were not looked at.
  queue: Map<string, QueueMessage> | undefined
  observations: Observation[]
}

export const emptyHistory = (): History => ({
  accepted: [],
  records: [],
  ledger: [],
  raw: [],
  letters: [],
  queue: undefined,
  observations: [],
})

export const queueKey = ({ shard, seq }: Pick<QueueMessage, 'shard' | 'seq'>): string =>
  `${shard}/${seq}`

// Puts what was read later behind what was read before.
export function append(history: History, part: Partial<History>): void {
  // Not by spreading: a stack of arguments has an end.
  for (const each of part.accepted ?? []) history.accepted.push(each)
  for (const each of part.records ?? []) history.records.push(each)
  for (const each of part.ledger ?? []) history.ledger.push(each)
  for (const each of part.raw ?? []) history.raw.push(each)
  for (const each of part.letters ?? []) history.letters.push(each)
  for (const each of part.observations ?? []) history.observations.push(each)
  if (part.queue) history.queue = new Map([...(history.queue ?? []), ...part.queue])
}

// What a client posts of a report, as far as it can be found in Kafka again.
export interface Posted {
  key?: string | undefined
  value?: string | undefined
  json?: unknown
  base64?: string | undefined
}

export function contentOf({ key, value, json, base64 }: Posted): Content {
  const text = json === undefined ? value : JSON.stringify(json)
  const bytes = base64 === undefined ? text && Buffer.from(text) : Buffer.from(base64, 'base64')
  return {
    key: key === undefined ? null : bytesText(Buffer.from(key)),
    value: bytes === undefined ? null : bytesText(Buffer.from(bytes)),
  }
}

export const bytesText = (bytes: Buffer): string => bytes.toString('latin1')

// Unverified: a test knows where it has its receipts from.
export function receiptPlace(receipt: string): { id: EnvelopeId; index: number; count: number } {
  const bytes = Buffer.from(receipt, 'base64url')
  return {
    id: envelopeIdOf(bytes.subarray(6, 18)),
    index: bytes.readUInt16BE(18),
    count: bytes.readUInt16BE(20),
  }
}

// `receipt`: of the whole POST, as a 202 or 200 gives it.
export function acceptedOf(receipt: string, topic: string, reports: readonly Posted[]): Accepted {
  return { id: receiptPlace(receipt).id, topic, reports: reports.map(contentOf) }
}
