/** The body of a call → the JSON object that it must be. Total: never throws. */
import { decodeUtf8 } from '../body.ts'
import { jsonProblem } from '../parse.ts'
import type { Rejection } from '../rejection.ts'

export type JsonObject = Record<string, unknown>

export function parseObject(body: Uint8Array): { fields: JsonObject } | { rejection: Rejection } {
  // An empty body counts as no parameters.
  if (body.length === 0) return { fields: {} }
  const text = decodeUtf8(body)
  if (text === undefined) return { rejection: { reason: 'not_utf8' } }
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (error) {
    // V8 quotes the text around the fault: good for the client, and the log is not given it. It may cut through a surrogate pair.
    const told = error instanceof Error ? error.message.toWellFormed() : 'it does not parse'
    const problem = jsonProblem(text) ?? told
    return { rejection: { reason: 'invalid_json', problem } }
  }
  if (isObject(json)) return { fields: json }
  return { rejection: { reason: 'invalid_type', path: '', expected: 'an object' } }
}

/** A JSON object, not null and not an array. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
