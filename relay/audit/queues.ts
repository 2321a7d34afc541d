/**
 * What the queues hold: of any queue API how many messages wait, of the local one also which. Only documented answers count; anything else
 * ends the audit, because a backlog of nothing would say that nothing waits.
 */
import type { Pool } from 'undici'
import * as z from 'zod'
import { decodeEnvelope, recordCount, type Envelope } from '#contract'
import { Trouble } from '../operator/trouble.ts'

/** What became of the messages with an envelope: `live` when one of them is in a queue. */
export type Fate = 'live' | 'acked' | 'dropped'

/** An envelope that a local queue was given. */
export interface Given {
  envelope: Envelope
  reports: number
  fate: Fate
}

const CALL_TIMEOUT_MS = 15_000
/** A body may have 128 KB. */
const LOG_PAGE = 200

const Metrics = z.object({ result: z.object({ backlog_count: z.number() }) })
const LogPage = z.object({
  result: z.object({
    messages: z.array(
      z.object({ seq: z.number(), fate: z.enum(['live', 'acked', 'dropped']), body: z.string() }),
    ),
    next: z.number().nullable(),
  }),
})

async function get<T>(
  { pool, token, path }: { pool: Pool; token: string; path: string },
  schema: z.ZodType<T>,
): Promise<T> {
  let text = ''
  try {
    const response = await pool.request({
      method: 'GET',
      path,
      headers: { authorization: `Bearer ${token}` },
      headersTimeout: CALL_TIMEOUT_MS,
      bodyTimeout: CALL_TIMEOUT_MS,
    })
    text = await response.body.text()
    if (response.statusCode === 200) return schema.parse(JSON.parse(text))
    text = `${response.statusCode}: ${text}`
  } catch (error) {
    text = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  }
  throw new Trouble(`The queue API does not answer ${path} as documented: ${text.slice(0, 300)}`)
}

/**
 * Messages that wait or are leased now, of all datahubs. The real API's numbers are approximate.
 * https://developers.cloudflare.com/queues/observability/metrics/
 */
export async function readBacklog(
  pool: Pool,
  { token, accountId, ids }: { token: string; accountId: string; ids: readonly string[] },
): Promise<number> {
  let count = 0
  for (const id of ids) {
    const path = `/client/v4/accounts/${accountId}/queues/${id}/metrics`
    count += (await get({ pool, token, path }, Metrics)).result.backlog_count
  }
  return count
}

/** The log of the local queues: everything that they were ever given, read on from where it was. */
export class QueueLog {
  readonly #pool: Pool
  readonly #token: string
  readonly #ids: readonly string[]
  readonly #after: number[] = []

  constructor(pool: Pool, { token, ids }: { token: string; ids: readonly string[] }) {
    this.#pool = pool
    this.#token = token
    this.#ids = ids
  }

  /** Visits what was given since the last time. What is no envelope is passed over: nobody can say whose it was. */
  async read(visit: (given: Given) => void): Promise<void> {
    for (const [shard, id] of this.#ids.entries()) {
      for (let more = true; more;) {
        const path = `/__queue-pull/${id}/log?bodies=1&limit=${LOG_PAGE}&after=${this.#after[shard] ?? 0}`
        const { result } = await get({ pool: this.#pool, token: this.#token, path }, LogPage)
        for (const { seq, fate, body } of result.messages) {
          this.#after[shard] = seq
          const decoded = decodeEnvelope(body)
          if (decoded.status !== 'ok') continue
          const { envelope } = decoded
          visit({ envelope, reports: recordCount(envelope), fate })
        }
        more = result.next !== null
      }
    }
  }
}
