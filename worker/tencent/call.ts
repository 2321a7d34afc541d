/**
 * From an HTTP request to an authenticated call of a known action, in the order in which the real service checks. It does not know what
 * an action does, nor how a signature is made. What is not an authenticated call costs a look-up of a SecretId at most.
 */
import { MAX_BODY_BYTES } from '#contract'
import { equalSecrets } from '../auth/equal.ts'
import { readBody } from '../body.ts'
import type { Parsed } from '../parse.ts'
import type { Credential, Directory } from '../registry/directory.ts'
import { isForm, isTc3, readHead } from './call-head.ts'
import {
  API_VERSION,
  errorOfCall,
  errorOfRejection,
  errorOfSignature,
  type CallProblem,
  type TencentError,
} from './error.ts'
import type { CallParameters } from './parameters.ts'
import type { CheckOptions } from './signature.ts'
import { signedRequestOf, type SignedRequest } from './signed-request.ts'

export interface CallDeps extends Pick<CheckOptions, 'hostAliases' | 'unsignedPayload'> {
  directory: Directory
  /** Unix ms. */
  now: () => number
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
  /** Parsed when asked for, so that a call that may not do what it asks for costs no parsing. */
  parameters: () => Parsed<CallParameters>
  headers: Headers
}

/** `actions` are the known ones, by name. */
export async function authenticateCall<Run>(
  request: Request,
  deps: CallDeps,
  actions: ReadonlyMap<string, Run>,
): Promise<(Call & { run: Run }) | Refused> {
  const signed = await readRequest(request)
  if ('reason' in signed) return refuse(errorOfCall, signed)
  const head = readHead(signed)
  if (head.status === 'problem') return refuse(errorOfCall, head.problem)
  if (head.status === 'rejected') return refuse(errorOfRejection, head.rejection)

  const { action, version, parameters } = head
  if (version !== API_VERSION) return refuse(errorOfCall, { reason: 'unknown_version', version })
  const run = actions.get(action)
  if (!run) return refuse(errorOfCall, { reason: 'unknown_action', action })
  const credential = await deps.directory.findCredential(head.secretId)
  if (!credential) return refuse(errorOfCall, { reason: 'secret_id_not_found' })
  const { secretKeys, sessionToken } = credential
  const { hostAliases, unsignedPayload } = deps
  const check = await head.verify({ secretKeys, now: deps.now(), hostAliases, unsignedPayload })
  if (check.status === 'refused') {
    const refused = refuse(errorOfSignature, check.problem)
    const tried = 'tried' in check.problem ? JSON.stringify(check.problem.tried) : undefined
    return tried === undefined ? refused : { ...refused, tried }
  }
  // A token beside a credential that is not temporary is not looked at: TC3 does not sign it, and it would add nothing.
  if (sessionToken !== undefined && !(await equalSecrets(head.token, sessionToken))) {
    return refuse(errorOfCall, { reason: 'token_not_valid' })
  }
  if (head.problem) return refuse(errorOfCall, head.problem)
  return { status: 'authenticated', action, run, credential, parameters, headers: request.headers }
}

/** Tencent's caps: of the query of a GET, and of a POST with signature v1. */
const MAX_QUERY_BYTES = 32_768
const MAX_V1_BODY_BYTES = 1_048_576

/** HEAD is no GET here: hono would drop the answer, and with it the error that says so. */
async function readRequest(request: Request): Promise<SignedRequest | CallProblem> {
  const { method } = request
  if (method !== 'POST' && method !== 'GET') return { reason: 'method_not_supported', method }
  if (method === 'GET') {
    const signed = signedRequestOf(request, new Uint8Array())
    // Of a URL's own characters, so as many as bytes.
    const bytes = signed.rawQuery.length
    if (bytes <= MAX_QUERY_BYTES) return signed
    return { reason: 'request_too_large', part: 'query', bytes, limit: MAX_QUERY_BYTES }
  }
  const isV1 = isForm(request) && !isTc3(request)
  const limit = isV1 ? MAX_V1_BODY_BYTES : MAX_BODY_BYTES
  const body = await readBody(request, limit)
  if (body) return signedRequestOf(request, body)
  const announced = Number(request.headers.get('content-length') ?? 0)
  return {
    reason: 'request_too_large',
    part: isV1 ? 'form' : 'body',
    limit,
    ...(announced > limit && { bytes: announced }),
  }
}

/** `table` is that of the union which the problem is of. */
export function refuse<P extends { reason: string }>(
  table: (problem: P) => TencentError,
  problem: P,
): Refused {
  return { status: 'refused', error: table(problem), reason: problem.reason }
}
