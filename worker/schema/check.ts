/**
 * Whether a report fits its datahub's schema, and what is written where a field is missing. Pure. Only the fields that the schema names are
 * looked at, at the top level of the value; nothing is converted, dropped or put in another order: without a default to write, the value
 * stays byte for byte as it was sent, and with one only that is added.
 */
import {
  MAX_POST_BYTES,
  MAX_REPORT_BYTES,
  type EnvelopeRecord,
  type EnvelopeRecords,
} from '#contract'
import { decodeUtf8 } from '../body.ts'
import type { Rejection } from '../rejection.ts'
import type { Schema, SchemaField } from './form.ts'
import { defaultLiteral, literalProblem } from './literal.ts'
import { memberSources } from './members.ts'

export type SchemaCheck<T> =
  | ({ status: 'fits' } & T)
  | { status: 'rejected'; rejection: Rejection & { reason: 'schema_mismatch' } }

/** How the client calls what is refused. */
export interface ReportNames {
  /** All of them: `reports`, `Message`. */
  reports: string
  /** A report's value, where it has one name: `Body`. */
  value?: string | undefined
}

/** All of them, with their defaults, or why the first that does not fit does not. */
export function checkRecords(
  schema: Schema,
  records: EnvelopeRecords,
  names: ReportNames,
): SchemaCheck<{ records: EnvelopeRecords }> {
  const checked: EnvelopeRecord[] = []
  let total = 0
  for (const [index, record] of records.entries()) {
    const report = `${names.reports}.${index}`
    const path = names.value === undefined ? report : `${report}.${names.value}`
    const check = checkRecord(schema, record, path)
    if (check.status === 'rejected') return check
    const bytes = recordBytes(check.record)
    if (bytes > MAX_REPORT_BYTES) return tooLarge(report, MAX_REPORT_BYTES)
    // Counted on the way: defaults may be many times what was sent.
    total += bytes
    if (total > MAX_POST_BYTES) return tooLarge(names.reports, MAX_POST_BYTES)
    checked.push(check.record)
  }
  return { status: 'fits', records: checked }
}

/** `path` is what the client calls the report's value, for a refusal. */
export function checkRecord(
  { fields }: Schema,
  record: EnvelopeRecord,
  path: string,
): SchemaCheck<{ record: EnvelopeRecord }> {
  const text = textOf(record)
  if (text === undefined || !isJsonObject(text)) return mismatch(path, 'must be a JSON object')
  const sources = memberSources(text, new Set(fields.map(({ name }) => name)))
  const added: string[] = []
  for (const field of fields) {
    const found = sources.get(field.name) ?? []
    const problem = fieldProblem(field, found)
    if (problem !== undefined) return mismatch(path, problem, field.name)
    if (found.length === 0 && field.default !== undefined) {
      added.push(`"${field.name}":${defaultLiteral(field.type, field.default)}`)
    }
  }
  if (added.length === 0) return { status: 'fits', record }
  return { status: 'fits', record: withText(record, withMembers(text, added)) }
}

function fieldProblem(
  { type, allowNull }: SchemaField,
  [source, second]: readonly string[],
): string | undefined {
  // Which of them counts is left to each reader (RFC 8259 section 4), so one may see what was not checked.
  if (second !== undefined) return 'is there more than once'
  if (source === undefined) return allowNull ? undefined : 'is missing'
  if (source === 'null') return allowNull ? undefined : 'must not be null'
  return literalProblem(type, source)
}

/** undefined: there is no value, or its bytes are not UTF-8. */
function textOf({ value, base64 }: EnvelopeRecord): string | undefined {
  return base64 === undefined ? value : decodeUtf8(Uint8Array.fromBase64(base64))
}

function isJsonObject(text: string): boolean {
  // Before the parser: no array, however large, is parsed for nothing.
  if (!/^[\t\n\r ]*\{/.test(text)) return false
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

function withMembers(object: string, members: readonly string[]): string {
  const end = object.lastIndexOf('}')
  const isEmpty = object.slice(0, end).trimEnd().endsWith('{')
  return `${object.slice(0, end)}${isEmpty ? '' : ','}${members.join(',')}${object.slice(end)}`
}

/** In the form that it was sent in. */
function withText(record: EnvelopeRecord, text: string): EnvelopeRecord {
  if (record.base64 === undefined) return { ...record, value: text }
  return { ...record, base64: new TextEncoder().encode(text).toBase64() }
}

/** Key, value and headers, decoded: what the limits of a POST count. */
function recordBytes({ key, value, base64, headers }: EnvelopeRecord): number {
  let bytes =
    utf8Length(key ?? '') + (base64 === undefined ? utf8Length(value ?? '') : bytesIn(base64))
  for (const [name, text] of Object.entries(headers ?? {})) {
    bytes += utf8Length(name) + utf8Length(text)
  }
  return bytes
}

function bytesIn(base64: string): number {
  return (base64.length / 4) * 3 - (/=*$/.exec(base64)?.[0].length ?? 0)
}

function utf8Length(text: string): number {
  return new TextEncoder().encode(text).length
}

function tooLarge(path: string, limit: number): SchemaCheck<never> {
  return mismatch(path, `has more than ${limit} bytes with the defaults of the schema`)
}

function mismatch(path: string, problem: string, field?: string): SchemaCheck<never> {
  const rejection = {
    reason: 'schema_mismatch',
    path,
    problem,
    ...(field !== undefined && { field }),
  } as const
  return { status: 'rejected', rejection }
}
