/**
 * What a request says of itself before anything is looked up: how it is signed, by whom, for which action, and where its parameters are.
 * In the order in which the real service checks. It verifies nothing and parses a body no further than the common parameters need.
 */
import { decodeUtf8 } from '../body.ts'
import type { Parsed } from '../parse.ts'
import type { Rejection } from '../rejection.ts'
import type { CallProblem } from './error.ts'
import { parsePairs, type Pair } from './pairs.ts'
import {
  parametersOfJson,
  parametersOfPairs,
  parametersOfQuery,
  type CallParameters,
} from './parameters.ts'
import type { CheckOptions, SignatureCheck } from './signature.ts'
import type { RequestHead } from './signed-request.ts'
import { parseTc3Authorization, TC3_ALGORITHM } from './tc3-authorization.ts'
import { checkTc3Signature } from './tc3.ts'
import { checkV1Signature } from './v1.ts'

export interface CallHead {
  status: 'read'
  secretId: string
  action: string
  version: string
  /** '' for none. */
  token: string
  verify: (body: Uint8Array, options: CheckOptions) => Promise<SignatureCheck>
  /** Why it gets no further though its signature may be right. */
  problem?: CallProblem
  parameters: (body: Uint8Array) => Parsed<CallParameters>
}

export type NoHead =
  | { status: 'problem'; problem: CallProblem }
  | { status: 'rejected'; rejection: Rejection }

/** `form`: the body where `hasV1Form`; otherwise nothing of a body is needed yet. */
export function readHead(request: RequestHead, form: Uint8Array): CallHead | NoHead {
  const authorization = request.headers.get('authorization')?.trim() ?? ''
  if (authorization === 'SKIP') return problem({ reason: 'unsigned_not_allowed' })
  // A request without any signature ends here too, at the first thing that it does not have.
  if (!isTc3(request)) {
    const v1 = readV1Pairs(request, form)
    if (v1.status !== 'none') return v1.status === 'pairs' ? readV1Head(request, v1.pairs) : v1
  }
  return readTc3Head(request, authorization)
}

/** Whether the body has to be known before the caller: the common parameters of signature v1 stand in it. */
export function hasV1Form(request: Pick<RequestHead, 'method' | 'headers'>): boolean {
  return request.method === 'POST' && isForm(request) && !isTc3(request)
}

/** By how `Authorization` begins; whether it is whole is not looked at. */
function isTc3({ headers }: Pick<RequestHead, 'headers'>): boolean {
  return headers.get('authorization')?.trim().startsWith(TC3_ALGORITHM) ?? false
}

function isForm({ headers }: Pick<RequestHead, 'headers'>): boolean {
  const contentType = headers.get('content-type') ?? ''
  return /^application\/x-www-form-urlencoded[ \t]*(;|$)/i.test(contentType)
}

function readTc3Head(request: RequestHead, authorizationText: string): CallHead | NoHead {
  const header = (name: string): string => request.headers.get(name)?.trim() ?? ''
  const absent =
    // Timestamp first: what the real service says to a bare unsigned request.
    ['Timestamp', 'Action', 'Version'].find((name) => header(`X-TC-${name}`) === '') ??
    (authorizationText === '' ? 'Authorization' : undefined)
  if (absent !== undefined) return problem({ reason: 'common_parameter_missing', name: absent })
  const authorization = parseTc3Authorization(authorizationText)
  if (!authorization) return problem({ reason: 'authorization_malformed' })

  const isGet = request.method === 'GET'
  // An absent content type is the signature's problem: it must be signed. That of a GET says nothing, because there is no body.
  const contentType = header('content-type')
  const isJson = contentType === '' || /^application\/json[ \t]*(;|$)/i.test(contentType)
  return {
    status: 'read',
    secretId: authorization.secretId,
    action: header('X-TC-Action'),
    version: header('X-TC-Version'),
    token: header('X-TC-Token'),
    verify: (body, options) => checkTc3Signature({ ...request, body }, authorization, options),
    ...(!isGet && !isJson && { problem: wrongContentType(contentType, 'application/json') }),
    // The query of a POST is not part of what is signed, so nothing is read from it.
    parameters: (body) => (isGet ? parametersOfQuery(request.rawQuery) : parametersOfJson(body)),
  }
}

const SIGNATURE = /(^|&)(Signature|SecretId)=/

/** none: nothing hints at signature v1. A GET has its parameters in the query, a POST in the form and nowhere else. */
function readV1Pairs(
  request: RequestHead,
  form: Uint8Array,
): { status: 'pairs'; pairs: Pair[] } | { status: 'none' } | NoHead {
  const isGet = request.method === 'GET'
  if (!isGet && !isForm(request)) {
    if (!SIGNATURE.test(request.rawQuery)) return { status: 'none' }
    const contentType = request.headers.get('content-type')?.trim() ?? ''
    return problem(wrongContentType(contentType, 'application/x-www-form-urlencoded'))
  }
  const text = isGet ? request.rawQuery : decodeUtf8(form)
  if (text === undefined) return { status: 'rejected', rejection: { reason: 'not_utf8' } }
  const pairs = parsePairs(text)
  if (pairs.status === 'rejected') return pairs
  const isV1 = pairs.value.some(([name]) => name === 'Signature' || name === 'SecretId')
  return isV1 ? { status: 'pairs', pairs: pairs.value } : { status: 'none' }
}

/** They stand among the parameters, and are none of the action's. */
const COMMON_PARAMETERS = new Set([
  'Action',
  'Version',
  'Region',
  'Timestamp',
  'Nonce',
  'SecretId',
  'SignatureMethod',
  'RequestClient',
  'Signature',
  'Token',
  'Language',
])

function readV1Head(request: RequestHead, pairs: readonly Pair[]): CallHead | NoHead {
  const common = new Map(pairs.filter(([name]) => COMMON_PARAMETERS.has(name)))
  const valueOf = (name: string): string => common.get(name) ?? ''
  const required = ['Timestamp', 'Action', 'Version', 'SecretId', 'Nonce', 'Signature']
  const absent = required.find((name) => valueOf(name) === '')
  if (absent !== undefined) return problem({ reason: 'common_parameter_missing', name: absent })
  return {
    status: 'read',
    secretId: valueOf('SecretId'),
    action: valueOf('Action'),
    version: valueOf('Version'),
    token: valueOf('Token'),
    verify: (_, options) => checkV1Signature(request, pairs, options),
    parameters: () => parametersOfPairs(pairs.filter(([name]) => !COMMON_PARAMETERS.has(name))),
  }
}

function problem(value: CallProblem): NoHead {
  return { status: 'problem', problem: value }
}

function wrongContentType(contentType: string, expected: string): CallProblem {
  return { reason: 'content_type_not_supported', contentType, expected }
}
