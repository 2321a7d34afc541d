/** A JSON body → a checked value, or the first thing wrong with it and where. */
import type * as z from 'zod/mini'
import { decodeUtf8, readBody } from './body.ts'
import { rejected, type Rejected, type Rejection } from './rejection.ts'

export type Parsed<T> = { status: 'ok'; value: T } | Rejected

export interface JsonBody {
  /** As they came, for who has to hash them. */
  bytes: Uint8Array<ArrayBuffer>
  json: unknown
}

export const JSON_ONLY: readonly string[] = ['application/json']

/** Reads, decodes and parses; the shape is not looked at. */
export async function readJson(
  request: Request,
  limit: number,
  mediaTypes = JSON_ONLY,
): Promise<Parsed<JsonBody>> {
  if (!isJson(request.headers.get('Content-Type'), mediaTypes)) {
    return rejected({ reason: 'unsupported_media_type', expected: mediaTypes.join(' or ') })
  }
  const bytes = await readBody(request, limit)
  if (!bytes) return rejected({ reason: 'body_too_large', limit })
  const text = decodeUtf8(bytes)
  if (text === undefined) return rejected({ reason: 'not_utf8' })
  try {
    return { status: 'ok', value: { bytes, json: JSON.parse(text) } }
  } catch (error) {
    // V8 quotes the text around the fault, which is the client's data: in the answer that helps, so the log must not get it.
    const problem = text === '' ? 'it is empty' : positionOf(error)
    return rejected({ reason: 'invalid_json', problem })
  }
}

/** For the small bodies of the control plane and the relay. */
export async function readJsonAs<T>(
  request: Request,
  limit: number,
  schema: z.ZodMiniType<T>,
  mediaTypes = JSON_ONLY,
): Promise<Parsed<T>> {
  const body = await readJson(request, limit, mediaTypes)
  return body.status === 'rejected' ? body : parseAs(body.value.json, schema)
}

/** As the schema makes it, or the first thing wrong. */
export function parseAs<T>(json: unknown, schema: z.ZodMiniType<T>): Parsed<T> {
  const parsed = schema.safeParse(json, { reportInput: true })
  if (parsed.success) return { status: 'ok', value: parsed.data }
  return rejected(rejectionOf(parsed.error))
}

/** One of these media types, charset utf-8 or none. */
function isJson(contentType: string | null, mediaTypes: readonly string[]): boolean {
  const [type = '', ...parameters] = (contentType ?? '')
    .split(';')
    .map((s) => s.trim().toLowerCase())
  const charset = parameters.find((p) => p.startsWith('charset='))
  return mediaTypes.includes(type) && (charset === undefined || /^charset="?utf-8"?$/.test(charset))
}

function positionOf(error: unknown): string {
  const position = error instanceof Error && /position \d+/.exec(error.message)
  return position ? `it breaks at ${position[0]}` : 'it ends too early'
}

/** The first thing wrong; a field that is not known comes first, because it may be the one that is missing, misspelt. */
export function rejectionOf(error: z.core.$ZodError): Rejection {
  const issue = error.issues.find((i) => i.code === 'unrecognized_keys') ?? error.issues[0]
  if (!issue) return { reason: 'internal' }
  const path = issue.path.join('.')
  if (issue.code === 'unrecognized_keys') {
    return { reason: 'unknown_field', path: [...issue.path, issue.keys[0]].join('.') }
  }
  if (issue.code === 'invalid_type') {
    if (issue.input === undefined && path !== '') return { reason: 'missing', path }
    const article = /^[aeio]/.test(issue.expected) ? 'an' : 'a'
    return { reason: 'invalid_type', path, expected: `${article} ${issue.expected}` }
  }
  return { reason: 'invalid_value', path, problem: `${issue.message}.` }
}
