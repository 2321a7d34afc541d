/**
 * The one table from a rejection to HTTP for everything but `/`: RFC 9457 problem details, and how loud the log is. `type` is a
 * relative reference and stable; clients switch on it. Decides nothing else, and shows no cause: that is for the log alone.
 */
import type { LogEntry } from './log.ts'
import { TROUBLE } from './query/trouble.ts'
import { STATES } from './registry/directory.ts'
import { sentence, type Rejection } from './rejection.ts'

interface Problem {
  status: 400 | 401 | 403 | 404 | 405 | 409 | 412 | 413 | 415 | 422 | 426 | 429 | 500 | 503 | 504
  title: string
  detail: string
  /** Where in the request, when it is one place. */
  path?: string
  /** For programs, beside the members that all problems have. */
  members?: Record<string, string>
  headers?: Record<string, string>
}

/** What a client wrote is quoted up to here: a field name or an id may have megabytes. */
const MAX_QUOTED_CHARS = 200

/** Members that hold sentences of ours. */
const OWN_TEXTS = new Set(['problem', 'hint', 'expected', 'supported'])

/** What is answered, with the client's own texts shortened. */
export function problemOf(given: Rejection): Problem {
  const rejection = clipped(given)
  switch (rejection.reason) {
    case 'body_too_large': {
      const what = rejection.path === undefined ? 'The body' : rejection.path
      const detail = `${what} has more than ${rejection.limit} bytes.`
      return { status: 413, title: 'Too large', detail, ...at(rejection.path) }
    }
    case 'report_too_large': {
      const { path, topic, bytes, limit } = rejection
      const detail = `The topic ${topic} takes records of at most ${limit} bytes; ${path} would have ${bytes}.`
      return { status: 413, title: 'Too large for its topic', detail, path }
    }
    case 'not_utf8':
      return { status: 400, title: 'Not UTF-8', detail: 'The body is not valid UTF-8.' }
    case 'invalid_json': {
      const detail = `The body is not valid JSON: ${rejection.problem}.`
      return { status: 400, title: 'Not JSON', detail }
    }
    case 'unsupported_media_type': {
      const { header, problem } = rejection
      // RFC 9110 section 15.5.16: a 415 for the coding names what would be taken.
      const headers = header === 'Content-Encoding' ? { 'Accept-Encoding': 'identity' } : {}
      return { status: 415, title: 'Unsupported media type', detail: problem, headers }
    }
    case 'malformed_parameter': {
      const { path, problem } = rejection
      const detail = path === '' ? problem : `${path}: ${sentence(problem)}`
      return { status: 400, title: 'Malformed parameter', detail, ...at(path) }
    }
    case 'invalid_type': {
      const hint = rejection.hint === undefined ? '' : ` ${rejection.hint}`
      const detail = `${rejection.path || 'The body'} must be ${rejection.expected}.${hint}`
      return { status: 422, title: 'Wrong type', detail, ...at(rejection.path) }
    }
    case 'missing': {
      const hint = rejection.hint === undefined ? '' : ` ${rejection.hint}`
      const detail = `${rejection.path} is missing.${hint}`
      return { status: 422, title: 'Missing field', detail, ...at(rejection.path) }
    }
    case 'unknown_field': {
      const detail = `${rejection.path} is not a known field.`
      return { status: 422, title: 'Unknown field', detail, ...at(rejection.path) }
    }
    case 'invalid_value': {
      const detail = `${rejection.path}: ${sentence(rejection.problem)}`
      return { status: 422, title: 'Invalid value', detail, ...at(rejection.path) }
    }
    case 'invalid_header': {
      const detail = `${rejection.header}: ${sentence(rejection.problem)}`
      return { status: 400, title: 'Invalid header', detail }
    }
    case 'unauthenticated': {
      // RFC 9110 section 11.6.1: a 401 names what it would take.
      const headers = { 'WWW-Authenticate': 'Basic realm="edgehub", charset="UTF-8", Bearer' }
      return { status: 401, title: 'Not authenticated', detail: rejection.problem, headers }
    }
    case 'forbidden':
      return { status: 403, title: 'Forbidden', detail: rejection.problem }
    case 'datahub_not_found': {
      const detail = `There is no datahub ${rejection.datahub} that you may use.`
      return { status: 404, title: 'Datahub not found', detail }
    }
    case 'task_not_running': {
      const detail = `The task of ${rejection.datahub} is not running: ${STATES[rejection.status]}.`
      return { status: 409, title: 'Task not running', detail }
    }
    case 'receipt_not_valid':
      return { status: 404, title: 'Receipt not valid', detail: 'This is no receipt of ours.' }
    case 'envelope_not_found': {
      const detail = `There is no object ${rejection.object}.`
      return { status: 404, title: 'Envelope not found', detail }
    }
    case 'conflict':
      return { status: 409, title: 'Conflict', detail: rejection.problem }
    case 'task_not_found': {
      const detail = `There is no task ${rejection.taskId} that you may manage.`
      return { status: 404, title: 'Task not found', detail }
    }
    case 'credential_not_found': {
      const detail = `There is no credential ${rejection.secretId} that you may manage.`
      return { status: 404, title: 'Credential not found', detail }
    }
    case 'schema_not_found': {
      const detail = `There is no schema ${rejection.schemaId}.`
      return { status: 404, title: 'Schema not found', detail }
    }
    case 'name_taken': {
      const { path, name } = rejection
      return { status: 409, title: 'Name taken', detail: `${name} is the name of another.`, path }
    }
    case 'task_state_conflict': {
      const { datahub, status, change } = rejection
      const detail = `The task of ${datahub} is ${STATES[status]}; ${change} is not possible then.`
      return { status: 409, title: 'Not possible in this state', detail }
    }
    case 'schema_in_use': {
      const detail = `The schema ${rejection.schemaId} is bound to ${rejection.datahubs.join(', ')}.`
      return { status: 409, title: 'Schema in use', detail }
    }
    case 'precondition_failed': {
      const detail = `It was changed meanwhile: its revision is ${rejection.current}. Read it again.`
      const headers = { ETag: `"${rejection.current}"` }
      return { status: 412, title: 'Precondition failed', detail, headers }
    }
    case 'quota_exceeded': {
      const detail = `There are ${rejection.limit} ${rejection.what}, and that is the most.`
      return { status: 409, title: 'Quota exceeded', detail }
    }
    case 'schema_mismatch': {
      const { path, field, problem } = rejection
      const detail = `${path} does not fit the schema: ${field === undefined ? 'it' : `the field ${field}`} ${problem}.`
      const members = field === undefined ? {} : { field }
      return { status: 422, title: 'Schema mismatch', detail, path, members }
    }
    case 'not_supported': {
      const { path, what, supported } = rejection
      const detail = `${what} is not supported; ${supported}.`
      return { status: 422, title: 'Not supported', detail, path }
    }
    case 'idempotency_key_reused': {
      const detail =
        'This Idempotency-Key was used with another body. That one has its outcome; these reports are not stored under this key.'
      return { status: 422, title: 'Idempotency key reused', detail }
    }
    case 'instance_not_found': {
      const detail = `There is no instance ${rejection.instance}; this is ${rejection.own}.`
      return { status: 404, title: 'Instance not found', detail }
    }
    case 'topic_not_found': {
      const detail = `There is no topic ${rejection.topic} that you may read.`
      return { status: 404, title: 'Topic not found', detail }
    }
    case 'partition_not_found': {
      const detail = `The topic ${rejection.topic} has no partition ${rejection.partition}.`
      return { status: 404, title: 'Partition not found', detail }
    }
    case 'topic_not_readable': {
      const detail = `Kafka does not let the relay read the topic ${rejection.topic}.`
      return { status: 503, title: 'Topic not readable', detail }
    }
    case 'message_not_found': {
      const { why, problem, range } = rejection
      return {
        status: 404,
        title: 'Message not found',
        detail: problem,
        members: { reason: why, ...range },
      }
    }
    case 'invalid_cursor': {
      const detail = 'cursor is none of ours, or of another query; begin again without it.'
      return { status: 400, title: 'Invalid cursor', detail, path: 'cursor' }
    }
    case 'rate_limited': {
      const detail = `The limit of these calls is ${rejection.perSecond} a second.`
      return { status: 429, title: 'Too many requests', detail, ...retryAfter(1) }
    }
    case 'datahub_rate_limited': {
      const { datahub, perSecond } = rejection
      const detail = `The limit of POSTs to the datahub ${datahub} is ${perSecond} a second.`
      return { status: 429, title: 'Too many requests', detail, ...retryAfter(1) }
    }
    case 'address_rate_limited': {
      const detail = 'Too many requests come from this address.'
      return { status: 429, title: 'Too many requests', detail, ...retryAfter(10) }
    }
    case 'relay_not_connected':
    case 'relay_busy':
    case 'kafka_unavailable': {
      const detail = TROUBLE[rejection.reason]
      const seconds = rejection.reason === 'relay_busy' ? 1 : 5
      return { status: 503, title: 'Kafka not reachable', detail, ...retryAfter(seconds) }
    }
    case 'relay_timed_out':
      return { status: 504, title: 'Timed out', detail: TROUBLE[rejection.reason] }
    case 'route_not_found':
      return { status: 404, title: 'Not found', detail: 'There is nothing at this address.' }
    case 'method_not_allowed': {
      const detail = `This address takes ${rejection.allow}.`
      const headers = { Allow: rejection.allow }
      return { status: 405, title: 'Method not allowed', detail, headers }
    }
    case 'upgrade_required': {
      // RFC 9110 section 15.5.22: a 426 names what it would take.
      const headers = { Upgrade: rejection.protocol }
      const detail = `This address takes Upgrade: ${rejection.protocol}.`
      return { status: 426, title: 'Upgrade required', detail, headers }
    }
    case 'not_confirmed': {
      const repeating = rejection.keyed
        ? 'Repeating the request with the same Idempotency-Key is safe.'
        : 'Repeating the request may store them twice.'
      const detail = `The queue did not confirm the reports: they may or may not have been taken. ${repeating}`
      // Without a key no Retry-After: whether a possible double is worth a repeat is the client's decision.
      const headers = rejection.keyed && { headers: { 'Retry-After': '1' } }
      return { status: 503, title: 'Accept not confirmed', detail, ...headers }
    }
    case 'unavailable': {
      const detail = 'A part of the service that this needs can not be reached now.'
      const { retryAfterSeconds } = rejection
      return { status: 503, title: 'Unavailable', detail, ...retryAfter(retryAfterSeconds) }
    }
    case 'internal': {
      const detail = 'The request failed by our fault; requestId finds the cause in our log.'
      return { status: 500, title: 'Internal error', detail }
    }
  }
}

export interface ProblemContext {
  requestId: string
  method: string
  /** The route's pattern, not the address: a receipt in it is a capability. */
  route: string
  /** For the log alone. */
  cause?: string
}

/** The answer, and the line for the log, which alone has the cause. */
export function problemResponse(
  rejection: Rejection,
  context: ProblemContext,
): { response: Response; entry: LogEntry } {
  const { status, title, detail, path, members, headers } = problemOf(rejection)
  const type = problemType(rejection.reason)
  const { requestId } = context
  const body = { type, title, status, detail, ...at(path), ...members, requestId }
  const response = new Response(JSON.stringify(body), {
    status,
    headers: {
      'Content-Type': 'application/problem+json',
      'Cache-Control': 'no-store',
      'X-Request-Id': context.requestId,
      ...headers,
    },
  })
  const entry: LogEntry = {
    level: status >= 500 ? 'error' : 'info',
    message: 'Request refused.',
    ...context,
    status,
    reason: rejection.reason,
    detail,
  }
  return { response, entry }
}

/** Relative to the address of the deployment. */
export function problemType(reason: Rejection['reason']): string {
  return `/problems/${reason.replaceAll('_', '-')}`
}

function clipped(rejection: Rejection): Rejection {
  const members = Object.entries(rejection).map(([name, value]: [string, unknown]) => {
    if (typeof value !== 'string') return [name, value]
    const fits = value.length <= MAX_QUOTED_CHARS || OWN_TEXTS.has(name)
    // A name in JSON can have half a surrogate pair, and so can what is cut off.
    const text = fits ? value : `${value.slice(0, MAX_QUOTED_CHARS)}…`
    return [name, text.toWellFormed()]
  })
  return Object.fromEntries(members) as Rejection
}

function retryAfter(seconds: number): { headers: Record<string, string> } {
  return { headers: { 'Retry-After': String(seconds) } }
}

function at(path: string | undefined): { path?: string } {
  return path ? { path } : {}
}
