/**
 * All refusals, each with its type and HTTP status as the worker's own table gives them: one sample of each reason, which the compiler
 * keeps complete.
 */
import { problemOf, problemType } from '../../worker/problem.ts'
import type { Rejection } from '../../worker/rejection.ts'

export type Reason = Rejection['reason']

const datahub = 'datahub-abcdefgh'
const topic = 'orders'
const path = 'reports.0'
const problem = 'why.'
const perSecond = 1

const SAMPLES: { [R in Reason]: Extract<Rejection, { reason: R }> } = {
  body_too_large: { reason: 'body_too_large', limit: 1 },
  report_too_large: { reason: 'report_too_large', path, topic, bytes: 2, limit: 1 },
  not_utf8: { reason: 'not_utf8' },
  invalid_json: { reason: 'invalid_json', problem },
  unsupported_media_type: { reason: 'unsupported_media_type', header: 'Content-Type', problem },
  malformed_parameter: { reason: 'malformed_parameter', path, problem },
  invalid_type: { reason: 'invalid_type', path, expected: 'an object' },
  missing: { reason: 'missing', path },
  unknown_field: { reason: 'unknown_field', path },
  invalid_value: { reason: 'invalid_value', path, problem },
  invalid_header: { reason: 'invalid_header', header: 'If-Match', problem },
  unauthenticated: { reason: 'unauthenticated', problem },
  forbidden: { reason: 'forbidden', problem },
  datahub_not_found: { reason: 'datahub_not_found', datahub },
  task_not_running: { reason: 'task_not_running', datahub, status: 6 },
  receipt_not_valid: { reason: 'receipt_not_valid' },
  envelope_not_found: { reason: 'envelope_not_found', object: 'a' },
  conflict: { reason: 'conflict', problem },
  task_not_found: { reason: 'task_not_found', taskId: 'task-abcdefgh' },
  credential_not_found: { reason: 'credential_not_found', secretId: 'AKID' },
  schema_not_found: { reason: 'schema_not_found', schemaId: 'schema-abcdefgh' },
  name_taken: { reason: 'name_taken', path: 'name', name: 'orders' },
  task_state_conflict: {
    reason: 'task_state_conflict',
    datahub,
    status: 0,
    change: 'pause',
  },
  schema_in_use: { reason: 'schema_in_use', schemaId: 'schema-abcdefgh', datahubs: [datahub] },
  precondition_failed: { reason: 'precondition_failed', current: 1 },
  quota_exceeded: { reason: 'quota_exceeded', what: 'tasks', limit: 1 },
  schema_mismatch: { reason: 'schema_mismatch', path, problem },
  not_supported: { reason: 'not_supported', path, what: 'a', supported: 'b' },
  idempotency_key_reused: { reason: 'idempotency_key_reused' },
  instance_not_found: {
    reason: 'instance_not_found',
    instance: 'ckafka-abcdefgh',
    own: 'ckafka-abcdefgi',
  },
  topic_not_found: { reason: 'topic_not_found', topic },
  partition_not_found: { reason: 'partition_not_found', topic, partition: 1 },
  topic_not_readable: { reason: 'topic_not_readable', topic },
  message_not_found: { reason: 'message_not_found', why: 'expired', problem },
  invalid_cursor: { reason: 'invalid_cursor' },
  rate_limited: { reason: 'rate_limited', perSecond },
  datahub_rate_limited: { reason: 'datahub_rate_limited', datahub, perSecond },
  address_rate_limited: { reason: 'address_rate_limited' },
  relay_not_connected: { reason: 'relay_not_connected' },
  relay_busy: { reason: 'relay_busy' },
  relay_timed_out: { reason: 'relay_timed_out' },
  kafka_unavailable: { reason: 'kafka_unavailable' },
  route_not_found: { reason: 'route_not_found' },
  method_not_allowed: { reason: 'method_not_allowed', allow: 'GET' },
  upgrade_required: { reason: 'upgrade_required', protocol: 'websocket' },
  not_confirmed: { reason: 'not_confirmed', keyed: false },
  unavailable: { reason: 'unavailable', retryAfterSeconds: 1 },
  internal: { reason: 'internal' },
}

export interface ProblemKind {
  type: string
  status: number
  title: string
}

export function problemKind(reason: Reason): ProblemKind {
  const { status, title } = problemOf(SAMPLES[reason])
  return { type: problemType(reason), status, title }
}

/** As the worker would answer it. */
export function problemExample(reason: Reason): Readonly<Record<string, unknown>> {
  const { status, title, detail, path: where, members } = problemOf(SAMPLES[reason])
  const requestId = 'a6b2ab34-4b0c-4d7d-9a4f-1d2c8f3f7a55'
  const at = where === undefined ? {} : { path: where }
  return { type: problemType(reason), title, status, detail, ...at, ...members, requestId }
}

export const PROBLEM_TYPES: readonly string[] = Object.values(SAMPLES).map(({ reason }) =>
  problemType(reason),
)
