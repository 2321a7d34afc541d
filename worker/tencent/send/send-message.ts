/**
 * The action SendMessage, from its parsed body to its answer: who may send where, the accept, and the hold. Parsing and the words of the
 * answer are elsewhere.
 */
import { DatahubId, type Outcome } from '#contract'
import type { Acceptance } from '../../accept.ts'
import { describeError } from '../../log.ts'
import { SENDS_PER_SECOND, takeSend } from '../../rate-limit.ts'
import { mayUse, type Credential, type Task } from '../../registry/directory.ts'
import { validTraceparent } from '../../trace-context.ts'
import type { Action, TencentDeps } from '../action.ts'
import { refuse, type Refused } from '../call.ts'
import { errorOfRejection } from '../error.ts'
import { answerOfOutcome, answerOfPending, type SendAnswer } from './answer.ts'
import { parseSendMessage, type SendMessage } from './messages.ts'

export const sendMessage: Action = async ({ credential, parameters, headers }, deps) => {
  if (!takeSend(deps.rateLimit, credential)) {
    return refuse(errorOfRejection, { reason: 'rate_limited', perSecond: SENDS_PER_SECOND })
  }
  const parsed = parseSendMessage(parameters())
  if (parsed.status === 'rejected') return refuse(errorOfRejection, parsed.rejection)
  const target = await findTarget(parsed.message, credential, deps)
  if (target.status === 'refused') return target

  const { task } = target
  const traceparent = validTraceparent(headers.get('traceparent'))
  const { records } = parsed.message
  const accepted = await deps.accept({
    task,
    records,
    path: 'Message',
    valueName: 'Body',
    ...(traceparent && { traceparent }),
  })
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
