import { describe, it } from 'vitest'
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
import type { SignatureProblem } from '../../../worker/tencent/tc3.ts'

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
      { reason: 'unsupported_media_type', expected: 'application/json' },
      'UnsupportedOperation',
      '`application/json`',
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
      { reason: 'task_not_running', datahub: 'datahub-lxxxxxx6', state: 'suspended' },
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
      { reason: 'timestamp_invalid' },
      'InvalidParameterValue',
      '`X-TC-Timestamp`',
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
    get_not_supported: [
      { reason: 'get_not_supported' },
      'UnsupportedOperation',
      'GET requests are not supported yet; use POST with a JSON body',
    ],
    v1_not_supported: [{ reason: 'v1_not_supported' }, 'UnsupportedOperation', 'TC3-HMAC-SHA256'],
    content_type_not_supported: [
      { reason: 'content_type_not_supported', contentType: 'text/plain' },
      'UnsupportedOperation',
      '`text/plain`',
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
  }

  it.for(Object.entries(rows))('%s', ([, [problem, code, text]], { expect }) => {
    const error = errorOfCall(problem)
    expect(error.code).toBe(code)
    expect(error.message).toContain(text)
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
})
