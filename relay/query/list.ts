/**
 * Several records: of one partition from an offset on, or of all of them from a time on, merged by time. Reads only what is decided, and
 * ends there, when the page is full, or when the time is nearly over; the answer says where to go on. What has expired meanwhile is
 * passed over. Holds no more of Kafka's log than it has to: a little of each partition, and less of each the more there are.
 */
import { MAX_LINK_FRAME_BYTES, MAX_LIST_RECORDS, type LinkAnswer, type LinkQuery } from '#contract'
import { UnreadableBatch } from '../kafka/read-batch.ts'
import { Cursor } from './cursor.ts'
import { earliest, surplus } from './merge.ts'
import { createPage } from './page.ts'
import { MAX_OFFSET } from './record.ts'
import type { Source } from './source.ts'
import type { TimeLeft } from './time-left.ts'
import { OFFSET_OUT_OF_RANGE } from './trouble.ts'

type ByOffset = Extract<LinkQuery, { op: 'records_by_offset' }>
type ByTime = Extract<LinkQuery, { op: 'records_by_time' }>
export type Records = Extract<LinkAnswer, { status: 'records' }>

/** Of one partition at a time: little at first, because most lists are short, then more. */
const FIRST_FETCH_BYTES = 65_536
const MAX_FETCH_BYTES = 1_048_576
const MIN_FETCH_BYTES = 16_384
/** Of all partitions of a question together; where each one's next batch is large, those whose turn comes last are let go of. */
const MAX_HELD_BYTES = 16_777_216
/** In one answer of one broker. */
const MAX_ANSWER_BYTES = 4_194_304
/** Of an answer, without its records and positions; and of one position. */
const FRAME_OVERHEAD_BYTES = 1_000
const NEXT_BYTES = 64
/** Before everything that has a time, and what has none (-1). */
const ANY_TIME = Number.NEGATIVE_INFINITY

export async function listByOffset(
  { topic, partition, offset, limit, values }: ByOffset,
  source: Source,
  time: TimeLeft,
): Promise<Records> {
  const from = BigInt(offset)
  const cursor = new Cursor(partition, from > MAX_OFFSET ? MAX_OFFSET : from, ANY_TIME)
  return list(source, { topic, cursors: [cursor], values, limit, ofEach: false }, time)
}

export async function listByTime(query: ByTime, source: Source, time: TimeLeft): Promise<Records> {
  const { topic, limit, limitOf, values } = query
  const { cursors, isFuture } = await startAt(query, source, time.signal)
  const ofEach = limitOf === 'partition'
  const answer = await list(source, { topic, cursors, values, limit, ofEach }, time)
  // Whoever asks for what is yet to come gets told where that will be; from there on, an end is an end.
  return isFuture && answer.records.length === 0 ? { ...answer, next: nextOf(cursors) } : answer
}

/** Each partition where the answer before says, or at the first record of that time. */
async function startAt(
  { topic, from, partition, next = [] }: ByTime,
  source: Source,
  signal: AbortSignal,
): Promise<{ cursors: Cursor[]; isFuture: boolean }> {
  const { partitions } = await source.topic(topic, signal)
  const asked = partition === undefined ? partitions.map((p) => p.partition) : [partition]
  const given = new Map(next.map((at) => [at.partition, BigInt(at.offset)]))
  const rest = asked.filter((p) => !given.has(p))
  const found =
    rest.length === 0
      ? new Map<number, bigint>()
      : await source.offsets(topic, rest, { timestamp: from }, signal)
  const without = rest.filter((p) => (found.get(p) ?? -1n) < 0n)
  const ends =
    without.length === 0
      ? new Map<number, bigint>()
      : await source.offsets(topic, without, 'decided', signal)
  const cursors = asked.map((p) => {
    const at = given.get(p) ?? ends.get(p) ?? found.get(p) ?? 0n
    return new Cursor(p, at > MAX_OFFSET ? MAX_OFFSET : at, from)
  })
  return { cursors, isFuture: without.length === asked.length }
}

interface List {
  topic: string
  cursors: readonly Cursor[]
  values: boolean
  limit: number
  /** The limit is one of each partition. */
  ofEach: boolean
}

async function list(
  source: Source,
  { topic, cursors, values, limit, ofEach }: List,
  { signal, patience }: TimeLeft,
): Promise<Records> {
  const page = createPage(values, {
    records: ofEach ? MAX_LIST_RECORDS : limit,
    frameBytes: MAX_LINK_FRAME_BYTES - FRAME_OVERHEAD_BYTES - cursors.length * NEXT_BYTES,
  })
  const isWanted = (cursor: Cursor) => !(ofEach && cursor.listed >= limit)
  const isOpen = (cursor: Cursor) => isWanted(cursor) && !cursor.isAtEnd
  const answer = (): Records => ({
    status: 'records',
    records: [...page.records],
    ...(cursors.every((cursor) => cursor.isAtEnd) ? {} : { next: nextOf(cursors) }),
  })
  /** Whether every end is known for sure, and not only from a fetch. */
  let isSure = false
  try {
    while (!page.isFull) {
      await fill(
        source,
        topic,
        cursors.filter((cursor) => isOpen(cursor) && cursor.timestamp === undefined),
        cursors,
        patience,
      )
      const turn = earliest(heads(cursors.filter(isOpen)))?.cursor
      if (!turn) {
        if (isSure) break
        await confirmEnds(source, topic, cursors.filter(isWanted), patience)
        isSure = true
        continue
      }
      const { head } = turn
      if (!head) {
        await fill(source, topic, [turn], cursors, patience)
        continue
      }
      if (!page.add(turn.partition, head)) break
      turn.listed++
      await turn.advance()
      if (!isOpen(turn)) turn.letGo()
      patience.throwIfAborted()
    }
  } catch (error) {
    signal.throwIfAborted()
    const isBehind = error instanceof UnreadableBatch && page.records.length > 0
    // What was found by now is an answer.
    if (!patience.aborted && !isBehind) throw error
  }
  return answer()
}

function* heads(cursors: readonly Cursor[]) {
  for (const cursor of cursors) {
    const { partition, timestamp, heldBytes } = cursor
    if (timestamp !== undefined) yield { cursor, partition, timestamp, heldBytes }
  }
}

const nextOf = (cursors: readonly Cursor[]) =>
  cursors.map(({ partition, position }) => ({ partition, offset: `${position}` }))

/**
 * A leader that was elected just now may not know how far the others are, and then a fetch's end is too low; ListOffsets refuses until it
 * knows (KIP-207).
 */
async function confirmEnds(
  source: Source,
  topic: string,
  cursors: readonly Cursor[],
  signal: AbortSignal,
): Promise<void> {
  if (cursors.length === 0) return
  const asked = cursors.map(({ partition }) => partition)
  const ends = await source.offsets(topic, asked, 'decided', signal)
  for (const cursor of cursors) {
    const end = ends.get(cursor.partition)
    if (end !== undefined && end > cursor.fetchFrom) cursor.endsAt(end)
  }
}

/** Fetches until each of them has its next record or is at its end; of all, no more is held than may be. */
async function fill(
  source: Source,
  topic: string,
  cursors: readonly Cursor[],
  all: readonly Cursor[],
  signal: AbortSignal,
): Promise<void> {
  let needy = [...cursors]
  let isStuck = false
  while (needy.length > 0) {
    signal.throwIfAborted()
    // A broker fills its answer in the order of the question, and gives a batch that is too large for it to the first one only.
    const asked = isStuck ? needy.slice(0, 1) : needy
    const positions = asked.map((c) => ({ partition: c.partition, offset: c.fetchFrom }))
    const parts = await source.fetch(topic, positions, sizesFor(asked, all.length), signal)
    const byPartition = new Map(asked.map((cursor) => [cursor.partition, cursor]))
    let progress = 0
    for (const part of parts) {
      const cursor = byPartition.get(part.partition)
      if (!cursor) continue
      if (part.code === OFFSET_OUT_OF_RANGE) {
        await bringIntoRange(source, topic, cursor, signal)
        progress++
      } else if (await cursor.take(part)) progress++
      else if (asked.length === 1) {
        // Asked alone, it would have been given a batch: there is none left before the end.
        cursor.skipTo(part.lastStable)
        cursor.endHere()
        progress++
      }
    }
    isStuck = progress === 0
    for (const { cursor } of surplus(heads(all), MAX_HELD_BYTES)) cursor.letGo()
    needy = needy.filter((cursor) => cursor.timestamp === undefined && !cursor.isAtEnd)
  }
}

function sizesFor(asked: readonly Cursor[], partitions: number) {
  const most = (of: (cursor: Cursor) => number) => Math.max(...asked.map(of))
  const wanted = FIRST_FETCH_BYTES * 2 ** most((cursor) => cursor.fetches)
  const share = Math.max(MAX_HELD_BYTES / partitions, MIN_FETCH_BYTES)
  // Where the next batch is larger than that, it has to grow: else only one partition of each question would be given one.
  const grown = Math.min(wanted, share) * 4 ** most((cursor) => cursor.starved)
  const maxPartitionBytes = Math.floor(Math.min(grown, MAX_FETCH_BYTES))
  return { maxBytes: MAX_ANSWER_BYTES, maxPartitionBytes }
}

/** The log begins behind the position by now, or ends before it. */
async function bringIntoRange(
  source: Source,
  topic: string,
  cursor: Cursor,
  signal: AbortSignal,
): Promise<void> {
  const { partition } = cursor
  const starts = await source.offsets(topic, [partition], 'start', signal)
  const start = starts.get(partition) ?? 0n
  if (cursor.fetchFrom < start) cursor.skipTo(start)
  else cursor.endHere()
}
