/**
 * The parameters of SendMessage → a datahub and its records, or the first thing that is wrong,
 * with its place. Pure. Checked by hand, not by a schema: each call carries up to 500 messages, and each refusal has its own path and
 * hint. It visits two fixed levels and never recurses, so no nesting of the JSON can exhaust the stack.
 * All of its parameters are texts: it makes no difference whether they came as JSON or in a query or form.
 */
import {
  MAX_POST_BYTES,
  MAX_REPORT_BYTES,
  MAX_REPORTS,
  type EnvelopeRecord,
  type EnvelopeRecords,
} from '#contract'
import type { Parsed } from '../../parse.ts'
import type { Rejection } from '../../rejection.ts'
import { isObject, type JsonObject } from '../json-object.ts'
import type { CallParameters } from '../parameters.ts'

export interface SendMessage {
  /** As the client wrote it; whether it has the form of an id is the look-up's business. */
  datahub: string
  records: EnvelopeRecords
}

export type ParsedSendMessage =
  | { status: 'parsed'; message: SendMessage }
  | { status: 'rejected'; rejection: Rejection }

/** Total: never throws. */
export function parseSendMessage(parameters: Parsed<CallParameters>): ParsedSendMessage {
  if (parameters.status === 'rejected') return parameters
  const checked = checkFields(parameters.value.fields)
  return 'reason' in checked
    ? { status: 'rejected', rejection: checked }
    : { status: 'parsed', message: checked }
}

function checkFields(fields: JsonObject): SendMessage | Rejection {
  const unknown = unknownField(fields, 'DataHubId', 'Message')
  if (unknown !== undefined) return { reason: 'unknown_field', path: unknown }

  const datahub = fields['DataHubId'] ?? undefined
  if (datahub === undefined) return { reason: 'missing', path: 'DataHubId' }
  if (typeof datahub !== 'string') {
    return { reason: 'invalid_type', path: 'DataHubId', expected: 'a string' }
  }
  if (!datahub.isWellFormed()) return notWellFormed('DataHubId')

  const messages = fields['Message'] ?? undefined
  if (messages === undefined) return { reason: 'missing', path: 'Message' }
  if (!Array.isArray(messages)) {
    return { reason: 'invalid_type', path: 'Message', expected: 'an array' }
  }
  if (messages.length === 0 || messages.length > MAX_REPORTS) {
    const problem = `It must hold 1 to ${MAX_REPORTS} messages, not ${messages.length}.`
    return { reason: 'invalid_value', path: 'Message', problem }
  }

  const records: EnvelopeRecords = []
  for (const [i, message] of messages.entries()) {
    const record = checkMessage(message, `Message.${i}`)
    if ('reason' in record) return record
    records.push(record)
  }

  // A UTF-16 unit is at most 3 bytes of UTF-8: most calls need no count.
  const units = records.reduce((sum, record) => sum + recordUnits(record), 0)
  if (units * 3 > MAX_POST_BYTES) {
    const total = records.reduce((sum, record) => sum + recordBytes(record), 0)
    if (total > MAX_POST_BYTES) {
      return { reason: 'body_too_large', limit: MAX_POST_BYTES, path: 'Message' }
    }
  }
  return { datahub, records }
}

function checkMessage(message: unknown, path: string): EnvelopeRecord | Rejection {
  if (!isObject(message)) return { reason: 'invalid_type', path, expected: 'an object' }
  const unknown = unknownField(message, 'Key', 'Body')
  if (unknown !== undefined) return { reason: 'unknown_field', path: `${path}.${unknown}` }

  const body = message['Body'] ?? undefined
  if (body === undefined) return { reason: 'missing', path: `${path}.Body` }
  if (typeof body !== 'string') {
    // The frequent mistake.
    const hint = 'Body must be a string; JSON.stringify it.'
    return { reason: 'invalid_type', path: `${path}.Body`, expected: 'a string', hint }
  }
  // An empty key is no key.
  const key = message['Key'] ?? ''
  if (typeof key !== 'string') {
    return { reason: 'invalid_type', path: `${path}.Key`, expected: 'a string' }
  }
  if (!body.isWellFormed()) return notWellFormed(`${path}.Body`)
  if (!key.isWellFormed()) return notWellFormed(`${path}.Key`)

  const record: EnvelopeRecord = key === '' ? { value: body } : { key, value: body }
  const mayBeTooLarge = recordUnits(record) * 3 > MAX_REPORT_BYTES
  if (mayBeTooLarge && recordBytes(record) > MAX_REPORT_BYTES) {
    return { reason: 'body_too_large', limit: MAX_REPORT_BYTES, path }
  }
  return record
}

/** A null field is an absent one, an unknown one too. */
function unknownField(fields: JsonObject, ...known: string[]): string | undefined {
  for (const name of Object.keys(fields)) {
    if (!known.includes(name) && fields[name] !== null) return name
  }
  return undefined
}

/** JSON can escape half a surrogate pair; no UTF-8, and so no Kafka record, can hold it. */
function notWellFormed(path: string): Rejection {
  const problem = 'It holds half a surrogate pair, which cannot be written as UTF-8.'
  return { reason: 'invalid_value', path, problem }
}

function recordUnits({ key = '', value = '' }: EnvelopeRecord): number {
  return key.length + value.length
}

const encoder = new TextEncoder()

function recordBytes({ key = '', value = '' }: EnvelopeRecord): number {
  return encoder.encode(key).length + encoder.encode(value).length
}
