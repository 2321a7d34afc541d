/**
 * One record, or why it is not there. An offset that is written and not decided is waited for as long as the question has time, outside
 * of the line: a transaction that hangs must not keep others from reading.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { MAX_LINK_FRAME_BYTES, type AbsentReason, type LinkAnswer, type LinkQuery } from '#contract'
import { readBatches, readRecords, type BatchRecord } from '../kafka/read-batch.ts'
import { locate, outside, type Bounds } from './absence.ts'
import { contentBytes, frameBytes, wholeRecord } from './content.ts'
import type { Line } from './line.ts'
import type { Source } from './source.ts'
import type { TimeLeft } from './time-left.ts'
import { OFFSET_OUT_OF_RANGE, QueryTrouble } from './trouble.ts'
import { judgeBatches } from './visible.ts'

type RecordQuery = Extract<LinkQuery, { op: 'record' }>
type Absent = Extract<LinkAnswer, { status: 'absent' }>
type Found = Extract<LinkAnswer, { status: 'record' }>

/** One batch: the broker gives the one that holds the offset whole, however large, and nothing behind it. */
const ONE_BATCH = { maxBytes: 1, maxPartitionBytes: 1 }
const FIRST_PAUSE_MS = 10
const MAX_PAUSE_MS = 250
/** Around the record in its frame. */
const FRAME_OVERHEAD_BYTES = 1_000
/** What the protocol can ask for; the link's offsets may be larger. */
export const MAX_OFFSET = 2n ** 63n - 1n

export async function answerRecord(
  query: RecordQuery,
  { source, line }: { source: Source; line: Line },
  { signal, patience }: TimeLeft,
): Promise<Found | Absent> {
  for (;;) {
    const leave = await line.enter(signal)
    let answer: Found | Absent
    try {
      answer = await readRecord(query, source, signal)
    } finally {
      leave()
    }
    if (answer.status === 'record' || answer.reason !== 'undecided') return answer
    if (!(await isDecided(query, source, patience))) {
      signal.throwIfAborted()
      return answer
    }
  }
}

/** False: not before the patience ended. Asks for the end of what is decided, less and less often. */
async function isDecided(
  { topic, partition, offset }: RecordQuery,
  source: Source,
  patience: AbortSignal,
): Promise<boolean> {
  try {
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, MAX_PAUSE_MS)) {
      await pause(pauseMs, undefined, { signal: patience })
      const ends = await source.offsets(topic, [partition], 'decided', patience)
      if ((ends.get(partition) ?? 0n) > BigInt(offset)) return true
    }
  } catch (error) {
    if (patience.aborted) return false
    throw error
  }
}

/** Asked again after an answer that says nothing: the broker throttles, a new leader has to catch up, the log's bounds have changed meanwhile. */
const MAX_ASKS = 5

async function readRecord(
  { topic, partition, offset: text, maxBytes }: RecordQuery,
  source: Source,
  signal: AbortSignal,
): Promise<Found | Absent> {
  const offset = BigInt(text)
  for (let asks = 0; asks < MAX_ASKS; asks++) {
    const [part] =
      offset > MAX_OFFSET
        ? []
        : await source.fetch(topic, [{ partition, offset }], ONE_BATCH, signal)
    const isInside = part && part.code !== OFFSET_OUT_OF_RANGE
    let bounds: Bounds | undefined = isInside ? part : undefined
    // A leader that was elected just now may not know how far the others are, and then a fetch's end is too low; ListOffsets refuses until
    // it knows (KIP-207).
    if (!bounds || outside(offset, bounds) === 'beyond_end') {
      bounds = await readBounds(source, topic, partition, signal)
    }
    const reason = outside(offset, bounds)
    if (reason) return absent(reason, bounds)
    if (!isInside || outside(offset, part)) continue
    const located = locate(offset, judgeBatches(readBatches(part.batches), part.aborted))
    if (typeof located === 'string') return absent(located, part)
    const record = (await readRecords(located)).find((each) => each.offset === offset)
    return record ? found(partition, record, maxBytes, part) : absent('compacted', part)
  }
  throw new QueryTrouble(
    'kafka_unavailable',
    `${topic}/${partition}: the broker gives no certain answer`,
  )
}

function found(
  partition: number,
  record: BatchRecord,
  maxBytes: number,
  bounds: Bounds,
): Found | Absent {
  const bytes = contentBytes(record)
  const tooLarge = (): Absent => ({ ...absent('too_large', bounds), bytes })
  if (bytes > maxBytes) return tooLarge()
  const whole = wholeRecord(partition, record)
  // Whoever allows for that many bytes does not know how many they are in JSON.
  if (frameBytes(whole) > MAX_LINK_FRAME_BYTES - FRAME_OVERHEAD_BYTES) return tooLarge()
  return { status: 'record', record: whole }
}

function absent(reason: AbsentReason, { logStart, lastStable }: Bounds): Absent {
  return { status: 'absent', reason, start: `${logStart}`, end: `${lastStable}` }
}

async function readBounds(
  source: Source,
  topic: string,
  partition: number,
  signal: AbortSignal,
): Promise<Bounds> {
  const [starts, decided, written] = await Promise.all(
    (['start', 'decided', 'written'] as const).map((of) =>
      source.offsets(topic, [partition], of, signal),
    ),
  )
  return {
    logStart: starts?.get(partition) ?? 0n,
    lastStable: decided?.get(partition) ?? 0n,
    highWatermark: written?.get(partition) ?? 0n,
  }
}
