/**
 * The body of `POST /v1/datahubs/{id}/reports` → records of an envelope, or the first thing wrong with it, by path. Pure. Accepts whole or
 * not at all: one bad report refuses the POST. Written out instead of a schema, because it names every place and counts bytes on the
 * way.
 */
import {
  MAX_POST_BYTES,
  MAX_REPORT_BYTES,
  MAX_REPORT_HEADERS,
  MAX_REPORTS,
  type EnvelopeRecord,
  type EnvelopeRecords,
} from '#contract'
import { rejected, type Rejected, type Rejection } from './rejection.ts'

export type ParsedReports = { status: 'ok'; records: EnvelopeRecords } | Rejected

/** Levels of one `json` value. JSON.stringify recurses; this is far below where it would run out of stack. */
const MAX_JSON_DEPTH = 1_000

/** Carried inside, turned into a value at the door: a dozen checks deep in a loop would otherwise each need a branch. */
class Refusal extends Error {
  override name = 'Refusal'
  readonly rejection: Rejection

  constructor(rejection: Rejection) {
    super(rejection.reason)
    this.rejection = rejection
  }
}

export function parseReports(body: unknown): ParsedReports {
  try {
    return { status: 'ok', records: recordsOf(body) }
  } catch (error) {
    if (error instanceof Refusal) return rejected(error.rejection)
    throw error
  }
}

function recordsOf(body: unknown): EnvelopeRecords {
  const { reports } = objectAt(body, '', ['reports'])
  if (reports === undefined) throw new Refusal({ reason: 'missing', path: 'reports' })
  if (!Array.isArray(reports)) throw wrongType('reports', 'an array')
  if (reports.length < 1 || reports.length > MAX_REPORTS) {
    throw invalid('reports', `1 to ${MAX_REPORTS} reports are expected, not ${reports.length}.`)
  }
  let total = 0
  return reports.map((report: unknown, i) => {
    const path = `reports.${i}`
    const { record, bytes } = recordOf(report, path)
    if (bytes > MAX_REPORT_BYTES) throw tooLarge(MAX_REPORT_BYTES, path)
    total += bytes
    if (total > MAX_POST_BYTES) throw tooLarge(MAX_POST_BYTES, 'reports')
    return record
  })
}

const VALUE_FIELDS = ['value', 'json', 'base64'] as const

function recordOf(report: unknown, path: string): { record: EnvelopeRecord; bytes: number } {
  const fields = objectAt(report, path, ['key', 'headers', ...VALUE_FIELDS])
  const record: EnvelopeRecord = {}
  let bytes = 0

  if ('key' in fields) {
    record.key = textAt(fields.key, `${path}.key`)
    bytes += utf8Length(record.key)
  }

  const given = VALUE_FIELDS.filter((name) => name in fields)
  const [form, second] = given
  if (second) {
    throw invalid(
      path,
      `only one of value, json and base64 is expected, not ${given.join(' and ')}.`,
    )
  }
  const at = `${path}.${form}`
  switch (form) {
    case 'value':
      record.value = textAt(fields.value, at)
      bytes += utf8Length(record.value)
      break
    case 'json':
      record.value = compactJson(fields.json, at)
      bytes += utf8Length(record.value)
      break
    case 'base64':
      record.base64 = textAt(fields.base64, at)
      bytes += decodedLength(record.base64, at)
      break
    case undefined:
  }

  if ('headers' in fields) {
    record.headers = headersAt(fields.headers, `${path}.headers`)
    for (const [name, value] of Object.entries(record.headers)) {
      bytes += utf8Length(name) + utf8Length(value)
    }
  }
  return { record, bytes }
}

function headersAt(json: unknown, path: string): Record<string, string> {
  const headers = objectAt(json, path)
  const names = Object.keys(headers)
  if (names.length > MAX_REPORT_HEADERS) {
    throw invalid(path, `at most ${MAX_REPORT_HEADERS} headers are expected, not ${names.length}.`)
  }
  for (const name of names) {
    const at = `${path}.${name}`
    if (name === '') throw invalid(path, 'a header needs a name.')
    if (!name.isWellFormed()) throw invalid(path, 'a header name has a lone surrogate.')
    if (name.startsWith('edgehub-')) {
      throw invalid(at, 'names that start with edgehub- are reserved.')
    }
    // As an object key it would vanish in other JSON readers, and with it the header.
    if (name === '__proto__') throw invalid(at, 'this name is not possible.')
    textAt(headers[name], at)
  }
  return headers as Record<string, string>
}

/** Any JSON, as compact text. What would not survive is refused, not changed: see `value` for sending text as it is. */
function compactJson(json: unknown, path: string): string {
  let level: unknown[] = [json]
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > MAX_JSON_DEPTH) {
      throw invalid(path, `at most ${MAX_JSON_DEPTH} levels are expected.`)
    }
    const next: unknown[] = []
    for (const node of level) {
      if (typeof node === 'number' && Math.abs(node) > Number.MAX_SAFE_INTEGER) {
        throw invalid(path, 'a number beyond 2^53 would lose digits; send the JSON text as value.')
      }
      if (typeof node === 'object' && node !== null) {
        const children: unknown[] = Array.isArray(node) ? node : Object.values(node)
        // Every node takes a byte of text at least; so memory stays in bounds before there is any text.
        if (next.length + children.length > MAX_REPORT_BYTES) throw tooLarge(MAX_REPORT_BYTES, path)
        for (const child of children) next.push(child)
      }
    }
    level = next
  }
  return JSON.stringify(json)
}

/** Standard alphabet, padded, no surplus bits (RFC 4648 sections 3.2, 3.5 and 4). */
function decodedLength(base64: string, path: string): number {
  const end = base64.slice(-4)
  const canonical = /^[A-Za-z0-9+/]*={0,2}$/.test(base64) && base64.length % 4 === 0
  if (!canonical || btoa(atob(end)) !== end) {
    throw invalid(path, 'this is not padded standard base64.')
  }
  return (base64.length / 4) * 3 - (/=*$/.exec(end)?.[0].length ?? 0)
}

function objectAt(json: unknown, path: string, known?: readonly string[]): Record<string, unknown> {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw wrongType(path, 'an object')
  }
  const unknown = known && Object.keys(json).find((name) => !known.includes(name))
  if (unknown !== undefined) {
    throw new Refusal({ reason: 'unknown_field', path: path ? `${path}.${unknown}` : unknown })
  }
  return json as Record<string, unknown>
}

function textAt(json: unknown, path: string): string {
  if (typeof json !== 'string') {
    throw wrongType(path, 'a string', json === null ? 'Leave it out.' : undefined)
  }
  if (!json.isWellFormed()) throw invalid(path, 'the text has a lone surrogate.')
  return json
}

function utf8Length(text: string): number {
  return new TextEncoder().encode(text).length
}

function wrongType(path: string, expected: string, hint?: string): Refusal {
  return new Refusal({ reason: 'invalid_type', path, expected, ...(hint && { hint }) })
}

function invalid(path: string, problem: string): Refusal {
  return new Refusal({ reason: 'invalid_value', path, problem })
}

function tooLarge(limit: number, path: string): Refusal {
  return new Refusal({ reason: 'body_too_large', limit, path })
}
