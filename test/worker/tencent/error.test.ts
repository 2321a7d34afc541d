import { describe, it } from 'vitest'
import type { TaskStatus } from '../../../worker/registry/directory.ts'
import type { Rejection } from '../../../worker/rejection.ts'
import {
  errorOfCall,
  errorOfRejection,
  errorOfSignature,
  TENCENT_CODES,
  type CallProblem,
  type TencentCode,
} from '../../../worker/tencent/error.ts'
import { errorResponse, successResponse } from '../../../worker/tencent/response.ts'
import type { SignatureProblem } from '../../../worker/tencent/signature.ts'

describe('every rejection has a code', () => {
  const path = 'Message.3.Body'
  const problem = 'A problem.'
  const rows: Record<Rejection['reason'], [Rejection, TencentCode, string]> = {
    report_too_large: [
      { reason: 'report_too_large', path: 'Message.0', topic: 't', bytes: 9, limit: 5 },
      'InvalidParameterValue',
      'at most 5 bytes',
    ],
    body_too_large: [{ reason: 'body_too_large', limit: 9 }, 'RequestSizeLimitExceeded', '9 bytes'],
    not_utf8: [{ reason: 'not_utf8' }, 'InvalidParameter', 'UTF-8'],
    invalid_json: [{ reason: 'invalid_json', problem }, 'InvalidParameter', problem],
    unsupported_media_type: [
      { reason: 'unsupported_media_type', header: 'Content-Type', problem },
      'UnsupportedOperation',
      problem,
    ],
    malformed_parameter: [
      { reason: 'malformed_parameter', path, problem },
      'InvalidParameter',
      'The parameter `Message.3.Body` is not valid. A problem.',
    ],
    invalid_type: [
      { reason: 'invalid_type', path, expected: 'a string', hint: 'Do.' },
      'InvalidParameter',
      'The value type of parameter `Message.3.Body` is not valid, input type should be `string`. Do.',
    ],
    missing: [
      { reason: 'missing', path },
      'MissingParameter',
      'The request is missing a required parameter `Message.3.Body`.',
    ],
    unknown_field: [
      { reason: 'unknown_field', path },
      'UnknownParameter',
      'The parameter `Message.3.Body` is not recognized.',
    ],
    invalid_value: [
      { reason: 'invalid_value', path, problem },
      'InvalidParameterValue',
      'A value specified in `Message.3.Body` is not valid. A problem.',
    ],
    invalid_header: [
      { reason: 'invalid_header', header: 'Prefer', problem },
      'InvalidParameterValue',
      '`Prefer`',
    ],
    unauthenticated: [
      { reason: 'unauthenticated', problem },
      'AuthFailure.UnauthorizedOperation',
      problem,
    ],
    forbidden: [{ reason: 'forbidden', problem }, 'AuthFailure.UnauthorizedOperation', problem],
    datahub_not_found: [
      { reason: 'datahub_not_found', datahub: 'datahub-xxxxxxxx' },
      'ResourceNotFound',
      'The DataHub access point `datahub-xxxxxxxx` does not exist.',
    ],
    task_not_running: [
      { reason: 'task_not_running', datahub: 'datahub-lxxxxxx6', status: 6 },
      'FailedOperation',
      'task status suspended [datahub-lxxxxxx6]',
    ],
    receipt_not_valid: [{ reason: 'receipt_not_valid' }, 'InvalidParameterValue', '`Receipt`'],
    envelope_not_found: [
      { reason: 'envelope_not_found', object: 'x' },
      'ResourceNotFound',
      'does not exist',
    ],
    conflict: [{ reason: 'conflict', problem }, 'FailedOperation', problem],
    task_not_found: [
      { reason: 'task_not_found', taskId: 'task-00000000' },
      'ResourceNotFound',
      'The task `task-00000000` does not exist.',
    ],
    credential_not_found: [
      { reason: 'credential_not_found', secretId: 'AKID0' },
      'ResourceNotFound',
      'The credential does not exist.',
    ],
    schema_not_found: [
      { reason: 'schema_not_found', schemaId: 'schema-00000000' },
      'ResourceNotFound',
      'The schema `schema-00000000` does not exist.',
    ],
    name_taken: [
      { reason: 'name_taken', path: 'TaskName', name: 'orders' },
      'InvalidParameterValue.RepetitionValue',
      'A value specified in `TaskName` is not valid. There is one named orders already.',
    ],
    task_state_conflict: [
      {
        reason: 'task_state_conflict',
        datahub: 'datahub-lxxxxxx6',
        status: 0,
        change: 'pause',
      },
      'FailedOperation',
      'task status creating [datahub-lxxxxxx6]',
    ],
    schema_in_use: [
      {
        reason: 'schema_in_use',
        schemaId: 'schema-00000000',
        datahubs: ['datahub-a', 'datahub-b'],
      },
      'FailedOperation',
      'The schema schema-00000000 is bound to datahub-a, datahub-b.',
    ],
    precondition_failed: [
      { reason: 'precondition_failed', current: 3 },
      'FailedOperation',
      'changed meanwhile',
    ],
    quota_exceeded: [
      { reason: 'quota_exceeded', what: 'tasks', limit: 1_000 },
      'LimitExceeded',
      'There are 1000 tasks, and that is the most.',
    ],
    schema_mismatch: [
      { reason: 'schema_mismatch', path, field: 'age', problem: 'must be an INT32' },
      'InvalidParameterValue',
      'A value specified in `Message.3.Body` is not valid. It does not fit the schema. The field age must be an INT32.',
    ],
    not_supported: [
      {
        reason: 'not_supported',
        path: 'TargetResource.Type',
        what: 'COS',
        supported: 'use KAFKA or TOPIC',
      },
      'UnsupportedOperation',
      '`TargetResource.Type`: COS is not supported; use KAFKA or TOPIC.',
    ],
    idempotency_key_reused: [
      { reason: 'idempotency_key_reused' },
      'InvalidParameterValue',
      'another body',
    ],
    instance_not_found: [
      { reason: 'instance_not_found', instance: 'ckafka-x', own: 'ckafka-00000000' },
      'InvalidParameterValue.InstanceNotExist',
      'The instance `ckafka-x` does not exist; this is `ckafka-00000000`.',
    ],
    topic_not_found: [
      { reason: 'topic_not_found', topic: 't' },
      'ResourceNotFound',
      'The topic `t` does not exist.',
    ],
    partition_not_found: [
      { reason: 'partition_not_found', topic: 't', partition: 9 },
      'InvalidParameterValue',
      'The topic t has no partition 9.',
    ],
    topic_not_readable: [{ reason: 'topic_not_readable', topic: 't' }, 'FailedOperation', 't'],
    message_not_found: [
      { reason: 'message_not_found', why: 'expired', problem },
      'FailedOperation',
      problem,
    ],
    invalid_cursor: [{ reason: 'invalid_cursor' }, 'InvalidParameterValue', 'Cursor'],
    rate_limited: [
      { reason: 'rate_limited', perSecond: 20 },
      'RequestLimitExceeded',
      'Your current request times equals to `21` in a second, which exceeds the frequency limit `20` for a second. Please reduce the frequency of calls.',
    ],
    datahub_rate_limited: [
      { reason: 'datahub_rate_limited', datahub: 'datahub-nyxxxxiy', perSecond: 2_000 },
      'RequestLimitExceeded',
      'limit exceeded dataHubId [datahub-nyxxxxiy]',
    ],
    address_rate_limited: [
      { reason: 'address_rate_limited' },
      'RequestLimitExceeded.IPLimitExceeded',
      'from this address',
    ],
    relay_not_connected: [{ reason: 'relay_not_connected' }, 'ResourceUnavailable', 'relay'],
    relay_busy: [{ reason: 'relay_busy' }, 'ServiceUnavailable', 'relay'],
    relay_timed_out: [{ reason: 'relay_timed_out' }, 'ServiceUnavailable', '10 s'],
    kafka_unavailable: [{ reason: 'kafka_unavailable' }, 'ResourceUnavailable', 'Kafka'],
    route_not_found: [{ reason: 'route_not_found' }, 'UnsupportedOperation', '`/`'],
    upgrade_required: [
      { reason: 'upgrade_required', protocol: 'websocket' },
      'UnsupportedProtocol',
      '`websocket`',
    ],
    method_not_allowed: [
      { reason: 'method_not_allowed', allow: 'POST' },
      'UnsupportedProtocol',
      'use POST',
    ],
    not_confirmed: [{ reason: 'not_confirmed', keyed: false }, 'InternalError', 'not confirmed'],
    unavailable: [{ reason: 'unavailable', retryAfterSeconds: 2 }, 'ServiceUnavailable', '2 s'],
    internal: [{ reason: 'internal' }, 'InternalError', 'Quote the RequestId'],
  }

  it.for(Object.entries(rows))('%s', ([, [rejection, code, text]], { expect }) => {
    const error = errorOfRejection(rejection)
    expect(TENCENT_CODES).toContain(error.code)
    expect(error.code).toBe(code)
    expect(error.message).toContain(text)
  })

  it('and a request that has too many parameters is told so without a name', ({ expect }) => {
    const rejection = { reason: 'malformed_parameter', path: '', problem } as const
    expect(errorOfRejection(rejection)).toEqual({ code: 'InvalidParameter', message: problem })
  })

  it('and a part that is too large is a bad value, not a large request', ({ expect }) => {
    expect(errorOfRejection({ reason: 'body_too_large', limit: 9, path: 'Message.3' })).toEqual({
      code: 'InvalidParameterValue',
      message: 'A value specified in `Message.3` is not valid. It has more than 9 bytes.',
    })
  })
})

describe('every problem of a signature has a code', () => {
  const rows: Record<SignatureProblem['reason'], [SignatureProblem, TencentCode, string]> = {
    timestamp_invalid: [
      { reason: 'timestamp_invalid', name: 'Timestamp' },
      'InvalidParameterValue',
      'A value specified in `Timestamp` is not valid. It must be Unix seconds, decimal.',
    ],
    expired: [
      { reason: 'expired', requestSeconds: 1_704_790_596, serverSeconds: 1_704_791_200 },
      'AuthFailure.SignatureExpire',
      'The signature has expired: request time 1704790596, server time 1704791200, difference 604 s, allowed 300 s.',
    ],
    date_mismatch: [
      { reason: 'date_mismatch', credentialDate: '2024-01-10', utcDate: '2024-01-09' },
      'AuthFailure.SignatureFailure',
      'The credential date is 2024-01-10, but X-TC-Timestamp is in the UTC date 2024-01-09',
    ],
    header_not_signed: [
      { reason: 'header_not_signed', header: 'host' },
      'AuthFailure.SignatureFailure',
      'SignedHeaders must contain `host`.',
    ],
    signed_header_absent: [
      { reason: 'signed_header_absent', header: 'x-tc-a' },
      'AuthFailure.SignatureFailure',
      'SignedHeaders names `x-tc-a`',
    ],
    payload_not_signed: [
      { reason: 'payload_not_signed' },
      'AuthFailure.SignatureFailure',
      'sign the SHA-256 of the request body',
    ],
    signature_malformed: [
      { reason: 'signature_malformed', method: 'HmacSHA1', bytes: 20 },
      'AuthFailure.SignatureFailure',
      '`Signature` is not the base64 text of the 20 bytes of HmacSHA1; encode it for the URL, `+` as `%2B`.',
    ],
    signature_mismatch: [
      { reason: 'signature_mismatch', tried: [] },
      'AuthFailure.SignatureFailure',
      'The provided credentials could not be validated. Please check your signature is correct.',
    ],
  }

  it.for(Object.entries(rows))('%s', ([, [problem, code, text]], { expect }) => {
    const error = errorOfSignature(problem)
    expect(error.code).toBe(code)
    expect(error.message).toContain(text)
  })
})

describe('every problem of a call has a code', () => {
  const rows: Record<CallProblem['reason'], [CallProblem, TencentCode, string]> = {
    method_not_supported: [
      { reason: 'method_not_supported', method: 'PUT' },
      'UnsupportedProtocol',
      'The request method `PUT` is not supported; use GET or POST.',
    ],
    request_too_large: [
      { reason: 'request_too_large', part: 'body', bytes: 10_485_761, limit: 10_485_760 },
      'RequestSizeLimitExceeded',
      'The request body is 10485761 bytes; the limit is 10485760 bytes.',
    ],
    content_type_not_supported: [
      {
        reason: 'content_type_not_supported',
        contentType: 'text/plain',
        expected: 'application/json',
      },
      'UnsupportedOperation',
      'The content type `text/plain` is not supported; use `application/json`.',
    ],
    content_encoding_not_supported: [
      { reason: 'content_encoding_not_supported', encoding: 'gzip' },
      'UnsupportedOperation',
      'The content encoding `gzip` is not supported; send the body as it is.',
    ],
    unsigned_not_allowed: [
      { reason: 'unsigned_not_allowed' },
      'AuthFailure.UnauthorizedOperation',
      'SKIP',
    ],
    common_parameter_missing: [
      { reason: 'common_parameter_missing', name: 'Timestamp' },
      'MissingParameter',
      'The request is missing a required parameter `Timestamp`.',
    ],
    authorization_malformed: [
      { reason: 'authorization_malformed' },
      'AuthFailure.InvalidAuthorization',
      'TC3-HMAC-SHA256 Credential=',
    ],
    unknown_version: [{ reason: 'unknown_version', version: 'x' }, 'NoSuchVersion', '`2019-08-19`'],
    unknown_action: [{ reason: 'unknown_action', action: 'X' }, 'InvalidAction', '`X`'],
    secret_id_not_found: [
      { reason: 'secret_id_not_found' },
      'AuthFailure.SecretIdNotFound',
      'The SecretId is not found, please ensure that your SecretId is correct.',
    ],
    token_not_valid: [
      { reason: 'token_not_valid' },
      'AuthFailure.TokenFailure',
      'The token is not valid.',
    ],
  }

  it.for(Object.entries(rows))('%s', ([, [problem, code, text]], { expect }) => {
    const error = errorOfCall(problem)
    expect(error.code).toBe(code)
    expect(error.message).toContain(text)
  })
})

it("names the state of a task by Tencent's own words", ({ expect }) => {
  const statuses: TaskStatus[] = [-1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
  const words = statuses.map((status) => [
    status,
    errorOfRejection({ reason: 'task_not_running', datahub: 'd', status }).message,
  ])
  expect(Object.fromEntries(words)).toEqual({
    '-1': 'task status failed [d]',
    0: 'task status creating [d]',
    1: 'task status running [d]',
    2: 'task status deleting [d]',
    3: 'task status deleting [d]',
    4: 'task status deleting [d]',
    5: 'task status suspended [d]',
    6: 'task status suspended [d]',
    7: 'task status suspended [d]',
    8: 'task status running [d]',
    9: 'task status suspended [d]',
  })
})

describe('a request that is too large is told', () => {
  const tooLarge = (part: 'query' | 'form' | 'body', bytes?: number) =>
    errorOfCall({
      reason: 'request_too_large',
      part,
      limit: 9,
      ...(bytes !== undefined && { bytes }),
    }).message

  it('its size where that is known, and what takes more', ({ expect }) => {
    expect(tooLarge('body')).toBe('The request body has more than 9 bytes.')
    expect(tooLarge('query', 10)).toBe('The query is 10 bytes; the limit is 9 bytes. Use POST.')
    expect(tooLarge('form', 10)).toBe(
      'The request body is 10 bytes; the limit is 9 bytes. With TC3-HMAC-SHA256 the limit is 10485760 bytes; use it.',
    )
  })
})

describe('a response', () => {
  const ids = { requestId: '00000000-0000-4000-8000-000000000000' }

  it('of success has no Error, of failure only Error and RequestId', async ({ expect }) => {
    const success = successResponse({ MessageId: ['a'] }, ids)
    expect(await success.text()).toBe(
      `{"Response":{"MessageId":["a"],"RequestId":"${ids.requestId}"}}`,
    )
    const failure = errorResponse({ code: 'InvalidAction', message: 'No.' }, ids)
    expect(await failure.text()).toBe(
      `{"Response":{"Error":{"Code":"InvalidAction","Message":"No."},"RequestId":"${ids.requestId}"}}`,
    )
    for (const response of [success, failure]) {
      expect(response.status).toBe(200)
      expect(response.headers.get('content-type')).toBe('application/json')
      expect(response.headers.has('x-tc-traceid')).toBe(false)
    }
  })

  it('says nothing that is no text, whatever its message quotes', async ({ expect }) => {
    const message = 'The topic \ud83d does not exist.'
    const failure = errorResponse({ code: 'ResourceNotFound', message }, ids)
    const { Response } = await failure.json<{ Response: { Error: { Message: string } } }>()
    expect(Response.Error.Message.isWellFormed()).toBe(true)
  })
})
