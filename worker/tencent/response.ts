/**
 * Writes Tencent's envelope. HTTP status 200 and `application/json` without a charset, always: on anything else the
 * SDKs lose the error code, or take an error for a success.
 */
import type { TencentError } from './error.ts'

export interface ResponseIds {
  /** Lower-case UUID v4. */
  requestId: string
  /** The client's own correlation id, echoed. */
  traceId?: string | undefined
}

export function successResponse(fields: Record<string, unknown>, ids: ResponseIds): Response {
  return respond({ ...fields, RequestId: ids.requestId }, ids)
}

/** `Error` is there only on failure: Python and PHP test for the key's presence. */
export function errorResponse({ code, message }: TencentError, ids: ResponseIds): Response {
  // A message may quote what a client sent, and JSON can escape half a surrogate pair, which some parsers do not take.
  const error = { Code: code, Message: message.toWellFormed() }
  return respond({ Error: error, RequestId: ids.requestId }, ids)
}

function respond(fields: Record<string, unknown>, { requestId, traceId }: ResponseIds): Response {
  const headers = new Headers({ 'Content-Type': 'application/json', 'X-Request-Id': requestId })
  if (traceId !== undefined) headers.set('X-TC-TraceId', traceId)
  return new Response(JSON.stringify({ Response: fields }), { status: 200, headers })
}
