/**
 * What every answer has to be, whatever was asked: on `/` HTTP 200 and Tencent's envelope, elsewhere a status below 500 and a problem
 * where it is one; and nothing logged as an error. A check throws for what is wrong, and says in a word what kind of answer it was.
 */
import { TENCENT_CODES } from '../../../worker/tencent/error.ts'

export interface Seen {
  response: Response
  text: string
  /** What was logged at the level error. */
  errors: readonly string[]
}

/** A message quotes a little of what the client sent, and never all of it. */
const MAX_MESSAGE = 2_000
const MAX_PROBLEM = 4_000

const UUID_V4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
const codes: ReadonlySet<string> = new Set(TENCENT_CODES)

/** Of a GET or POST to `/`. */
export function checkTencent({ response, text, errors }: Seen): string {
  ensure(errors.length === 0, `an error was logged: ${errors[0]}`)
  ensure(response.status === 200, `the status is ${response.status}`)
  const type = response.headers.get('content-type')
  ensure(type === 'application/json', `the content type is ${type}`)
  const { Response: envelope, ...others } = objectOf(parsed(text))
  ensure(Object.keys(others).length === 0, 'there is more than Response')
  const { RequestId: requestId, ...fields } = objectOf(envelope)
  ensure(UUID_V4.test(String(requestId)), `RequestId is ${String(requestId)}`)
  ensure(response.headers.get('x-request-id') === requestId, 'X-Request-Id is another one')
  if (!('Error' in fields)) return 'success'
  ensure(Object.keys(fields).length === 1, 'there is more than Error')
  const { Code: code, Message: message, ...more } = objectOf(fields['Error'])
  ensure(Object.keys(more).length === 0, 'Error has more than Code and Message')
  ensure(codes.has(String(code)), `there is no code ${String(code)}`)
  ensure(typeof message === 'string' && message !== '', 'there is no message')
  ensure(message.isWellFormed(), 'the message has half a surrogate pair')
  ensure(message.length <= MAX_MESSAGE, `the message has ${message.length} characters`)
  ensure(code !== 'InternalError', `InternalError: ${message}`)
  return String(code)
}

/** Of any other request. */
export function checkRest({ response, text, errors }: Seen, method: string): string {
  const { status, headers } = response
  ensure(errors.length === 0, `an error was logged: ${errors[0]}`)
  ensure(status < 500, `the status is ${status}: ${text}`)
  const requestId = headers.get('x-request-id') ?? ''
  ensure(UUID_V4.test(requestId), `X-Request-Id is ${requestId}`)
  if (method === 'HEAD' || status === 204 || status === 304) {
    ensure(text === '', `${method} ${status} has a body`)
    return `${status}`
  }
  const type = headers.get('content-type')
  if (status < 400) {
    ensure(type !== 'application/json' || parsed(text) !== undefined, 'the body is no JSON')
    return `${status}`
  }
  ensure(type === 'application/problem+json', `${status} has the content type ${type}`)
  const problem = objectOf(parsed(text))
  const name = /^\/problems\/([a-z0-9-]+)$/.exec(String(problem['type']))?.[1]
  const isWhole = typeof problem['title'] === 'string' && problem['status'] === status
  const isOwn = problem['requestId'] === requestId
  ensure(name !== undefined && isWhole && isOwn, `not a problem of this answer: ${text}`)
  ensure(String(problem['detail']).isWellFormed(), 'the detail has half a surrogate pair')
  ensure(text.length <= MAX_PROBLEM, `the problem has ${text.length} characters`)
  return `${status} ${name}`
}

/** @throws Error */
export function ensure(holds: boolean, problem: string): asserts holds {
  if (!holds) throw new Error(problem.slice(0, 1_000))
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function objectOf(value: unknown): Record<string, unknown> {
  ensure(
    typeof value === 'object' && value !== null && !Array.isArray(value),
    'there is no object where one belongs',
  )
  return value as Record<string, unknown>
}
