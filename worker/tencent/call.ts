/**
 * From an HTTP request to an authenticated call of a known action, in the order in which the real service checks. It does not know what
 * an action does, nor how a signature is made. What is not an authenticated call costs two look-ups of a genuine SecretId at most, and
 * without one no body above 1 MB is read.
 */
import { MAX_BODY_BYTES } from '#contract'
import { equalSecrets } from '../auth/equal.ts'
import { checkNewest } from '../auth/newest-secrets.ts'
import { contentEncodingOf, readBody } from '../body.ts'
import type { Parsed } from '../parse.ts'
import type { Credential, Directory } from '../registry/directory.ts'
import { hasV1Form, readHead, type CallHead } from './call-head.ts'
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
import { requestHeadOf, type RequestHead } from './signed-request.ts'

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

/** `actions` are the known ones, by name. @throws UnavailableError when the credential can't be looked up */
export async function authenticateCall<Run>(
  request: Request,
  deps: CallDeps,
  actions: ReadonlyMap<string, Run>,
): Promise<(Call & { run: Run }) | Refused> {
  const signed = requestHeadOf(request)
  const problem = headProblem(signed)
  if (problem) return refuse(errorOfCall, problem)
  const form = hasV1Form(signed) ? await readBody(request, MAX_V1_BODY_BYTES) : new Uint8Array()
  if (!form) return refuse(errorOfCall, bodyTooLarge(signed))
  const head = readHead(signed, form)
  if (head.status === 'problem') return refuse(errorOfCall, head.problem)
  if (head.status === 'rejected') return refuse(errorOfRejection, head.rejection)

  const { action, version } = head
  if (version !== API_VERSION) return refuse(errorOfCall, { reason: 'unknown_version', version })
  const run = actions.get(action)
  if (!run) return refuse(errorOfCall, { reason: 'unknown_action', action })
  const { directory } = deps
  const cached = await directory.findCredential(head.secretId)
  if (!cached) return refuse(errorOfCall, { reason: 'secret_id_not_found' })
  // Only now: 10 MB are read for nobody who has no SecretId. What nobody reads the runtime drops and the connection goes on; cancelling
  // the body would break it, and lose the answer.
  const isWhole = hasV1Form(signed) || signed.method === 'GET'
  const body = isWhole ? form : await readBody(request, MAX_BODY_BYTES)
  if (!body) return refuse(errorOfCall, bodyTooLarge(signed))

  const { credential, result: refused } = await checkNewest(
    cached,
    directory,
    (one) => secretsProblem(head, body, one, deps),
    (wrong) => wrong?.reason === 'signature_mismatch' || wrong?.reason === 'token_not_valid',
  )
  if (refused) return refused
  if (head.problem) return refuse(errorOfCall, head.problem)
  const parameters = () => head.parameters(body)
  return { status: 'authenticated', action, run, credential, parameters, headers: request.headers }
}

async function secretsProblem(
  head: CallHead,
  body: Uint8Array,
  { secretKeys, sessionToken }: Credential,
  { now, hostAliases, unsignedPayload }: CallDeps,
): Promise<Refused | undefined> {
  const check = await head.verify(body, { secretKeys, now: now(), hostAliases, unsignedPayload })
  if (check.status === 'refused') {
    const refused = refuse(errorOfSignature, check.problem)
    const tried = 'tried' in check.problem ? JSON.stringify(check.problem.tried) : undefined
    return tried === undefined ? refused : { ...refused, tried }
  }
  // A token beside a credential that is not temporary is not looked at: TC3 does not sign it, and it would add nothing.
  return sessionToken === undefined || (await equalSecrets(head.token, sessionToken))
    ? undefined
    : refuse(errorOfCall, { reason: 'token_not_valid' })
}

/** Tencent's caps: of the query of a GET, and of a POST with signature v1. */
const MAX_QUERY_BYTES = 32_768
const MAX_V1_BODY_BYTES = 1_048_576

/** What is wrong before anything is read. HEAD is no GET here: hono would drop the answer, and with it the error that says so. */
function headProblem(request: RequestHead): CallProblem | undefined {
  const { method, rawQuery, headers } = request
  if (method === 'GET') {
    // Of a URL's own characters, so as many as bytes.
    const bytes = rawQuery.length
    if (bytes <= MAX_QUERY_BYTES) return undefined
    return { reason: 'request_too_large', part: 'query', bytes, limit: MAX_QUERY_BYTES }
  }
  if (method !== 'POST') return { reason: 'method_not_supported', method }
  const encoding = contentEncodingOf(headers)
  if (encoding !== undefined) return { reason: 'content_encoding_not_supported', encoding }
  const problem = bodyTooLarge(request)
  return problem.bytes === undefined ? undefined : problem
}

/** With `bytes` where the header announces more than may be; without it the body was longer than it said. */
function bodyTooLarge(request: RequestHead): CallProblem & { reason: 'request_too_large' } {
  const isForm = hasV1Form(request)
  const limit = isForm ? MAX_V1_BODY_BYTES : MAX_BODY_BYTES
  const bytes = Number(request.headers.get('content-length') ?? 0)
  const part = isForm ? 'form' : 'body'
  return { reason: 'request_too_large', part, limit, ...(bytes > limit && { bytes }) }
}

/** `table` is that of the union which the problem is of. */
export function refuse<P extends { reason: string }>(
  table: (problem: P) => TencentError,
  problem: P,
): Refused {
  return { status: 'refused', error: table(problem), reason: problem.reason }
}
