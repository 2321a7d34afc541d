/**
 * From an HTTP request to an authenticated call of a known action, in the order in which the real service checks. It does not know what
 * an action does. Only a POST with a JSON body and a TC3 signature gets through; everything else is told what to use in its place.
 */
import { MAX_BODY_BYTES } from '#contract'
import { readBody } from '../body.ts'
import type { Credential, Directory } from '../registry/directory.ts'
import {
  API_VERSION,
  errorOfCall,
  errorOfRejection,
  errorOfSignature,
  type CallProblem,
  type TencentError,
} from './error.ts'
import { parseTc3Authorization, type Tc3Authorization } from './tc3-authorization.ts'
import type { SignedRequest } from './tc3-candidates.ts'
import { checkTc3Signature } from './tc3.ts'

export interface CallDeps {
  directory: Directory
  /** Unix ms. */
  now: () => number
  /** Names that clients may sign besides the Host header and Tencent's own. */
  hostAliases: readonly string[]
}

export interface Refused {
  status: 'refused'
  error: TencentError
  /** The arm of the union that it came from, for the log. */
  reason: string
  /** The signatures' candidates, for the log alone. */
  tried?: string
  /** What made it fail, for the log alone. */
  cause?: string
}

export interface Call {
  status: 'authenticated'
  action: string
  credential: Credential
  body: Uint8Array
  headers: Headers
}

/** `actions` are the known ones, by name. */
export async function authenticateCall<Run>(
  request: Request,
  deps: CallDeps,
  actions: ReadonlyMap<string, Run>,
): Promise<(Call & { run: Run }) | Refused> {
  if (request.method !== 'POST' && request.method !== 'GET') {
    return refuse(errorOfCall, { reason: 'method_not_supported', method: request.method })
  }
  const body = request.method === 'GET' ? new Uint8Array() : await readBody(request, MAX_BODY_BYTES)
  if (!body) return refuse(errorOfRejection, { reason: 'body_too_large', limit: MAX_BODY_BYTES })
  const signed = signedRequestOf(request, body)
  const head = readHead(signed, actions)
  if (head.status === 'refused') return head

  const { authorization, action, run } = head
  const credential = await deps.directory.findCredential(authorization.secretId)
  if (!credential) return refuse(errorOfCall, { reason: 'secret_id_not_found' })
  const { secretKeys } = credential
  const options = { secretKeys, now: deps.now(), hostAliases: deps.hostAliases }
  const check = await checkTc3Signature(signed, authorization, options)
  if (check.status === 'refused') {
    const refused = refuse(errorOfSignature, check.problem)
    const tried = 'tried' in check.problem ? JSON.stringify(check.problem.tried) : undefined
    return tried === undefined ? refused : { ...refused, tried }
  }
  // X-TC-Token is not looked at: the signature does not cover it, and no credential here is temporary.
  return { status: 'authenticated', action, run, credential, body, headers: request.headers }
}

interface Head<Run> {
  status: 'read'
  action: string
  run: Run
  authorization: Tc3Authorization
}

/** All that can be said before a look-up. */
function readHead<Run>(
  request: SignedRequest,
  actions: ReadonlyMap<string, Run>,
): Head<Run> | Refused {
  const header = (name: string): string => request.headers.get(name)?.trim() ?? ''
  const authorizationText = header('authorization')
  const problem = transportProblem(request, authorizationText, header('content-type'))
  if (problem) return refuse(errorOfCall, problem)

  // Timestamp first: what the real service says to a bare unsigned request.
  for (const name of ['Timestamp', 'Action', 'Version']) {
    const isMissing = header(`X-TC-${name}`) === ''
    if (isMissing) return refuse(errorOfCall, { reason: 'common_parameter_missing', name })
  }
  if (authorizationText === '') {
    return refuse(errorOfCall, { reason: 'common_parameter_missing', name: 'Authorization' })
  }
  const version = header('X-TC-Version')
  if (version !== API_VERSION) return refuse(errorOfCall, { reason: 'unknown_version', version })
  const action = header('X-TC-Action')
  const run = actions.get(action)
  if (!run) return refuse(errorOfCall, { reason: 'unknown_action', action })
  const authorization = parseTc3Authorization(authorizationText)
  if (!authorization) return refuse(errorOfCall, { reason: 'authorization_malformed' })
  return { status: 'read', action, run, authorization }
}

/** Which way a call is signed, with the modes that are not served yet. */
function transportProblem(
  request: SignedRequest,
  authorization: string,
  contentType: string,
): CallProblem | undefined {
  if (authorization === 'SKIP') return { reason: 'unsigned_not_allowed' }
  const isGet = request.method === 'GET'
  if (authorization.startsWith('TC3-HMAC-SHA256')) {
    if (isGet) return { reason: 'get_not_supported' }
    // An absent content type is the signature's problem: it must be signed.
    const isJson = /^application\/json[ \t]*(;|$)/i.test(contentType)
    if (contentType === '' || isJson) return undefined
    return { reason: 'content_type_not_supported', contentType }
  }
  if (hasSignatureParameter(request.rawQuery)) {
    return { reason: isGet ? 'get_not_supported' : 'v1_not_supported' }
  }
  if (/^application\/x-www-form-urlencoded/i.test(contentType)) {
    const form = new TextDecoder().decode(request.body.subarray(0, MAX_V1_BODY_BYTES))
    if (hasSignatureParameter(form)) return { reason: 'v1_not_supported' }
  }
  return undefined
}

/** Tencent's cap for a POST with signature v1. */
const MAX_V1_BODY_BYTES = 1_048_576

function hasSignatureParameter(form: string): boolean {
  return /(^|&)Signature=/.test(form)
}

/**
 * Path and query as texts of the URL, not parsed again: decoding and encoding them would change what was signed. Where there is no
 * Host header, the URL's authority is the host (HTTP/2 and HTTP/3 send nothing else).
 */
export function signedRequestOf(request: Request, body: Uint8Array): SignedRequest {
  const [, authority = '', rawPath = '', rawQuery = ''] =
    /^[a-z]+:\/\/([^/?#]*)([^?#]*)\??([^#]*)/i.exec(request.url) ?? []
  const headers = new Headers(request.headers)
  if (!headers.has('host')) headers.set('host', authority)
  return { method: request.method, rawPath, rawQuery, headers, body }
}

export function refuse<P extends { reason: string }>(
  table: (problem: P) => TencentError,
  problem: P,
): Refused {
  return { status: 'refused', error: table(problem), reason: problem.reason }
}
