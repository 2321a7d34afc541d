/** A JSON body → a checked value, or the first thing wrong with it and where. */
import type * as z from 'zod/mini'
import { contentEncodingOf, decodeUtf8, readBody } from './body.ts'
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
  const mediaProblem = mediaProblemOf(request.headers, mediaTypes)
  if (mediaProblem) return rejected(mediaProblem)
  const bytes = await readBody(request, limit)
  if (!bytes) return rejected({ reason: 'body_too_large', limit })
  const text = decodeUtf8(bytes)
  if (text === undefined) return rejected({ reason: 'not_utf8' })
  try {
    return { status: 'ok', value: { bytes, json: JSON.parse(text) } }
  } catch (error) {
    // V8 quotes the text around the fault, which is the client's data: in the answer that helps, so the log must not get it.
    return rejected({ reason: 'invalid_json', problem: jsonProblem(text) ?? positionOf(error) })
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

/** One of these media types, charset utf-8 or none, and not compressed. */
function mediaProblemOf(headers: Headers, mediaTypes: readonly string[]): Rejection | undefined {
  const encoding = contentEncodingOf(headers)
  if (encoding !== undefined) {
    const problem = `Content-Encoding ${encoding} is not supported; send the body as it is.`
    return { reason: 'unsupported_media_type', header: 'Content-Encoding', problem }
  }
  const [type = '', ...parameters] = (headers.get('Content-Type') ?? '')
    .split(';')
    .map((s) => s.trim().toLowerCase())
  if (!mediaTypes.includes(type)) return wrongMediaType(mediaTypes)
  const charset = parameters.find((p) => p.startsWith('charset='))
  if (charset === undefined || /^charset="?utf-8"?$/.test(charset)) return undefined
  const problem =
    'Content-Type has another charset than utf-8; JSON is sent as utf-8, and needs none.'
  return { reason: 'unsupported_media_type', header: 'Content-Type', problem }
}

/** Also for a body without any type. */
export function wrongMediaType(mediaTypes = JSON_ONLY): Rejection {
  const problem = `Content-Type must be ${mediaTypes.join(' or ')}.`
  return { reason: 'unsupported_media_type', header: 'Content-Type', problem }
}

/** Words for what the parser tells badly; undefined for anything else. */
export function jsonProblem(text: string): string | undefined {
  if (text === '') return 'it is empty'
  return text.startsWith('\ufeff') ? 'it begins with a byte order mark' : undefined
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
    const type = issue.expected === 'int' ? 'integer' : issue.expected
    return {
      reason: 'invalid_type',
      path,
      expected: `${/^[aeio]/.test(type) ? 'an' : 'a'} ${type}`,
    }
  }
  return { reason: 'invalid_value', path, problem: `${issue.message}.` }
}
