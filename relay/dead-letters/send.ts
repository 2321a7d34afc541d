/**
 * Sends one replay POST until there is a word on it, or the tries are used up. Every try has the same key, so a try whose answer was lost
 * is safe to repeat.
 */
import type { Pool } from 'undici'
import { judge, type Verdict } from './answer.ts'
import type { ReplayPost } from './post.ts'

const TRIES = 6
const FIRST_DELAY_MS = 500
/** A worker that wants to be left alone for longer is not waited for; the command can be started again. */
const MAX_DELAY_MS = 60_000
/** Beyond the time that the worker was asked to hold the answer. */
const CALL_TIMEOUT_MS = 15_000

export interface SendDeps {
  pool: Pick<Pool, 'request'>
  /** Value of the Authorization header. */
  authorization: string
  waitSeconds: number
  sleep(ms: number): Promise<void>
}

export type Sent = Exclude<Verdict, { status: 'again' }>

/** Never rejects: what can't be sent is a `stop`. */
export async function send(post: ReplayPost, deps: SendDeps): Promise<Sent> {
  for (let tried = 1; ; tried++) {
    const verdict = await tryOnce(post, deps)
    if (verdict.status !== 'again') return verdict
    const delay = verdict.afterMs ?? FIRST_DELAY_MS * 2 ** (tried - 1)
    if (tried === TRIES || delay > MAX_DELAY_MS) {
      const wish = delay > MAX_DELAY_MS ? `, and asks for ${delay / 1_000} s` : ''
      return { status: 'stop', why: `after ${tried} tries: ${verdict.why}${wish}` }
    }
    await deps.sleep(delay)
  }
}

async function tryOnce(
  { path, headers, body }: ReplayPost,
  { pool, authorization, waitSeconds }: SendDeps,
): Promise<Verdict> {
  const timeout = waitSeconds * 1_000 + CALL_TIMEOUT_MS
  try {
    const response = await pool.request({
      method: 'POST',
      path,
      headers: { ...headers, authorization },
      body,
      headersTimeout: timeout,
      bodyTimeout: timeout,
    })
    const header = (name: string) => {
      const value = response.headers[name]
      return Array.isArray(value) ? value[0] : value
    }
    return judge({ status: response.statusCode, header, body: await response.body.text() })
  } catch (error) {
    const why = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
    return { status: 'again', afterMs: undefined, why: `the worker does not answer (${why})` }
  }
}
