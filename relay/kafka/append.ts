/**
 * Appends records to partitions: splits them into record batches, sends them leader by leader, and judges each partition's answer on its
 * own. A batch that is refused for what is in it is halved until the records to blame stand alone. It never repeats a request whose
 * answer is missing: that is thrown to the lane, which is then in doubt.
 */
import { Code } from './codes.ts'
import { errorCode, errorName, type LaneMessage } from './kafkajs.ts'

export interface Append {
  topic: string
  partition: number
  messages: LaneMessage[]
}

export type AppendResult =
  | { status: 'stored'; offset: bigint }
  | { status: 'refused'; reason: 'record_too_large' | 'invalid_record' }
  /** The whole partition is refused for what it is, not for the record: deleted, or not for this relay. Nothing of it is stored. */
  | { status: 'unavailable'; code: number }

/** It ended without an answer, or with one after which nothing is certain. `partitions` are the ones it was about. */
export class AppendError extends Error {
  override readonly name = 'AppendError'
  readonly partitions: readonly { topic: string; partition: number }[]
  readonly code: number | undefined
  constructor(
    message: string,
    partitions: readonly { topic: string; partition: number }[],
    code: number | undefined,
    cause?: unknown,
  ) {
    super(message, { cause })
    this.partitions = partitions
    this.code = code
  }
}

/**
 * What the records carry as their time: their own; the present, when the broker refuses that as too far from its clock; none, when it
 * refuses that as well because the relay's own clock is wrong. Arriving with another time beats not arriving.
 */
export type Stamp = 'own' | 'now' | 'none'

/** One record batch for one partition. */
export interface ProduceCall extends Append {
  stamp: Stamp
}

export type ProduceAnswer = { code: 0; baseOffset: bigint } | { code: number; baseOffset?: never }

export interface AppendDeps {
  leaderOf(append: Append): number
  /** One Produce request: at most one call a partition; one answer a call, in order. Throws when an answer is missing. */
  produce(
    leader: number,
    calls: readonly ProduceCall[],
    timestamp: number,
  ): Promise<ProduceAnswer[]>
  maxBatchBytes: number
  now(): number
}

/** Record attributes, lengths, deltas and the header that names the report, generously. */
const RECORD_OVERHEAD_BYTES = 100

interface Chunk {
  from: number
  to: number
  stamp: Stamp
}

interface Lot {
  append: Append
  /** Still to be sent, in order. */
  chunks: Chunk[]
  results: AppendResult[]
}

/** Results stand in the order of the appends, and of the messages in each. */
export async function appendAll(
  appends: readonly Append[],
  deps: AppendDeps,
): Promise<AppendResult[][]> {
  const lots = appends.map((append): Lot => ({
    append,
    chunks: split(append.messages, deps.maxBatchBytes),
    results: [],
  }))
  const byLeader = Map.groupBy(lots, (lot) => deps.leaderOf(lot.append))
  // All of them end before any error is reported: no request may still be under way when the lane is closed.
  const ended = await Promise.allSettled(
    [...byLeader].map(([leader, of]) => appendToLeader(leader, of, deps)),
  )
  for (const end of ended) if (end.status === 'rejected') throw end.reason
  return lots.map((lot) => lot.results)
}

async function appendToLeader(
  leader: number,
  lots: readonly Lot[],
  deps: AppendDeps,
): Promise<void> {
  for (;;) {
    const round = lots.flatMap((lot) => {
      const chunk = lot.chunks.shift()
      return chunk ? [{ lot, chunk }] : []
    })
    if (round.length === 0) return
    const calls = round.map(({ lot, chunk }) => ({
      topic: lot.append.topic,
      partition: lot.append.partition,
      messages: lot.append.messages.slice(chunk.from, chunk.to),
      stamp: chunk.stamp,
    }))
    let answers: ProduceAnswer[]
    try {
      answers = await deps.produce(leader, calls, deps.now())
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      throw new AppendError(`broker ${leader}: ${message}`, calls, errorCode(error), error)
    }
    for (const [i, { lot, chunk }] of round.entries()) take(lot, chunk, answers[i])
  }
}

function take(lot: Lot, chunk: Chunk, answer: ProduceAnswer | undefined): void {
  if (answer?.baseOffset !== undefined) {
    for (let i = chunk.from; i < chunk.to; i++) {
      lot.results[i] = { status: 'stored', offset: answer.baseOffset + BigInt(i - chunk.from) }
    }
    return
  }
  switch (answer?.code) {
    case Code.MESSAGE_TOO_LARGE:
      blame(lot, chunk, 'record_too_large')
      return
    case Code.INVALID_RECORD:
      blame(lot, chunk, 'invalid_record')
      return
    case Code.INVALID_TIMESTAMP:
      if (chunk.stamp === 'none') blame(lot, chunk, 'invalid_record')
      else lot.chunks.unshift({ ...chunk, stamp: chunk.stamp === 'own' ? 'now' : 'none' })
      return
    case Code.UNKNOWN_TOPIC_OR_PARTITION:
    case Code.TOPIC_AUTHORIZATION_FAILED:
      for (let i = chunk.from; i < lot.append.messages.length; i++) {
        lot.results[i] = { status: 'unavailable', code: answer.code }
      }
      lot.chunks = []
      return
    default: {
      const code = answer?.code ?? Code.UNKNOWN_TO_KAFKAJS
      const { topic, partition } = lot.append
      throw new AppendError(`${errorName(code)} for ${topic}/${partition}`, [lot.append], code)
    }
  }
}

function blame(lot: Lot, chunk: Chunk, reason: 'record_too_large' | 'invalid_record'): void {
  const { from, to, stamp } = chunk
  if (to - from === 1) {
    lot.results[from] = { status: 'refused', reason }
    return
  }
  const middle = (from + to) >> 1
  lot.chunks.unshift({ from, to: middle, stamp }, { from: middle, to, stamp })
}

function split(messages: readonly LaneMessage[], maxBytes: number): Chunk[] {
  const chunks: Chunk[] = []
  let from = 0
  let bytes = 0
  for (const [i, message] of messages.entries()) {
    const size = sizeOf(message)
    if (i > from && bytes + size > maxBytes) {
      chunks.push({ from, to: i, stamp: 'own' })
      from = i
      bytes = 0
    }
    bytes += size
  }
  if (messages.length > from) chunks.push({ from, to: messages.length, stamp: 'own' })
  return chunks
}

function sizeOf(message: LaneMessage): number {
  const { key, value } = message
  let bytes = RECORD_OVERHEAD_BYTES + (key?.length ?? 0) + Buffer.byteLength(value ?? '')
  for (const [name, value] of Object.entries(message.headers ?? {})) {
    bytes += name.length + value.length
  }
  return bytes
}
