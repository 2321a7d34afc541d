import { describe, it } from 'vitest'
import { problemOf, problemResponse } from '../../worker/problem.ts'
import type { Rejection } from '../../worker/rejection.ts'

const EVERY: Record<Rejection['reason'], [Rejection, number]> = {
  body_too_large: [{ reason: 'body_too_large', limit: 5 }, 413],
  report_too_large: [
    { reason: 'report_too_large', path: 'reports.0', topic: 't', bytes: 9, limit: 5 },
    413,
  ],
  not_utf8: [{ reason: 'not_utf8' }, 400],
  invalid_json: [{ reason: 'invalid_json', problem: 'x' }, 400],
  unsupported_media_type: [
    { reason: 'unsupported_media_type', header: 'Content-Type', problem: 'x' },
    415,
  ],
  malformed_parameter: [{ reason: 'malformed_parameter', path: 'a', problem: 'x' }, 400],
  invalid_type: [{ reason: 'invalid_type', path: 'a', expected: 'a string' }, 422],
  missing: [{ reason: 'missing', path: 'a' }, 422],
  unknown_field: [{ reason: 'unknown_field', path: 'a' }, 422],
  invalid_value: [{ reason: 'invalid_value', path: 'a', problem: 'x' }, 422],
  invalid_header: [{ reason: 'invalid_header', header: 'A', problem: 'x' }, 400],
  unauthenticated: [{ reason: 'unauthenticated', problem: 'x' }, 401],
  forbidden: [{ reason: 'forbidden', problem: 'x' }, 403],
  datahub_not_found: [{ reason: 'datahub_not_found', datahub: 'd' }, 404],
  task_not_running: [{ reason: 'task_not_running', datahub: 'd', status: 6 }, 409],
  receipt_not_valid: [{ reason: 'receipt_not_valid' }, 404],
  envelope_not_found: [{ reason: 'envelope_not_found', object: 'o' }, 404],
  conflict: [{ reason: 'conflict', problem: 'x' }, 409],
  task_not_found: [{ reason: 'task_not_found', taskId: 't' }, 404],
  credential_not_found: [{ reason: 'credential_not_found', secretId: 's' }, 404],
  schema_not_found: [{ reason: 'schema_not_found', schemaId: 's' }, 404],
  name_taken: [{ reason: 'name_taken', path: 'name', name: 'n' }, 409],
  task_state_conflict: [
    { reason: 'task_state_conflict', datahub: 'd', status: 0, change: 'pause' },
    409,
  ],
  schema_in_use: [{ reason: 'schema_in_use', schemaId: 's', datahubs: ['d'] }, 409],
  precondition_failed: [{ reason: 'precondition_failed', current: 3 }, 412],
  quota_exceeded: [{ reason: 'quota_exceeded', what: 'tasks', limit: 5 }, 409],
  schema_mismatch: [
    { reason: 'schema_mismatch', path: 'reports.0', field: 'f', problem: 'must be text' },
    422,
  ],
  not_supported: [{ reason: 'not_supported', path: 'a', what: 'x', supported: 'use y' }, 422],
  idempotency_key_reused: [{ reason: 'idempotency_key_reused' }, 422],
  instance_not_found: [
    { reason: 'instance_not_found', instance: 'i', own: 'ckafka-00000000' },
    404,
  ],
  topic_not_found: [{ reason: 'topic_not_found', topic: 't' }, 404],
  partition_not_found: [{ reason: 'partition_not_found', topic: 't', partition: 9 }, 404],
  topic_not_readable: [{ reason: 'topic_not_readable', topic: 't' }, 503],
  message_not_found: [{ reason: 'message_not_found', why: 'queued', problem: 'x' }, 404],
  invalid_cursor: [{ reason: 'invalid_cursor' }, 400],
  rate_limited: [{ reason: 'rate_limited', perSecond: 20 }, 429],
  datahub_rate_limited: [{ reason: 'datahub_rate_limited', datahub: 'd', perSecond: 5 }, 429],
  address_rate_limited: [{ reason: 'address_rate_limited' }, 429],
  relay_not_connected: [{ reason: 'relay_not_connected' }, 503],
  relay_busy: [{ reason: 'relay_busy' }, 503],
  relay_timed_out: [{ reason: 'relay_timed_out' }, 504],
  kafka_unavailable: [{ reason: 'kafka_unavailable' }, 503],
  route_not_found: [{ reason: 'route_not_found' }, 404],
  method_not_allowed: [{ reason: 'method_not_allowed', allow: 'GET' }, 405],
  upgrade_required: [{ reason: 'upgrade_required', protocol: 'websocket' }, 426],
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
    expect(problemOf({ reason: 'precondition_failed', current: 3 }).headers).toEqual({
      ETag: '"3"',
    })
    expect(problemOf({ reason: 'address_rate_limited' }).headers).toEqual({ 'Retry-After': '10' })
    expect(problemOf({ reason: 'not_confirmed', keyed: false }).headers).toBeUndefined()
    expect(problemOf({ reason: 'not_confirmed', keyed: true }).headers).toEqual({
      'Retry-After': '1',
    })
  })

  it('gives a program what it may read', async ({ expect }) => {
    const range = { start: '5', end: '9' }
    const rejection = {
      reason: 'message_not_found',
      why: 'expired',
      problem: 'x',
      range,
    } as const
    const body = await problemResponse(rejection, context).response.json()
    expect(body).toEqual({
      type: '/problems/message-not-found',
      title: 'Message not found',
      status: 404,
      detail: 'x',
      reason: 'expired',
      ...range,
      requestId: 'r',
    })
  })

  it('names the state of a task by the word that a GET of it shows', ({ expect }) => {
    const rejection = { reason: 'task_not_running', datahub: 'd', status: 6 } as const
    expect(problemOf(rejection).detail).toBe('The task of d is not running: paused.')
    const refused = { ...rejection, reason: 'task_state_conflict', change: 'pause' } as const
    expect(problemOf(refused).detail).toBe('The task of d is paused; pause is not possible then.')
  })

  it('says whether a repeat can double what was not confirmed', ({ expect }) => {
    const detail = (keyed: boolean): string => problemOf({ reason: 'not_confirmed', keyed }).detail
    expect(detail(false)).toContain('may store them twice')
    expect(detail(true)).toContain('with the same Idempotency-Key is safe')
  })

  it.for(Object.entries(EVERY))(
    '%s: is text that can be written, whatever it quotes',
    ([, [given]], { expect }) => {
      const cut = Object.entries(given).map(([name, value]: [string, unknown]) =>
        typeof value === 'string' && name !== 'reason' ? [name, `${value}\ud83d`] : [name, value],
      )
      const { detail, path = '', members = {} } = problemOf(Object.fromEntries(cut) as Rejection)
      for (const text of [detail, path, ...Object.values(members)]) {
        expect(text.isWellFormed()).toBe(true)
      }
    },
  )

  it('begins what is wrong with a value with a capital letter', ({ expect }) => {
    const problem = 'it is there twice.'
    const rejection = { reason: 'invalid_value', path: 'limit', problem } as const
    expect(problemOf(rejection).detail).toBe('limit: It is there twice.')
  })

  it('does not repeat a field name of megabytes', ({ expect }) => {
    const { detail } = problemOf({ reason: 'unknown_field', path: 'x'.repeat(1_000_000) })
    expect(detail.length).toBeLessThan(300)
  })
})
