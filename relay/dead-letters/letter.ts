/**
 * A record of the dead-letter topic → a letter: what the report was, where it was going, and why it did not get there. Pure and total:
 * whatever stands in the topic becomes a letter, with what is unknown left out. What a letter can't say is not guessed.
 */
import { ID_HEADER } from '#contract'
import { LETTER_HEADERS } from '../dead-letter.ts'
import { headerText } from '../operator/headers.ts'
import { isoTime } from '../operator/text.ts'
import type { FetchedRecord } from '../operator/topic.ts'

export type FetchedLetter = FetchedRecord

/** Where a letter is in the dead-letter topic; written `<partition>:<offset>`. */
export interface Position {
  partition: number
  offset: bigint
}

export interface Letter {
  position: Position
  /** Unix ms. */
  failed: number
  received?: number
  /** Text and not FailureReason: a newer relay may know more reasons. */
  reason?: string
  datahub?: string
  topic?: string
  /** The base receipt of its POST. */
  receipt?: string
  /** Envelope id, a dot, index of the report in its POST. */
  id?: string
  /** The queue's id of a message that was no envelope, and what was wrong with it. */
  messageId?: string
  problem?: string
  key: Buffer | null
  value: Buffer | null
  /** The report's own, and `traceparent`. */
  headers: [name: string, value: string][]
}

export interface Filters {
  reason?: string
  datahub?: string
  topic?: string
  /** Unix ms, both inclusive; compared with when the letter failed. */
  since?: number
  until?: number
}

const EDGEHUB_PREFIX = 'edgehub-'

/** Total: a record that no relay wrote lacks what it does not say. */
export function parseLetter(partition: number, record: FetchedLetter): Letter {
  const headers = Object.entries(record.headers ?? {}).map(([name, value]): [string, string] => [
    name,
    headerText(value),
  ])
  const all = new Map(headers)
  const text = (name: string) => all.get(name)
  const time = (name: string) => {
    const digits = all.get(name)
    return digits !== undefined && /^\d{1,15}$/.test(digits) ? Number(digits) : undefined
  }
  const known = {
    received: time(LETTER_HEADERS.received),
    reason: text(LETTER_HEADERS.reason),
    datahub: text(LETTER_HEADERS.datahub),
    topic: text(LETTER_HEADERS.topic),
    receipt: text(LETTER_HEADERS.receipt),
    id: text(ID_HEADER),
    messageId: text(LETTER_HEADERS.messageId),
    problem: text(LETTER_HEADERS.problem),
  }
  return {
    position: { partition, offset: BigInt(record.offset) },
    failed: time(LETTER_HEADERS.failed) ?? Number(record.timestamp),
    ...(withoutUndefined(known) as Partial<Letter>),
    key: record.key,
    value: record.value,
    headers: headers.filter(([name]) => !name.startsWith(EDGEHUB_PREFIX)),
  }
}

function withoutUndefined(object: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined))
}

export function matches(letter: Letter, filters: Filters): boolean {
  const { reason, datahub, topic, since, until } = filters
  return (
    (reason === undefined || letter.reason === reason) &&
    (datahub === undefined || letter.datahub === datahub) &&
    (topic === undefined || letter.topic === topic) &&
    (since === undefined || letter.failed >= since) &&
    (until === undefined || letter.failed <= until)
  )
}

export function formatPosition({ partition, offset }: Position): string {
  return `${partition}:${offset}`
}

export function comparePositions(a: Position, b: Position): number {
  return a.partition - b.partition || (a.offset < b.offset ? -1 : Number(a.offset > b.offset))
}

/** Bytes of key, value and own headers. */
export function sizeOf({ key, value, headers }: Letter): number {
  const ofHeaders = headers.reduce(
    (sum, [name, text]) => sum + Buffer.byteLength(name) + Buffer.byteLength(text),
    0,
  )
  return (key?.length ?? 0) + (value?.length ?? 0) + ofHeaders
}

/** The text, or undefined when the bytes are not UTF-8. A byte order mark stays in it, so that the text is the same bytes again. */
export function textOf(bytes: Buffer): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return undefined
  }
}

/** Everything in the letter, for programs. Bytes are text under `key` and `value`, or base64 under `keyBase64` and `base64`. */
export function toJson(letter: Letter): Record<string, unknown> {
  const { position, failed, received, key, value, headers, ...rest } = letter
  return {
    position: formatPosition(position),
    failed: isoTime(failed),
    ...(received === undefined ? {} : { received: isoTime(received) }),
    ...rest,
    ...bytesAs(key, 'key', 'keyBase64'),
    ...bytesAs(value, 'value', 'base64'),
    headers: Object.fromEntries(headers),
  }
}

function bytesAs(bytes: Buffer | null, text: string, base64: string): Record<string, unknown> {
  if (bytes === null) return { [text]: null }
  const decoded = textOf(bytes)
  return decoded === undefined ? { [base64]: bytes.toString('base64') } : { [text]: decoded }
}
