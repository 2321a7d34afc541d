/** Answers of the API as plain values, for workerd's Response and Node's ServerResponse alike; and every error it can give. */

export interface ApiAnswer {
  status: number
  headers: Record<string, string>
  body: string
}

export type Refusal =
  | { reason: 'unauthorized' }
  | { reason: 'no_such_route' }
  | { reason: 'bad_queue_id' }
  | { reason: 'queue_not_found' }
  | { reason: 'bad_body'; problem: string }
  | { reason: 'bad_batch'; problem: string }
  | { reason: 'bad_delay'; problem: string }
  | { reason: 'paused' }
  | { reason: 'overloaded'; retryAfterSeconds: number | undefined }
  | { reason: 'internal' }

export function success(result: unknown): ApiAnswer {
  return json(200, { success: true, errors: [], messages: [], result })
}

export function refuse(refusal: Refusal): ApiAnswer {
  switch (refusal.reason) {
    case 'unauthorized':
      return failure(403, 10106, 'unauthorized')
    case 'no_such_route':
      return failure(404, 7003, 'could not route to this path')
    case 'bad_queue_id':
      return failure(400, 10107, 'a queue id is 32 hex digits')
    case 'queue_not_found':
      return failure(404, 10104, 'queue not found')
    case 'bad_body':
      return failure(400, 10207, refusal.problem)
    case 'bad_batch':
      return failure(400, 10206, refusal.problem)
    case 'bad_delay':
      return failure(400, 10202, refusal.problem)
    case 'paused':
      // The status and the word are documented, the code is not: nobody should look at it.
      return failure(409, 10000, 'queue_delivery_paused')
    case 'overloaded': {
      const answer = failure(429, 10250, 'queue is overloaded')
      if (refusal.retryAfterSeconds !== undefined) {
        answer.headers['retry-after'] = String(refusal.retryAfterSeconds)
      }
      return answer
    }
    case 'internal':
      return failure(500, 15000, 'internal error')
  }
}

/** What a proxy in between might say. */
export function garbage(): ApiAnswer {
  const body = '<html><body>upstream said {"success": tru'
  return { status: 200, headers: { 'content-type': 'text/html' }, body }
}

function failure(status: number, code: number, message: string): ApiAnswer {
  return json(status, { success: false, errors: [{ code, message }], messages: [], result: null })
}

function json(status: number, value: unknown): ApiAnswer {
  return {
    status,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(value),
  }
}
