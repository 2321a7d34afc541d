import { describe, it } from 'vitest'
import { problemOf, problemResponse } from '../../worker/problem.ts'
import type { Rejection } from '../../worker/rejection.ts'

const EVERY: Record<Rejection['reason'], [Rejection, number]> = {
  body_too_large: [{ reason: 'body_too_large', limit: 5 }, 413],
  not_utf8: [{ reason: 'not_utf8' }, 400],
  invalid_json: [{ reason: 'invalid_json', problem: 'x' }, 400],
  unsupported_media_type: [{ reason: 'unsupported_media_type', expected: 'x' }, 415],
  invalid_type: [{ reason: 'invalid_type', path: 'a', expected: 'a string' }, 422],
  missing: [{ reason: 'missing', path: 'a' }, 422],
  unknown_field: [{ reason: 'unknown_field', path: 'a' }, 422],
  invalid_value: [{ reason: 'invalid_value', path: 'a', problem: 'x' }, 422],
  invalid_header: [{ reason: 'invalid_header', header: 'A', problem: 'x' }, 400],
  unauthenticated: [{ reason: 'unauthenticated', problem: 'x' }, 401],
  forbidden: [{ reason: 'forbidden', problem: 'x' }, 403],
  datahub_not_found: [{ reason: 'datahub_not_found', datahub: 'd' }, 404],
  task_not_running: [{ reason: 'task_not_running', datahub: 'd', state: 'suspended' }, 409],
  receipt_not_valid: [{ reason: 'receipt_not_valid' }, 404],
  envelope_not_found: [{ reason: 'envelope_not_found', object: 'o' }, 404],
  conflict: [{ reason: 'conflict', problem: 'x' }, 409],
  idempotency_key_reused: [{ reason: 'idempotency_key_reused' }, 422],
  route_not_found: [{ reason: 'route_not_found' }, 404],
  method_not_allowed: [{ reason: 'method_not_allowed', allow: 'GET' }, 405],
  not_confirmed: [{ reason: 'not_confirmed', keyed: false }, 503],
  unavailable: [{ reason: 'unavailable', retryAfterSeconds: 7 }, 503],
  internal: [{ reason: 'internal' }, 500],
}

const context = { requestId: 'r', method: 'GET', route: '/x', cause: 'broken pipe' }

describe('the problem table', () => {
  it.for(Object.entries(EVERY))('%s', async ([, [rejection, status]], { expect }) => {
    const { response, entry } = problemResponse(rejection, context)
    expect(response.status).toBe(status)
    expect(await response.text()).not.toContain('broken pipe')
    expect(entry).toMatchObject({
      level: status >= 500 ? 'error' : 'info',
      reason: rejection.reason,
      requestId: 'r',
      cause: 'broken pipe',
    })
  })

  it('gives the headers that help', ({ expect }) => {
    expect(problemOf({ reason: 'unavailable', retryAfterSeconds: 7 }).headers).toEqual({
      'Retry-After': '7',
    })
    expect(problemOf({ reason: 'method_not_allowed', allow: 'GET' }).headers).toEqual({
      Allow: 'GET',
    })
    expect(problemOf({ reason: 'not_confirmed', keyed: false }).headers).toBeUndefined()
    expect(problemOf({ reason: 'not_confirmed', keyed: true }).headers).toEqual({
      'Retry-After': '1',
    })
  })

  it('says whether a repeat can double what was not confirmed', ({ expect }) => {
    const detail = (keyed: boolean): string => problemOf({ reason: 'not_confirmed', keyed }).detail
    expect(detail(false)).toContain('may store them twice')
    expect(detail(true)).toContain('with the same Idempotency-Key is safe')
  })

  it('does not repeat a field name of megabytes', ({ expect }) => {
    const { detail } = problemOf({ reason: 'unknown_field', path: 'x'.repeat(1_000_000) })
    expect(detail.length).toBeLessThan(300)
  })
})
