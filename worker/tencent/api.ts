/**
 * The TencentCloud API at `/`: takes any request, always answers, and always with HTTP 200 in Tencent's envelope. It owns the order
 * from the authenticated call to the answer; signatures, parsing and accepting are elsewhere.
 */
import { DatahubId, type Outcome, type Receipt } from '#contract'
import type { Acceptance, AcceptInput, AcceptResult } from '../accept.ts'
import { describeError, type Log } from '../log.ts'
import { mayUse, type Credential, type Task } from '../registry/directory.ts'
import { validTraceparent } from '../trace-context.ts'
import { UnavailableError } from '../unavailable.ts'
import { answerOfOutcome, answerOfPending, type SendAnswer } from './answer.ts'
import { authenticateCall, refuse, type Call, type CallDeps, type Refused } from './call.ts'
import { errorOfRejection, type TencentError } from './error.ts'
import { errorResponse, successResponse } from './response.ts'
import { parseSendMessage, type SendMessage } from './send-message.ts'

export interface TencentDeps extends CallDeps {
  /** Refuses a task that is not running (`task_not_running`); that check is of every accepting route. */
  accept: (input: AcceptInput) => Promise<AcceptResult>
  /** Waits up to the hold; undefined when the outcome did not come. */
  outcome: (acceptance: Acceptance) => Promise<Outcome | undefined>
  /** One receipt for each report of the envelope, in order. */
  pendingReceipts: (acceptance: Acceptance) => Promise<readonly Receipt[]>
  log: Log
}

interface Answered {
  status: 'answered'
  fields: { MessageId: string[] }
}

export async function handleTencentRequest(request: Request, deps: TencentDeps): Promise<Response> {
  const ids = { requestId: crypto.randomUUID(), traceId: traceIdOf(request.headers) }
  const log: Log = (entry) => {
    try {
      deps.log({ ...entry, requestId: ids.requestId })
    } catch {
      // A log that can't be written must not cost the client its answer.
    }
  }
  try {
    const result = await answer(request, { ...deps, log })
    if (result.status === 'answered') return successResponse(result.fields, ids)
    const { error, reason, tried } = result
    const level = error.code === 'InternalError' ? 'error' : 'info'
    log({ level, message: 'API call refused.', code: error.code, reason, tried })
    return errorResponse(error, ids)
  } catch (error) {
    log({ level: 'error', message: 'API call failed.', cause: describeError(error) })
    return errorResponse(errorOfThrown(error), ids)
  }
}

function errorOfThrown(error: unknown): TencentError {
  if (!(error instanceof UnavailableError)) return errorOfRejection({ reason: 'internal' })
  const { retryAfterSeconds } = error
  return errorOfRejection({ reason: 'unavailable', retryAfterSeconds })
}

async function answer(request: Request, deps: TencentDeps): Promise<Answered | Refused> {
  const call = await authenticateCall(request, deps)
  if (call.status === 'refused') return call
  switch (call.action) {
    case 'SendMessage':
      return sendMessage(call, request.headers, deps)
  }
}

async function sendMessage(
  { credential, body }: Call,
  headers: Headers,
  deps: TencentDeps,
): Promise<Answered | Refused> {
  const parsed = parseSendMessage(body)
  if (parsed.status === 'rejected') return refuse(errorOfRejection, parsed.rejection)
  const target = await findTarget(parsed.message, credential, deps)
  if (target.status === 'refused') return target

  const { task } = target
  const traceparent = validTraceparent(headers.get('traceparent'))
  const { records } = parsed.message
  const accepted = await deps.accept({ task, records, ...(traceparent && { traceparent }) })
  if (accepted.status === 'rejected') return refuse(errorOfRejection, accepted.rejection)
  const sent = await answerOf(accepted, task, deps)
  if (sent.status === 'failed') {
    return { status: 'refused', error: sent.error, reason: 'not_all_delivered' }
  }
  return { status: 'answered', fields: { MessageId: sent.messageIds } }
}

/**
 * From here on the reports are durable. A status store that can't be asked is therefore no error of this call, only an outcome that is
 * not known yet.
 */
async function answerOf(
  acceptance: Acceptance,
  task: Task,
  deps: TencentDeps,
): Promise<SendAnswer> {
  let outcome: Outcome | undefined
  try {
    outcome = await deps.outcome(acceptance)
  } catch (error) {
    const message = 'Outcome of an accepted envelope not known.'
    deps.log({ level: 'error', message, envelope: acceptance.id, cause: describeError(error) })
  }
  if (outcome) return answerOfOutcome(acceptance, outcome)
  return answerOfPending(acceptance, task, await deps.pendingReceipts(acceptance))
}

/** A datahub that the credential may not know of is answered like one that does not exist, in words and in time. */
async function findTarget(
  { datahub }: SendMessage,
  credential: Credential,
  { directory }: TencentDeps,
): Promise<{ status: 'found'; task: Task } | Refused> {
  const isVisible = credential.datahubs === 'all' || credential.datahubs.includes(datahub)
  const isId = DatahubId.safeParse(datahub).success
  const task = isVisible && isId ? await directory.findTask(datahub) : undefined
  if (!task) return refuse(errorOfRejection, { reason: 'datahub_not_found', datahub })
  if (!mayUse(credential, 'send', task.datahub)) {
    const problem = 'The credential is not allowed to call `SendMessage`.'
    return refuse(errorOfRejection, { reason: 'forbidden', problem })
  }
  return { status: 'found', task }
}

/** Only what can be a header value again, and no novel. */
function traceIdOf(headers: Headers): string | undefined {
  return /^[\x21-\x7e]{1,128}$/.exec(headers.get('x-tc-traceid') ?? '')?.[0]
}
