/**
 * Tencent's error codes, and one exhaustive table from each union of refusals to them. Clients branch on
 * the code; the message says what to do. It never says which candidates of a signature were tried, nor why something inside failed.
 */
import { MAX_BODY_BYTES } from '#contract'
import { TROUBLE } from '../query/trouble.ts'
import type { TaskStatus } from '../registry/directory.ts'
import { sentence, type Rejection } from '../rejection.ts'
import { TIMESTAMP_TOLERANCE_SECONDS, type SignatureProblem } from './signature.ts'

export const TENCENT_CODES = [
  'AuthFailure.InvalidAuthorization',
  'AuthFailure.SecretIdNotFound',
  'AuthFailure.SignatureExpire',
  'AuthFailure.SignatureFailure',
  'AuthFailure.TokenFailure',
  'AuthFailure.UnauthorizedOperation',
  'FailedOperation',
  'InternalError',
  'InvalidAction',
  'InvalidParameter',
  'InvalidParameterValue',
  'InvalidParameterValue.InstanceNotExist',
  'InvalidParameterValue.RepetitionValue',
  'LimitExceeded',
  'MissingParameter',
  'NoSuchVersion',
  'RequestLimitExceeded',
  'RequestLimitExceeded.IPLimitExceeded',
  'RequestSizeLimitExceeded',
  'ResourceNotFound',
  'ResourceUnavailable',
  'ServiceUnavailable',
  'UnknownParameter',
  'UnsupportedOperation',
  'UnsupportedProtocol',
] as const
export type TencentCode = (typeof TENCENT_CODES)[number]

export interface TencentError {
  code: TencentCode
  message: string
}

export const API_VERSION = '2019-08-19'

/** What can be wrong with a call besides its signature and its parameters. */
export type CallProblem =
  | { reason: 'method_not_supported'; method: string }
  /** `form`: of signature v1, where TC3 may have more. `bytes` where they are known. */
  | { reason: 'request_too_large'; part: 'query' | 'form' | 'body'; bytes?: number; limit: number }
  | { reason: 'content_type_not_supported'; contentType: string; expected: string }
  | { reason: 'content_encoding_not_supported'; encoding: string }
  /** `Authorization: SKIP` */
  | { reason: 'unsigned_not_allowed' }
  | { reason: 'common_parameter_missing'; name: string }
  | { reason: 'authorization_malformed' }
  | { reason: 'unknown_version'; version: string }
  | { reason: 'unknown_action'; action: string }
  | { reason: 'secret_id_not_found' }
  /** Of a temporary credential, though the signature is right. */
  | { reason: 'token_not_valid' }

export function errorOfCall(problem: CallProblem): TencentError {
  switch (problem.reason) {
    case 'method_not_supported':
      return {
        code: 'UnsupportedProtocol',
        message: `The request method \`${clip(problem.method)}\` is not supported; use GET or POST.`,
      }
    case 'request_too_large': {
      const { part, bytes, limit } = problem
      const what = part === 'query' ? 'query' : 'request body'
      const size =
        bytes === undefined
          ? `The ${what} has more than ${limit} bytes.`
          : `The ${what} is ${bytes} bytes; the limit is ${limit} bytes.`
      return { code: 'RequestSizeLimitExceeded', message: `${size}${MORE[part]}` }
    }
    case 'content_type_not_supported':
      return {
        code: 'UnsupportedOperation',
        message: `The content type \`${clip(problem.contentType)}\` is not supported; use \`${problem.expected}\`.`,
      }
    case 'content_encoding_not_supported':
      return {
        code: 'UnsupportedOperation',
        message: `The content encoding \`${clip(problem.encoding)}\` is not supported; send the body as it is.`,
      }
    case 'unsigned_not_allowed':
      return {
        code: 'AuthFailure.UnauthorizedOperation',
        message:
          'Unsigned calls (`Authorization: SKIP`) are not allowed; sign with TC3-HMAC-SHA256.',
      }
    case 'common_parameter_missing':
      return missing(problem.name)
    case 'authorization_malformed':
      return {
        code: 'AuthFailure.InvalidAuthorization',
        message:
          'The `Authorization` header is not in the form `TC3-HMAC-SHA256 Credential=…/…/…/tc3_request, SignedHeaders=…, Signature=…`.',
      }
    case 'unknown_version':
      return {
        code: 'NoSuchVersion',
        message: `The version \`${clip(problem.version)}\` does not exist; use \`${API_VERSION}\`.`,
      }
    case 'unknown_action':
      return {
        code: 'InvalidAction',
        message: `The action \`${clip(problem.action)}\` does not exist or is not supported.`,
      }
    case 'secret_id_not_found':
      return {
        code: 'AuthFailure.SecretIdNotFound',
        message: 'The SecretId is not found, please ensure that your SecretId is correct.',
      }
    case 'token_not_valid':
      return { code: 'AuthFailure.TokenFailure', message: 'The token is not valid.' }
  }
}

/** Where a request may be larger. */
const MORE = {
  query: ' Use POST.',
  form: ` With TC3-HMAC-SHA256 the limit is ${MAX_BODY_BYTES} bytes; use it.`,
  body: '',
}

function signatureFailure(detail: string): TencentError {
  const message = `The provided credentials could not be validated. Please check your signature is correct.${detail}`
  return { code: 'AuthFailure.SignatureFailure', message }
}

export function errorOfSignature(problem: SignatureProblem): TencentError {
  switch (problem.reason) {
    case 'timestamp_invalid':
      return badValue(problem.name, 'It must be Unix seconds, decimal.')
    case 'expired': {
      const { requestSeconds, serverSeconds } = problem
      const difference = Math.abs(serverSeconds - requestSeconds)
      return {
        code: 'AuthFailure.SignatureExpire',
        message: `The signature has expired: request time ${requestSeconds}, server time ${serverSeconds}, difference ${difference} s, allowed ${TIMESTAMP_TOLERANCE_SECONDS} s.`,
      }
    }
    case 'date_mismatch':
      return signatureFailure(
        ` The credential date is ${problem.credentialDate}, but X-TC-Timestamp is in the UTC date ${problem.utcDate}; use the UTC date.`,
      )
    case 'header_not_signed':
      return signatureFailure(` SignedHeaders must contain \`${problem.header}\`.`)
    case 'signed_header_absent':
      return signatureFailure(
        ` SignedHeaders names \`${problem.header}\`, which the request does not carry.`,
      )
    case 'payload_not_signed':
      return signatureFailure(
        ' UNSIGNED-PAYLOAD is not supported: sign the SHA-256 of the request body.',
      )
    case 'signature_malformed':
      return signatureFailure(
        ` \`Signature\` is not the base64 text of the ${problem.bytes} bytes of ${problem.method}; encode it for the URL, \`+\` as \`%2B\`.`,
      )
    case 'signature_mismatch':
      return signatureFailure('')
  }
}

export function errorOfRejection(rejection: Rejection): TencentError {
  switch (rejection.reason) {
    case 'body_too_large': {
      const { path, limit } = rejection
      if (path !== undefined) return badValue(path, `It has more than ${limit} bytes.`)
      const message = `The request body has more than ${limit} bytes.`
      return { code: 'RequestSizeLimitExceeded', message }
    }
    case 'report_too_large': {
      const { path, topic, bytes, limit } = rejection
      return badValue(
        path,
        `The topic ${topic} takes messages of at most ${limit} bytes; this one would have ${bytes}.`,
      )
    }
    case 'not_utf8':
      return { code: 'InvalidParameter', message: 'The request body is not valid UTF-8.' }
    case 'invalid_json':
      return {
        code: 'InvalidParameter',
        message: `The request body is not valid JSON: ${rejection.problem}`,
      }
    case 'unsupported_media_type':
      return {
        code: 'UnsupportedOperation',
        message: rejection.problem,
      }
    case 'malformed_parameter': {
      const { path, problem } = rejection
      const what = path === '' ? '' : `The parameter \`${clip(path)}\` is not valid. `
      return { code: 'InvalidParameter', message: what + problem }
    }
    case 'invalid_type': {
      const { path, expected, hint } = rejection
      const what = path === '' ? 'the request body' : `parameter \`${clip(path)}\``
      // Tencent names the bare type: `string`.
      const type = expected.replace(/^an? /, '')
      const message = `The value type of ${what} is not valid, input type should be \`${type}\`.`
      return { code: 'InvalidParameter', message: hint ? `${message} ${hint}` : message }
    }
    case 'missing':
      return missing(rejection.path)
    case 'unknown_field':
      return {
        code: 'UnknownParameter',
        message: `The parameter \`${clip(rejection.path)}\` is not recognized.`,
      }
    case 'invalid_value':
      return badValue(rejection.path, rejection.problem)
    case 'invalid_header':
      return badValue(rejection.header, rejection.problem)
    case 'unauthenticated':
    case 'forbidden':
      return { code: 'AuthFailure.UnauthorizedOperation', message: rejection.problem }
    case 'datahub_not_found':
      return {
        code: 'ResourceNotFound',
        message: `The DataHub access point \`${clip(rejection.datahub)}\` does not exist.`,
      }
    case 'task_not_running':
    case 'task_state_conflict': {
      const state = STATE_WORDS[rejection.status]
      const message = `task status ${state} [${clip(rejection.datahub)}]`
      return { code: 'FailedOperation', message }
    }
    case 'receipt_not_valid':
      return badValue('Receipt', 'It is not a receipt of this service.')
    case 'envelope_not_found':
      return { code: 'ResourceNotFound', message: 'The object does not exist.' }
    case 'conflict':
      return { code: 'FailedOperation', message: rejection.problem }
    case 'task_not_found':
      return {
        code: 'ResourceNotFound',
        message: `The task \`${clip(rejection.taskId)}\` does not exist.`,
      }
    case 'credential_not_found':
      return { code: 'ResourceNotFound', message: 'The credential does not exist.' }
    case 'schema_not_found':
      return {
        code: 'ResourceNotFound',
        message: `The schema \`${clip(rejection.schemaId)}\` does not exist.`,
      }
    case 'name_taken':
      return {
        code: 'InvalidParameterValue.RepetitionValue',
        message: `A value specified in \`${clip(rejection.path)}\` is not valid. There is one named ${clip(rejection.name)} already.`,
      }
    case 'schema_in_use':
      return {
        code: 'FailedOperation',
        message: `The schema ${rejection.schemaId} is bound to ${rejection.datahubs.join(', ')}.`,
      }
    case 'precondition_failed':
      return { code: 'FailedOperation', message: 'It was changed meanwhile.' }
    case 'quota_exceeded':
      return {
        code: 'LimitExceeded',
        message: `There are ${rejection.limit} ${rejection.what}, and that is the most.`,
      }
    case 'schema_mismatch': {
      const { path, field, problem } = rejection
      const what = field === undefined ? 'It' : `The field ${field}`
      return badValue(path, `It does not fit the schema. ${what} ${problem}.`)
    }
    case 'not_supported': {
      const { path, what, supported } = rejection
      return {
        code: 'UnsupportedOperation',
        message: `\`${clip(path)}\`: ${clip(what)} is not supported; ${supported}.`,
      }
    }
    case 'idempotency_key_reused':
      return badValue('Idempotency-Key', 'It was used with another body.')
    case 'instance_not_found':
      return {
        code: 'InvalidParameterValue.InstanceNotExist',
        message: `The instance \`${clip(rejection.instance)}\` does not exist; this is \`${rejection.own}\`.`,
      }
    case 'topic_not_found':
      return {
        code: 'ResourceNotFound',
        message: `The topic \`${clip(rejection.topic)}\` does not exist.`,
      }
    case 'partition_not_found':
      return badValue(
        'Partition',
        `The topic ${rejection.topic} has no partition ${rejection.partition}.`,
      )
    case 'topic_not_readable':
      return {
        code: 'FailedOperation',
        message: `Kafka does not let the relay read the topic ${rejection.topic}.`,
      }
    case 'message_not_found':
      return { code: 'FailedOperation', message: rejection.problem }
    case 'invalid_cursor':
      return badValue('Cursor', 'It is none of this service.')
    case 'rate_limited': {
      const { perSecond } = rejection
      return {
        code: 'RequestLimitExceeded',
        message: `Your current request times equals to \`${perSecond + 1}\` in a second, which exceeds the frequency limit \`${perSecond}\` for a second. Please reduce the frequency of calls.`,
      }
    }
    case 'datahub_rate_limited':
      return {
        code: 'RequestLimitExceeded',
        message: `limit exceeded dataHubId [${rejection.datahub}]`,
      }
    case 'address_rate_limited':
      return {
        code: 'RequestLimitExceeded.IPLimitExceeded',
        message: 'Too many requests come from this address. Please reduce the frequency of calls.',
      }
    case 'relay_not_connected':
    case 'kafka_unavailable':
      return { code: 'ResourceUnavailable', message: TROUBLE[rejection.reason] }
    case 'relay_busy':
    case 'relay_timed_out':
      return { code: 'ServiceUnavailable', message: TROUBLE[rejection.reason] }
    case 'route_not_found':
      return {
        code: 'UnsupportedOperation',
        message: 'There is nothing at this path; send API calls to `/`.',
      }
    case 'method_not_allowed':
      return {
        code: 'UnsupportedProtocol',
        message: `The request method is not supported; use ${rejection.allow}.`,
      }
    case 'upgrade_required':
      return {
        code: 'UnsupportedProtocol',
        message: `The request must ask for the protocol \`${rejection.protocol}\`.`,
      }
    case 'not_confirmed':
      return {
        code: 'InternalError',
        message:
          'It is not confirmed whether the messages were taken. Sending them again is possible, but may store them twice.',
      }
    case 'unavailable':
      return {
        code: 'ServiceUnavailable',
        message: `The service is temporarily unavailable. Please try again in ${rejection.retryAfterSeconds} s.`,
      }
    case 'internal':
      return INTERNAL_ERROR
  }
}

/** The word for a task's status, as Tencent's own error texts have it. */
const STATE_WORDS: Readonly<Record<TaskStatus, string>> = {
  [-1]: 'failed',
  0: 'creating',
  1: 'running',
  2: 'deleting',
  3: 'deleting',
  4: 'deleting',
  5: 'suspended',
  6: 'suspended',
  7: 'suspended',
  8: 'running',
  9: 'suspended',
}

const INTERNAL_ERROR: TencentError = {
  code: 'InternalError',
  message: 'An internal error occurred. Quote the RequestId when reporting it.',
}

function missing(name: string): TencentError {
  return {
    code: 'MissingParameter',
    message: `The request is missing a required parameter \`${clip(name)}\`.`,
  }
}

function badValue(name: string, problem: string): TencentError {
  return {
    code: 'InvalidParameterValue',
    message: `A value specified in \`${clip(name)}\` is not valid. ${sentence(problem)}`,
  }
}

/** The longest text of a client's own that a message repeats; a body's field name may have megabytes. */
const MAX_QUOTED_CHARS = 128

/** `toWellFormed` after the cut, which may fall inside a surrogate pair. */
function clip(text: string): string {
  if (text.length <= MAX_QUOTED_CHARS) return text.toWellFormed()
  return `${text.slice(0, MAX_QUOTED_CHARS).toWellFormed()}…`
}
