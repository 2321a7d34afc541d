/**
 * Where the reports of a transaction go: turns envelopes into records for partitions. Pure: topology and rotation are parameters.
 *
 * A keyed report goes to the partition that Java's partitioner gives its key. The unkeyed reports of an envelope go together to one
 * writable partition, the next in rotation. An envelope that needs a partition or topic that can't be written to now is blocked whole: it
 * waits, so that it is committed in one transaction or not at all.
 */
import { ID_HEADER, reportId, type Envelope, type EnvelopeRecord } from '#contract'
import type { Append } from './kafka/append.ts'
import { Code } from './kafka/codes.ts'
import type { LaneMessage } from './kafka/kafkajs.ts'
import { partitionOf } from './kafka/partitioner.ts'
import type { Topology } from './kafka/topology.ts'

/** An envelope with its records at hand, wherever they came from. */
export interface Sendable {
  envelope: Envelope
  records: readonly EnvelopeRecord[]
}

/** The append and the index in it of one report. */
export interface Place {
  append: Append
  at: number
}

export type BlockReason =
  | 'topic_not_found'
  | 'not_authorized'
  | 'no_leader'
  /** A transaction of an earlier epoch was never ended there; an operator has to end it. */
  | 'hanging_transaction'

export interface Blocked {
  sendable: Sendable
  topic: string
  reason: BlockReason
  /** What is to blame: the topic, or one partition of it as `topic/partition`. */
  place: string
}

export interface Placement {
  appends: Append[]
  placed: { sendable: Sendable; places: Place[] }[]
  blocked: Blocked[]
}

export interface PlacementInput {
  sendables: readonly Sendable[]
  topology: Topology
  /** Advanced once for each envelope with unkeyed reports. */
  rotation: { next: number }
  /** Why nothing may be sent to a topic, or to a partition as `topic/partition`, now; undefined when it may be. */
  blockOf?: (place: string) => BlockReason | undefined
}

export const partitionPlace = (topic: string, partition: number): string => `${topic}/${partition}`

export function place({
  sendables,
  topology,
  rotation,
  blockOf = () => undefined,
}: PlacementInput): Placement {
  const appends = new Map<string, Append>()
  const placement: Placement = { appends: [], placed: [], blocked: [] }
  for (const sendable of sendables) {
    const partitions = partitionsFor(sendable, topology, rotation, blockOf)
    if (!Array.isArray(partitions)) {
      placement.blocked.push({ sendable, topic: sendable.envelope.topic, ...partitions })
      continue
    }
    const { topic } = sendable.envelope
    let append: Append | undefined
    const places = sendable.records.map((record, index): Place => {
      const partition = partitions[index] ?? 0
      // Neighbours mostly go to the same partition; that saves a name and a look-up each.
      if (append?.partition !== partition) {
        const name = partitionPlace(topic, partition)
        append = appends.get(name) ?? { topic, partition, messages: [] }
        appends.set(name, append)
      }
      append.messages.push(toMessage(sendable.envelope, record, index))
      return { append, at: append.messages.length - 1 }
    })
    placement.placed.push({ sendable, places })
  }
  placement.appends = [...appends.values()]
  return placement
}

function partitionsFor(
  { envelope: { topic }, records }: Sendable,
  topology: Topology,
  rotation: { next: number },
  blockOf: NonNullable<PlacementInput['blockOf']>,
): number[] | Pick<Blocked, 'reason' | 'place'> {
  const block = blockOf(topic)
  if (block) return { reason: block, place: topic }
  const state = topology.get(topic)
  if (!state) return { reason: 'topic_not_found', place: topic }
  if (state.status === 'unavailable') return { reason: reasonOf(state.code), place: topic }
  let unkeyed: number | undefined
  const partitions: number[] = []
  for (const record of records) {
    let partition: number | undefined
    if (record.key === undefined) {
      unkeyed ??= nextWritable(
        [...state.leaders.keys()].filter((p) => !blockOf(partitionPlace(topic, p))),
        rotation,
      )
      if (unkeyed === undefined) return { reason: 'no_leader', place: topic }
      partition = unkeyed
    } else {
      partition = partitionOf(Buffer.from(record.key), state.partitions)
    }
    const place = partitionPlace(topic, partition)
    const reason = blockOf(place)
    if (reason) return { reason, place }
    if (!state.leaders.has(partition)) return { reason: 'no_leader', place }
    partitions.push(partition)
  }
  return partitions
}

function nextWritable(writable: readonly number[], rotation: { next: number }): number | undefined {
  return writable.length === 0 ? undefined : writable[rotation.next++ % writable.length]
}

/** What a broker's code for a topic or partition means for its envelopes. */
export function reasonOf(code: number): BlockReason {
  if (code === Code.TOPIC_AUTHORIZATION_FAILED) return 'not_authorized'
  const isUnknown = code === Code.UNKNOWN_TOPIC_OR_PARTITION || code === Code.INVALID_TOPIC
  return isUnknown ? 'topic_not_found' : 'no_leader'
}

export function toMessage(envelope: Envelope, record: EnvelopeRecord, index: number): LaneMessage {
  return {
    key: record.key === undefined ? null : Buffer.from(record.key),
    value: valueOf(record),
    headers: {
      ...(envelope.traceparent === undefined ? {} : { traceparent: envelope.traceparent }),
      ...record.headers,
      [ID_HEADER]: reportId(envelope.id, index),
    },
    timestamp: envelope.received,
  }
}

function valueOf(record: EnvelopeRecord): string | Buffer | null {
  if (record.value !== undefined) return record.value
  return record.base64 === undefined ? null : Buffer.from(record.base64, 'base64')
}
