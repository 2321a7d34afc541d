import { describe, it } from 'vitest'
import type { Envelope } from '#contract'
import { partitionOf } from '../../relay/kafka/partitioner.ts'
import type { Topology } from '../../relay/kafka/topology.ts'
import { partitionPlace, place, type Sendable } from '../../relay/placement.ts'
import { envelopeOf } from '../support/items.ts'

const topology = (writable: number[], partitions = 3): Topology =>
  new Map([['topic', { status: 'ok', partitions, leaders: new Map(writable.map((p) => [p, 1])) }]])

const sendable = (n: number, records: { key?: string; value: string }[]): Sendable => {
  const envelope: Envelope = envelopeOf(n, records)
  return { envelope, records }
}

describe('placement', () => {
  it('puts the unkeyed reports of an envelope together into one partition, and the next envelope into the next', ({
    expect,
  }) => {
    const sendables = [1, 2, 3, 4].map((n) => sendable(n, [{ value: 'a' }, { value: 'b' }]))
    const { placed } = place({ sendables, topology: topology([0, 1, 2]), rotation: { next: 0 } })
    expect(placed.map(({ places }) => places.map(({ append }) => append.partition))).toEqual([
      [0, 0],
      [1, 1],
      [2, 2],
      [0, 0],
    ])
  })

  it('gives unkeyed reports only to partitions that may be written to', ({ expect }) => {
    const { placed } = place({
      sendables: [1, 2].map((n) => sendable(n, [{ value: 'a' }])),
      topology: topology([2]),
      rotation: { next: 0 },
    })
    expect(placed.map(({ places }) => places[0]?.append.partition)).toEqual([2, 2])
  })

  it('keeps the order of reports in each partition, and knows the index of each', ({ expect }) => {
    const keys = ['a', 'b', 'a', 'b', 'a']
    const { appends, placed } = place({
      sendables: [
        sendable(
          1,
          keys.map((key, i) => ({ key, value: String(i) })),
        ),
      ],
      topology: topology([0, 1, 2]),
      rotation: { next: 0 },
    })
    expect(
      placed[0]?.places.map(({ append, at }) => append.messages[at]?.value?.toString()),
    ).toEqual(['0', '1', '2', '3', '4'])
    for (const append of appends) {
      const values = append.messages.map((m) => Number(m.value?.toString()))
      expect(values).toEqual([...values].sort((a, b) => a - b))
    }
  })

  it('blocks an envelope whole when one key belongs to a partition that can not be written to', ({
    expect,
  }) => {
    const bad = partitionOf(Buffer.from('k'), 3)
    const writable = [0, 1, 2].filter((p) => p !== bad)
    const { appends, placed, blocked } = place({
      sendables: [sendable(1, [{ value: 'unkeyed' }, { key: 'k', value: 'keyed' }])],
      topology: topology(writable),
      rotation: { next: 0 },
    })
    expect({ appends, placed }).toEqual({ appends: [], placed: [] })
    expect(blocked).toMatchObject([{ reason: 'no_leader', place: partitionPlace('topic', bad) }])
  })

  it('a topic behind its breaker blocks its envelopes with the reason of the breaker, and is not looked at', ({
    expect,
  }) => {
    const { placed, blocked } = place({
      sendables: [sendable(1, [{ value: 'a' }])],
      topology: new Map(),
      rotation: { next: 0 },
      blockOf: (name) => (name === 'topic' ? 'not_authorized' : undefined),
    })
    expect(placed).toEqual([])
    expect(blocked).toMatchObject([{ reason: 'not_authorized', place: 'topic', topic: 'topic' }])
  })

  it('a partition behind its breaker blocks the keyed reports that belong there, and unkeyed ones go round it', ({
    expect,
  }) => {
    const bad = partitionOf(Buffer.from('k'), 3)
    const { placed, blocked } = place({
      sendables: [
        sendable(1, [{ key: 'k', value: 'keyed' }]),
        ...[2, 3, 4, 5].map((n) => sendable(n, [{ value: 'unkeyed' }])),
      ],
      topology: topology([0, 1, 2]),
      rotation: { next: 0 },
      blockOf: (name) => (name === partitionPlace('topic', bad) ? 'topic_not_found' : undefined),
    })
    expect(blocked).toMatchObject([
      { reason: 'topic_not_found', place: partitionPlace('topic', bad) },
    ])
    const good = [0, 1, 2].filter((p) => p !== bad)
    expect(placed.map(({ places }) => places[0]?.append.partition)).toEqual([...good, ...good])
  })

  it('without a partition left for unkeyed reports the topic is to blame', ({ expect }) => {
    const { blocked } = place({
      sendables: [sendable(1, [{ value: 'a' }])],
      topology: topology([0]),
      rotation: { next: 0 },
      blockOf: (name) => (name === 'topic/0' ? 'no_leader' : undefined),
    })
    expect(blocked).toMatchObject([{ reason: 'no_leader', place: 'topic' }])
  })

  it('a topic that the answer leaves out is not there', ({ expect }) => {
    const { blocked } = place({
      sendables: [sendable(1, [{ value: 'a' }])],
      topology: new Map(),
      rotation: { next: 0 },
    })
    expect(blocked).toMatchObject([{ reason: 'topic_not_found', place: 'topic' }])
  })

  it.for([
    [3, 'topic_not_found'],
    [17, 'topic_not_found'],
    [29, 'not_authorized'],
    [5, 'no_leader'],
  ] as const)('a topic that answers code %i is %s', ([code, reason], { expect }) => {
    const { blocked } = place({
      sendables: [sendable(1, [{ value: 'a' }])],
      topology: new Map([['topic', { status: 'unavailable', code }]]),
      rotation: { next: 0 },
    })
    expect(blocked.map((b) => b.reason)).toEqual([reason])
  })

  it('carries text, bytes, no value, headers, the trace and the report id into the record', ({
    expect,
  }) => {
    const records = [
      { key: 'k', value: '值 😀\u0000', headers: { h: 'v' } },
      { base64: 'AP8=' },
      {},
    ]
    const envelope: Envelope = { ...envelopeOf(1, records), traceparent: '00-x' }
    const { appends } = place({
      sendables: [{ envelope, records }],
      topology: topology([0], 1),
      rotation: { next: 0 },
    })
    expect(appends[0]?.messages).toEqual([
      {
        key: Buffer.from('k'),
        value: '值 😀\u0000',
        headers: { traceparent: '00-x', h: 'v', 'edgehub-id': `${envelope.id}.0` },
        timestamp: envelope.received,
      },
      {
        key: null,
        value: Buffer.from([0, 255]),
        headers: { traceparent: '00-x', 'edgehub-id': `${envelope.id}.1` },
        timestamp: envelope.received,
      },
      {
        key: null,
        value: null,
        headers: { traceparent: '00-x', 'edgehub-id': `${envelope.id}.2` },
        timestamp: envelope.received,
      },
    ])
  })
})
