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

export interface Blocked {
  sendable: Sendable
  topic: string
  reason: 'topic_not_found' | 'not_authorized' | 'no_leader'
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
  /** Partitions that the coordinator refused, as `topic/partition`, with its code. */
  refused?: ReadonlyMap<string, number>
}

export function place({
  sendables,
  topology,
  rotation,
  refused = new Map(),
}: PlacementInput): Placement {
  const appends = new Map<string, Append>()
  const placement: Placement = { appends: [], placed: [], blocked: [] }
  for (const sendable of sendables) {
    const partitions = partitionsFor(sendable, topology, rotation, refused)
    if (!Array.isArray(partitions)) {
      placement.blocked.push({
        sendable,
        topic: sendable.envelope.topic,
        reason: partitions.reason,
      })
      continue
    }
    const { topic } = sendable.envelope
    const places = sendable.records.map((record, index): Place => {
      const partition = partitions[index] ?? 0
      const name = `${topic}/${partition}`
      let append = appends.get(name)
      if (!append) appends.set(name, (append = { topic, partition, messages: [] }))
      append.messages.push(toMessage(sendable.envelope, record, index))
      return { append, at: append.messages.length - 1 }
    })
    placement.placed.push({ sendable, places })
  }
  placement.appends = [...appends.values()]
  return placement
}

function partitionsFor(
  { envelope, records }: Sendable,
  topology: Topology,
  rotation: { next: number },
  refused: ReadonlyMap<string, number>,
): number[] | { reason: Blocked['reason'] } {
  const state = topology.get(envelope.topic)
  if (!state) return { reason: 'topic_not_found' }
  if (state.status === 'unavailable') return { reason: reasonOf(state.code) }
  let unkeyed: number | undefined
  const partitions: number[] = []
  for (const record of records) {
    let partition: number | undefined
    if (record.key === undefined) {
      unkeyed ??= nextWritable([...state.leaders.keys()], rotation)
      partition = unkeyed
    } else {
      partition = partitionOf(Buffer.from(record.key), state.partitions)
    }
    if (partition === undefined || !state.leaders.has(partition)) return { reason: 'no_leader' }
    const code = refused.get(`${envelope.topic}/${partition}`)
    if (code !== undefined) return { reason: reasonOf(code) }
    partitions.push(partition)
  }
  return partitions
}

function nextWritable(writable: readonly number[], rotation: { next: number }): number | undefined {
  return writable.length === 0 ? undefined : writable[rotation.next++ % writable.length]
}

function reasonOf(code: number): Blocked['reason'] {
  if (code === Code.TOPIC_AUTHORIZATION_FAILED) return 'not_authorized'
  return code === Code.LEADER_NOT_AVAILABLE ? 'no_leader' : 'topic_not_found'
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

function valueOf(record: EnvelopeRecord): Buffer | null {
  if (record.value !== undefined) return Buffer.from(record.value)
  return record.base64 === undefined ? null : Buffer.from(record.base64, 'base64')
}
