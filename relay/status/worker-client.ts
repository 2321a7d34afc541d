/**
 * The relay's calls to the worker: outcomes out, the records of large envelopes in. Every call has a time limit. What the worker does not
 * say clearly it has not said: an outcome counts as taken only when its id is in the answer.
 */
import { createHash } from 'node:crypto'
import type { Pool } from 'undici'
import * as z from 'zod'
import {
  EnvelopeRecords,
  LookupsResponse,
  MAX_OUTCOMES_BYTES,
  OutcomesResponse,
  type Claim,
  type EnvelopeId,
  type EnvelopeRecord,
  type Outcome,
} from '#contract'

export type FetchedRecords =
  | { status: 'ok'; records: EnvelopeRecord[] }
  /** The object is gone, or is not what the envelope says it is. */
  | { status: 'lost'; problem: string }

export interface WorkerClient {
  /** The ids that the status store holds an outcome for now. Calls that fail add none; `failed` says that there was one. */
  postOutcomes(
    outcomes: readonly [EnvelopeId, Outcome][],
  ): Promise<{ taken: Set<EnvelopeId>; failed: unknown }>
  /**
   * Which of at most MAX_LOOKUP_IDS ids have an outcome, and which surely have none. An id in neither is not known to be absent.
   * @throws when the worker can't be reached or does not answer properly
   */
  lookUp(
    ids: readonly EnvelopeId[],
    signal?: AbortSignal,
  ): Promise<{ found: ReadonlySet<EnvelopeId>; absent: ReadonlySet<EnvelopeId> }>
  /** @throws when the worker can't be reached or does not answer properly */
  fetchRecords(claim: Claim, signal?: AbortSignal): Promise<FetchedRecords>
  /** @throws like fetchRecords */
  deleteRecords(object: string): Promise<void>
}

const Gone = z.object({ type: z.literal('/problems/envelope-not-found') })

const CALL_TIMEOUT_MS = 15_000
/** An answer that comes drop by drop is given up after so many times the limit for silence. */
const WHOLE_CALL = 4

export interface WorkerClientOptions {
  pool: Pool
  token: string
  /** Longest wait for an answer. */
  timeoutMs?: number
}

export function createWorkerClient({
  pool,
  token,
  timeoutMs = CALL_TIMEOUT_MS,
}: WorkerClientOptions): WorkerClient {
  async function call(
    method: 'GET' | 'POST' | 'DELETE',
    path: string,
    { body, signal }: { body?: string; signal?: AbortSignal | undefined } = {},
  ) {
    const response = await pool.request({
      method,
      path,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body }),
      signal: AbortSignal.any([
        AbortSignal.timeout(timeoutMs * WHOLE_CALL),
        ...(signal ? [signal] : []),
      ]),
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
    })
    const bytes = Buffer.from(await response.body.arrayBuffer())
    const type = response.headers['content-type']?.toString() ?? ''
    return { status: response.statusCode, bytes, isJson: type.startsWith('application/json') }
  }

  return {
    async postOutcomes(outcomes) {
      const taken = new Set<EnvelopeId>()
      let failed: unknown
      for (const body of bodiesOf(outcomes)) {
        try {
          const { status, bytes } = await call('POST', '/internal/outcomes', { body })
          if (status !== 200) {
            throw new Error(
              `/internal/outcomes answers ${status}: ${bytes.toString('utf8', 0, 300)}`,
            )
          }
          for (const id of OutcomesResponse.parse(JSON.parse(bytes.toString())).taken) taken.add(id)
        } catch (error) {
          failed = error
        }
      }
      return { taken, failed }
    },

    async lookUp(ids, signal) {
      const { status, bytes } = await call('POST', '/internal/lookups', {
        body: JSON.stringify({ ids }),
        signal,
      })
      if (status !== 200) {
        throw new Error(`/internal/lookups answers ${status}: ${bytes.toString('utf8', 0, 300)}`)
      }
      const { found, absent } = LookupsResponse.parse(JSON.parse(bytes.toString()))
      return { found: new Set(found), absent: new Set(absent) }
    },

    async fetchRecords(claim, signal) {
      const { status, bytes, isJson } = await call('GET', `/internal/envelopes/${claim.object}`, {
        signal,
      })
      if (status === 404 && isGone(bytes)) return { status: 'lost', problem: 'the object is gone' }
      // A page of some proxy must not be taken for the object: it would be the last word on the envelope.
      if (status !== 200 || !isJson) {
        throw new Error(`/internal/envelopes answers ${status}: ${bytes.toString('utf8', 0, 300)}`)
      }
      if (bytes.length !== claim.bytes) {
        return {
          status: 'lost',
          problem: `the object has ${bytes.length} bytes, not ${claim.bytes}`,
        }
      }
      const digest = createHash('sha256').update(bytes).digest('hex')
      if (!claim.object.endsWith(digest)) {
        return { status: 'lost', problem: 'the object has another SHA-256 than its name' }
      }
      const records = EnvelopeRecords.safeParse(JSON.parse(bytes.toString()))
      return records.success
        ? { status: 'ok', records: records.data }
        : { status: 'lost', problem: 'the object holds no records' }
    },

    async deleteRecords(object) {
      const { status } = await call('DELETE', `/internal/envelopes/${object}`)
      if (status !== 204 && status !== 404) {
        throw new Error(`DELETE /internal/envelopes answers ${status}`)
      }
    },
  }
}

/** Only the worker's own word counts: a wrong address or a proxy answers 404 too, and would lose the envelope. */
function isGone(body: Buffer): boolean {
  try {
    return Gone.safeParse(JSON.parse(body.toString())).success
  } catch {
    return false
  }
}

/** As many request bodies as their size limit asks for. */
function* bodiesOf(outcomes: readonly [EnvelopeId, Outcome][]): Generator<string> {
  let part: string[] = []
  let bytes = 0
  for (const [id, outcome] of outcomes) {
    const text = JSON.stringify({ id, outcome })
    if (part.length > 0 && bytes + text.length > MAX_OUTCOMES_BYTES - 100) {
      yield `{"outcomes":[${part.join(',')}]}`
      part = []
      bytes = 0
    }
    part.push(text)
    bytes += text.length + 1
  }
  if (part.length > 0) yield `{"outcomes":[${part.join(',')}]}`
}
