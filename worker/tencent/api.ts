/**
 * The TencentCloud API at `/`: takes any request, always answers, and always with HTTP 200 in Tencent's envelope. It owns the table of
 * actions, and the order from the authenticated call to the answer; signatures and the actions themselves are elsewhere.
 */
import { describeError, type Log } from '../log.ts'
import { UnavailableError } from '../unavailable.ts'
import type { Action, Answered, TencentDeps } from './action.ts'
import { authenticateCall, type Refused } from './call.ts'
import { errorOfRejection, type TencentError } from './error.ts'
import { describeInstances } from './query/instances.ts'
import {
  fetchMessageByOffset,
  fetchMessageListByOffset,
  fetchMessageListByTimestamp,
} from './query/messages.ts'
import { describeTopic, describeTopicDetail } from './query/topics.ts'
import { errorResponse, successResponse } from './response.ts'
import { sendMessage } from './send/send-message.ts'
import {
  deleteDatahubTask,
  modifyDatahubTask,
  pauseDatahubTask,
  restartDatahubTask,
  resumeDatahubTask,
} from './tasks/change.ts'
import { createDatahubTask } from './tasks/create.ts'
import { describeDatahubTask, describeDatahubTasks } from './tasks/describe.ts'

export const ACTIONS = new Map<string, Action>(
  Object.entries({
    SendMessage: sendMessage,
    CreateDatahubTask: createDatahubTask,
    DescribeDatahubTask: describeDatahubTask,
    DescribeDatahubTasks: describeDatahubTasks,
    ModifyDatahubTask: modifyDatahubTask,
    PauseDatahubTask: pauseDatahubTask,
    ResumeDatahubTask: resumeDatahubTask,
    RestartDatahubTask: restartDatahubTask,
    DeleteDatahubTask: deleteDatahubTask,
    FetchMessageByOffset: fetchMessageByOffset,
    FetchMessageListByOffset: fetchMessageListByOffset,
    FetchMessageListByTimestamp: fetchMessageListByTimestamp,
    DescribeTopic: describeTopic,
    DescribeTopicDetail: describeTopicDetail,
    DescribeInstances: describeInstances,
  }),
)

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
    const { error, reason, tried, cause } = result
    // The candidates of a signature as well: who sets up a client looks for them, and a local stack logs from `warn` on.
    const isNotable = cause !== undefined || tried !== undefined
    const level = error.code === 'InternalError' ? 'error' : isNotable ? 'warn' : 'info'
    log({ level, message: 'API call refused.', code: error.code, reason, tried, cause })
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
  const call = await authenticateCall(request, deps, ACTIONS)
  return call.status === 'refused' ? call : call.run(call, deps)
}

/** Only what can be a header value again, and no novel. */
export function traceIdOf(headers: Headers): string | undefined {
  return /^[\x21-\x7e]{1,128}$/.exec(headers.get('x-tc-traceid') ?? '')?.[0]
}
