/**
 * The one way into Edgehub: every accepting route ends here. Refuses what the task does not take (it does not run, too many POSTs a
 * second, reports that do not fit its schema or its topic), mints the receipt, builds the envelope, sends it to its shard's queue, and
 * answers only after the queue took it. Large envelopes put their records into the object store first, so a POST is never half accepted.
 *
 * Where it can stop, and what that leaves: before the send nothing is accepted, at most an object without a message, which a lifecycle
 * rule removes; a send that is not confirmed may have been taken, and the client is told exactly that; a send that is repeated may be
 * taken twice, and the relay drops the copy by its id, as it does when the client repeats a POST under its key. An object is never
 * deleted here: a send that looked failed may have worked.
 */
import {
  CLAIM_CHECK_BYTES,
  claimObjectName,
  encodeEnvelope,
  ENVELOPE_ID_BYTES,
  envelopeIdOf,
  mintReceipt,
  shardOf,
  type BodyDigest,
  type Envelope,
  type EnvelopeId,
  type EnvelopeRecords,
  type Receipt,
  type ShardCount,
} from '#contract'
import { sha256Hex } from './hex.ts'
import { describeError, type Log } from './log.ts'
import type { RateLimit } from './rate-limit.ts'
import { recordBatchBytes, surelyFits } from './record-size.ts'
import type { Task } from './registry/directory.ts'
import { takesReports } from './registry/task-status.ts'
import { rejected, type Rejected, type Rejection } from './rejection.ts'
import { checkRecords } from './schema/check.ts'
import { withinMs } from './time-limit.ts'

export interface Acceptance {
  status: 'accepted'
  id: EnvelopeId
  /** Unix ms. */
  received: number
  count: number
  /** Only with an idempotency key. */
  digest?: BodyDigest
  receipt: Receipt
}

export type AcceptResult = Acceptance | Rejected

/** What an idempotency key makes of a POST. */
export interface KeyedPost {
  id: EnvelopeId
  digest: BodyDigest
}

export interface AcceptInput {
  task: Task
  records: EnvelopeRecords
  /** Without it the envelope's id is drawn, and the same POST repeated is another envelope. */
  keyed?: KeyedPost
  traceparent?: string
  /** What the client calls its reports, for a refusal: `reports`, `Message`. */
  path: string
  /** What it calls the value of one, where that has one name: `Body`. */
  valueName?: string
}

export type Accept = (input: AcceptInput) => Promise<AcceptResult>

export interface AcceptDeps {
  shards: ShardCount
  /** Resolves when the shard's queue holds the text durably. */
  send: (shard: number, text: string) => Promise<unknown>
  /** Resolves when the object is durable. The same name is always the same bytes. */
  putObject: (name: string, bytes: Uint8Array) => Promise<unknown>
  receiptKey: () => Promise<CryptoKey>
  now: () => number
  randomBytes: (length: number) => Uint8Array
  /** POSTs a second of one datahub. */
  rateLimit: RateLimit
  log: Log
  /** For each of the two tries. */
  tryLimitMs?: number
}

/** `send` has been seen to stall for 57 s (workerd#6053); no client waits so long. */
const DEFAULT_TRY_LIMIT_MS = 10_000

export function createAccept(deps: AcceptDeps): Accept {
  const tryLimitMs = deps.tryLimitMs ?? DEFAULT_TRY_LIMIT_MS

  async function confirmed(what: string, attempt: () => Promise<unknown>): Promise<boolean> {
    for (const tries of [1, 2]) {
      try {
        await withinMs(tryLimitMs, attempt())
        return true
      } catch (error) {
        deps.log({
          level: 'warn',
          message: 'Not confirmed.',
          what,
          tries,
          cause: describeError(error),
        })
      }
    }
    return false
  }

  return async function accept({ task, records: given, keyed, traceparent, path, valueName }) {
    const { datahub, topic, status, qpsLimit, schema } = task
    if (!takesReports(status)) return rejected({ reason: 'task_not_running', datahub, status })
    if (!deps.rateLimit.take(datahub, qpsLimit)) {
      return rejected({ reason: 'datahub_rate_limited', datahub, perSecond: qpsLimit })
    }
    const names = { reports: path, value: valueName }
    const fitting = schema && checkRecords(schema, given, names)
    if (fitting?.status === 'rejected') return rejected(fitting.rejection)
    const records = fitting?.records ?? given

    const id = keyed?.id ?? envelopeIdOf(deps.randomBytes(ENVELOPE_ID_BYTES))
    const tooLarge = tooLargeFor(task, records, { id, traceparent, path })
    if (tooLarge) return rejected(tooLarge)
    const received = deps.now()
    const count = records.length
    const notConfirmed = rejected({ reason: 'not_confirmed', keyed: keyed !== undefined })
    const digest = keyed && { digest: keyed.digest }
    // Goes with the envelope, and to the client only once the queue has that.
    const fields = { accepted: received, id, index: 0, count, ...digest }
    const receipt = await mintReceipt(fields, await deps.receiptKey())
    const head = {
      v: 1,
      id,
      datahub,
      topic,
      received,
      ...digest,
      receipt,
      ...(traceparent && { traceparent }),
    } as const
    let text = encodeEnvelope({ ...head, records })

    if (utf8Length(text) > CLAIM_CHECK_BYTES) {
      const bytes = new TextEncoder().encode(JSON.stringify(records))
      const object = claimObjectName(id, await sha256Hex(bytes))
      const put = await confirmed('object put', () => deps.putObject(object, bytes))
      if (!put) return notConfirmed
      const claim = { object, bytes: bytes.length, count }
      text = encodeEnvelope({ ...head, claim } satisfies Envelope)
    }

    const sent = await confirmed('queue send', () => deps.send(shardOf(id, deps.shards), text))
    if (!sent) return notConfirmed
    return { status: 'accepted', id, received, count, ...digest, receipt }
  }
}

/** The first report that the topic would refuse. A topic whose limit is not known is asked by sending. */
function tooLargeFor(
  { topic, maxMessageBytes: limit }: Task,
  records: EnvelopeRecords,
  { id, traceparent, path }: { id: EnvelopeId; traceparent: string | undefined; path: string },
): Rejection | undefined {
  if (limit === undefined) return undefined
  for (const [index, record] of records.entries()) {
    if (surelyFits(record, limit)) continue
    const bytes = recordBatchBytes(record, { id, index, traceparent })
    if (bytes > limit) {
      return { reason: 'report_too_large', path: `${path}.${index}`, topic, bytes, limit }
    }
  }
  return undefined
}

/** Without encoding what is surely below the limit: UTF-8 has at most 3 bytes for each UTF-16 unit. */
function utf8Length(text: string): number {
  return text.length * 3 <= CLAIM_CHECK_BYTES ? text.length : new TextEncoder().encode(text).length
}
