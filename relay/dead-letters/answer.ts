/**
 * The worker's answer to a replayed POST → what it means for the letter, and for the rest of the run. Pure. An answer that does not look
 * like Edgehub's ends the run: going on would count letters as sent that are not.
 */
import * as z from 'zod'

export type Verdict =
  /** `before`: an earlier replay of this letter had this outcome; nothing was sent now. */
  | { status: 'delivered'; receipt: string; messageId: string; before: boolean }
  /** The replay failed like the first try, and left a letter of its own. */
  | { status: 'failed'; receipt: string; reason: string; before: boolean }
  /** Durably queued; the receipt tells the rest. */
  | { status: 'queued'; receipt: string }
  /** This letter can't be replayed as things are; others may. */
  | { status: 'refused'; why: string }
  /** Not now, or not known; asking again is safe because of the key. */
  | { status: 'again'; afterMs: number | undefined; why: string }
  /** No letter can be replayed. */
  | { status: 'stop'; why: string }

const Accepted = z.object({
  receipt: z.string(),
  status: z.string(),
  messages: z
    .array(
      z.object({
        status: z.string(),
        messageId: z.string().optional(),
        reason: z.string().optional(),
      }),
    )
    .optional(),
})

const Problem = z.object({ type: z.string(), detail: z.string().optional() })

export interface Answer {
  status: number
  /** By lower-case name. */
  header(name: string): string | undefined
  body: string
}

export function judge(answer: Answer): Verdict {
  const { status } = answer
  if (status === 200 || status === 202) return judgeAccepted(answer)
  const problem = Problem.safeParse(parseJson(answer.body))
  const type = problem.data?.type
  const why = `${status}${problem.data?.detail === undefined ? '' : `: ${problem.data.detail}`}`
  if (status === 429 || status >= 500) {
    return { status: 'again', afterMs: retryAfterMs(answer.header('retry-after')), why }
  }
  if (type === '/problems/datahub-not-found') {
    return {
      status: 'refused',
      why: `${why} The datahub was deleted, or the credential does not list it.`,
    }
  }
  if (status === 401) {
    return { status: 'stop', why: `the worker does not know the credential (${why})` }
  }
  if (status === 403) {
    return { status: 'stop', why: `the credential may not send (${why})` }
  }
  // A header is the same for every letter, but for its position: a worker that does not take the key takes none.
  if (type === undefined || type === '/problems/invalid-header' || status === 404) {
    return { status: 'stop', why: `the worker answers ${why}` }
  }
  return { status: 'refused', why }
}

function judgeAccepted({ status, header, body }: Answer): Verdict {
  const accepted = Accepted.safeParse(parseJson(body))
  if (!accepted.success) {
    return { status: 'stop', why: `the answer ${status} is not one of Edgehub's worker` }
  }
  const { receipt, messages } = accepted.data
  const [message] = messages ?? []
  const before = header('idempotent-replayed') === 'true'
  if (message?.messageId !== undefined) {
    return { status: 'delivered', receipt, messageId: message.messageId, before }
  }
  if (message?.status === 'failed') {
    return { status: 'failed', receipt, reason: message.reason ?? 'for an unknown reason', before }
  }
  return { status: 'queued', receipt }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Seconds only: the worker writes no dates. */
function retryAfterMs(header: string | undefined): number | undefined {
  return header !== undefined && /^\d{1,6}$/.test(header) ? Number(header) * 1_000 : undefined
}
