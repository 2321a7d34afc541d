/**
 * The questions of one connection: each is answered once, in time, or not at all when it is cancelled or the connection ends. It does not
 * read Kafka, and it knows no WebSocket.
 */
import {
  MAX_LINK_FRAME_BYTES,
  MAX_LINK_QUERIES,
  type LinkAnswer,
  type LinkFailure,
  type LinkOp,
  type LinkQuery,
  type RelayFrame,
  type WorkerFrame,
} from '#contract'
import type { Queries } from '../query/query.ts'

/** How a question ended: with an answer, without one, or with nobody waiting for it any more. */
export type QueryResult = 'answered' | LinkFailure | 'cancelled'

export interface QuestionsDeps {
  queries: Pick<Queries, 'answer'>
  send(text: string): void
  /** Bytes that can be sent now without too much waiting in memory. */
  roomBytes(): number
  /** Monotonic, ms. */
  clock(): number
  /** Ends early when the signal aborts; never throws. */
  sleep(ms: number, signal: AbortSignal): Promise<void>
  onAnswered(op: LinkOp, result: QueryResult, seconds: number): void
  /** Not an answer and not foreseen; the worker is told `kafka_unavailable`. */
  onFailed(op: LinkOp, error: unknown): void
}

export interface Questions {
  /** False: there is an open question with this id. */
  ask(question: Question): boolean
  cancel(id: number): void
  /** Nothing is answered from now on. */
  end(): void
}

type Question = Extract<WorkerFrame, { type: 'query' }>

/** The worker's time runs since it asked: what goes out in the last moment comes too late. */
const marginMs = (withinMs: number) => Math.min(500, withinMs / 10)

export function createQuestions(deps: QuestionsDeps): Questions {
  const { queries, send, roomBytes, clock, sleep, onAnswered, onFailed } = deps
  const open = new Map<number, AbortController>()
  /** Also those that nobody waits for any more, and that have not ended yet: they use up memory all the same. */
  let underWay = 0

  async function work(op: LinkOp, query: LinkQuery, withinMs: number, signal: AbortSignal) {
    underWay++
    try {
      return await queries.answer(query, { withinMs, signal })
    } catch (error) {
      if (!signal.aborted) onFailed(op, error)
      return failed('kafka_unavailable', 'The relay could not do it; its log says why.')
    } finally {
      underWay--
    }
  }

  async function take({ id, withinMs, query }: Question, abort: AbortController): Promise<void> {
    const { signal } = abort
    const began = clock()
    const margin = marginMs(withinMs)
    const answer = await Promise.race([
      work(query.op, query, Math.max(withinMs - 2 * margin, 1), signal),
      sleep(withinMs - margin, signal).then(() =>
        failed('timed_out', 'The relay had no answer when the time was over.'),
      ),
    ])
    const result = signal.aborted ? 'cancelled' : reply(id, answer)
    // Ends the timer, and the work when it was the slower one.
    if (open.get(id) === abort) open.delete(id)
    abort.abort()
    onAnswered(query.op, result, (clock() - began) / 1000)
  }

  function reply(id: number, answer: LinkAnswer): QueryResult {
    const text = frameOf(id, answer)
    const bytes = Buffer.byteLength(text)
    if (bytes > MAX_LINK_FRAME_BYTES) {
      return reply(id, failed('kafka_unavailable', `The answer would be ${bytes} bytes of JSON.`))
    }
    if (answer.status !== 'failed' && bytes > roomBytes()) {
      return reply(id, failed('busy', 'Too many answers of the relay are still on their way.'))
    }
    send(text)
    return answer.status === 'failed' ? answer.reason : 'answered'
  }

  return {
    ask(question) {
      const { id, query } = question
      if (open.has(id)) return false
      // Nothing is begun whose answer might have no room already now.
      if (underWay >= MAX_LINK_QUERIES || roomBytes() < MAX_LINK_FRAME_BYTES) {
        reply(
          id,
          failed('busy', 'The relay has as many questions and answers as it takes at once.'),
        )
        onAnswered(query.op, 'busy', 0)
        return true
      }
      const abort = new AbortController()
      open.set(id, abort)
      void take(question, abort)
      return true
    },
    cancel(id) {
      open.get(id)?.abort()
      open.delete(id)
    },
    end() {
      for (const abort of open.values()) abort.abort()
      open.clear()
    },
  }
}

const frameOf = (id: number, answer: LinkAnswer) =>
  JSON.stringify({ type: 'answer', id, answer } satisfies RelayFrame)

const failed = (reason: LinkFailure, problem: string): LinkAnswer & { status: 'failed' } => ({
  status: 'failed',
  reason,
  problem,
})
