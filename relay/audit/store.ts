/**
 * Asks the status store: which envelopes have an outcome, and, for those whose receipt is known, whether it is the one of the ledger. What is
 * not there yet is asked for again: an outcome is told after it is committed.
 */
import type { Pool } from 'undici'
import * as z from 'zod'
import { MAX_LOOKUP_IDS, reportId, STATUS_ROW_MS, type EnvelopeId } from '#contract'
import { Trouble } from '../operator/trouble.ts'
import type { WorkerClient } from '../status/worker-client.ts'
import type { Book, ReportPlace } from './book.ts'
import type { Differences } from './differences.ts'
import type { GivenEnvelopes } from './given.ts'
import type { Result } from './result.ts'

/** What a receipt says of a report, as far as the ledger can be compared with it. */
export interface ToldReport {
  status: string
  partition?: number | undefined
  offset?: string | undefined
  reason?: string | undefined
}

export interface Store {
  lookUp: WorkerClient['lookUp']
  /** What these receipts say, in their order, at most `MAX_RECEIPTS`; undefined: nothing yet. */
  receipts(receipts: readonly string[]): Promise<(readonly ToldReport[] | undefined)[]>
}

/** In one query. */
const MAX_RECEIPTS = 100
const CALL_TIMEOUT_MS = 15_000
const TRIES = 5
const TRY_AGAIN_MS = 1_000

const Answer = z.object({
  receipts: z.array(
    z.object({
      messages: z
        .array(
          z.object({
            status: z.string(),
            partition: z.number().optional(),
            offset: z.string().optional(),
            reason: z.string().optional(),
          }),
        )
        .optional(),
    }),
  ),
})

export function receiptsOf(pool: Pool): Store['receipts'] {
  return async (receipts) => {
    const response = await pool.request({
      method: 'POST',
      path: '/v1/receipts/query',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ receipts }),
      headersTimeout: CALL_TIMEOUT_MS,
      bodyTimeout: CALL_TIMEOUT_MS,
    })
    const text = await response.body.text()
    if (response.statusCode !== 200) {
      throw new Error(`/v1/receipts/query answers ${response.statusCode}: ${text.slice(0, 300)}`)
    }
    const answer = Answer.parse(JSON.parse(text))
    return answer.receipts.map(({ messages }) => messages)
  }
}

interface LookedUp {
  count: number
  absent: Set<EnvelopeId>
  /** Neither: their part of the store did not answer. */
  silent: Set<EnvelopeId>
}

export interface StoreCheck {
  store: Store
  book: Book
  given: GivenEnvelopes | undefined
  /** In a queue, and not in the ledger when it was read. */
  queuedIds: readonly EnvelopeId[]
  differences: Differences
  /** Unix ms. */
  now: number
  sleep(ms: number): Promise<void>
}

/**
 * Each envelope of the ledger has its outcome, and none that is queued has one.
 * @param sinceThen ids that came into the ledger after it was read
 * @throws Trouble when the worker does not answer
 */
export async function checkStore(
  check: StoreCheck,
  sinceThen: () => Promise<ReadonlySet<string>>,
): Promise<Extract<Result['store'], { status: 'checked' }>> {
  const { store, book, queuedIds, differences, now, sleep } = check
  const { count, absent, silent } = await lookUpAll(store, book.ourIds(), { awaited: true, sleep })
  let expired = 0
  for (const id of absent) {
    const { sent } = book.envelope(book.find(id) ?? 0)
    if (now - sent > STATUS_ROW_MS) expired++
    else differences.add('no outcome in the status store', id, 'its receipt does not read so')
  }
  const early = await lookUpAll(store, queuedIds, { awaited: false, sleep })
  const told = queuedIds.filter((id) => !early.absent.has(id) && !early.silent.has(id))
  const since = told.length === 0 ? undefined : await sinceThen()
  for (const id of told) {
    if (since?.has(id)) continue
    differences.add('outcome without a ledger entry', id, 'it is in a queue, and has an outcome')
  }
  return {
    status: 'checked',
    found: count - absent.size - silent.size,
    absent: absent.size - expired,
    expired,
    silent: silent.size + early.silent.size,
    compared: await compareReceipts(check),
  }
}

/** How many could be compared. */
async function compareReceipts({ store, book, given, differences }: StoreCheck): Promise<number> {
  let compared = 0
  let part: { envelope: number; id: EnvelopeId; receipt: string; others: boolean }[] = []
  const ask = async () => {
    const answers = await asked(() => store.receipts(part.map(({ receipt }) => receipt)))
    for (const [i, { envelope, id, others }] of part.entries()) {
      const told = answers[i]
      // Of one key with several bodies only one has the outcome.
      const isOfAnother = others && told?.every(({ reason }) => reason === 'idempotency_conflict')
      if (!told || isOfAnother) continue
      compared++
      const { count } = book.envelope(envelope)
      for (let index = 0; index < Math.max(count, told.length); index++) {
        const place = book.placeOf(envelope, index)
        if (isSame(place, told[index])) continue
        differences.add(
          'outcome differs from the ledger',
          reportId(id, index),
          `the receipt says ${JSON.stringify(told[index])}, the ledger ${placeText(place)}`,
        )
      }
    }
    part = []
  }
  for (const [id, { receipts }] of given?.entries() ?? []) {
    const envelope = book.find(id)
    if (envelope === undefined) continue
    const distinct = new Map(receipts.map(({ receipt, digest }) => [digest ?? '', receipt]))
    for (const receipt of distinct.values()) {
      part.push({ envelope, id, receipt, others: distinct.size > 1 })
      if (part.length === MAX_RECEIPTS) await ask()
    }
  }
  if (part.length > 0) await ask()
  return compared
}

function isSame(place: ReportPlace | undefined, told: ToldReport | undefined): boolean {
  if (!place || !told || place.status !== told.status) return false
  return place.status === 'failed'
    ? place.reason === told.reason
    : place.partition === told.partition && place.offset.toString() === told.offset
}

function placeText(place: ReportPlace | undefined): string {
  if (!place) return 'nothing'
  return place.status === 'failed'
    ? place.reason
    : `${place.topic}/${place.partition}/${place.offset}`
}

/** Looks up all ids, a thousand at a time; the absent and silent ones some times more when they are `awaited`. */
async function lookUpAll(
  { lookUp }: Pick<Store, 'lookUp'>,
  ids: Iterable<EnvelopeId>,
  { awaited, sleep }: { awaited: boolean; sleep(ms: number): Promise<void> },
): Promise<LookedUp> {
  const absent = new Set<EnvelopeId>()
  const silent = new Set<EnvelopeId>()
  const ask = async (part: readonly EnvelopeId[]) => {
    const answer = await asked(() => lookUp(part))
    for (const id of part) {
      const isFound = answer.found.has(id)
      const isAbsent = !isFound && answer.absent.has(id)
      put(absent, id, isAbsent)
      put(silent, id, !isFound && !isAbsent)
    }
    return part.length
  }
  let count = 0
  for (const part of partsOf(ids)) count += await ask(part)
  for (let again = 1; awaited && again < TRIES && absent.size + silent.size > 0; again++) {
    await sleep(TRY_AGAIN_MS)
    for (const part of partsOf([...absent, ...silent])) await ask(part)
  }
  return { count, absent, silent }
}

/** @throws Trouble in place of any error */
async function asked<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask()
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error)
    throw new Trouble(`The worker can't be asked for outcomes: ${said}`)
  }
}

function put<T>(set: Set<T>, value: T, isIn: boolean): void {
  if (isIn) set.add(value)
  else set.delete(value)
}

function* partsOf(ids: Iterable<EnvelopeId>): Generator<EnvelopeId[]> {
  let part: EnvelopeId[] = []
  for (const id of ids) {
    if (part.push(id) < MAX_LOOKUP_IDS) continue
    yield part
    part = []
  }
  if (part.length > 0) yield part
}
