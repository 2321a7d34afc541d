// Transactions of a shard on a lane of nothing, and the envelopes for them.
import { decodeLedgerRecord, type Envelope, type EnvelopeRecord } from '#contract'
import { Breakers } from '../../relay/breakers.ts'
import { deliver, type Batch, type Delivered } from '../../relay/deliver.ts'
import { partitionOf } from '../../relay/kafka/partitioner.ts'
import type { TopicState, Topology } from '../../relay/kafka/topology.ts'
import type { Sendable } from '../../relay/placement.ts'
import { envelopeOf, NOW } from './items.ts'
import { laneDouble, type LaneScript } from './lane-double.ts'

const LEDGER = { topic: 'ledger', partition: 0 }
export const LETTERS = { topic: 'dead-letters', partition: 0 }

export const ok = (leaders: number[] = [0, 1, 2], partitions = 3): TopicState => ({
  status: 'ok',
  partitions,
  leaders: new Map(leaders.map((p) => [p, 1])),
})
export const gone = (code: number): TopicState => ({ status: 'unavailable', code })

export function sendable(
  n: number,
  records: EnvelopeRecord[] = [{ value: `v${n}` }],
  head: Partial<Omit<Envelope, 'records' | 'claim'>> = {},
): Sendable {
  return { envelope: { ...envelopeOf(n, records), ...head }, records }
}

// A key that belongs to a partition of three.
export function keyFor(partition: number): string {
  const key = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i'].find(
    (k) => partitionOf(Buffer.from(k), 3) === partition,
  )
  if (key === undefined) throw new Error(`no key for partition ${partition}`)
  return key
}
export const keyed = (...partitions: number[]): EnvelopeRecord[] =>
  partitions.map((p) => ({ key: keyFor(p), value: `p${p}` }))

// Transactions one after the other, over the same breakers.
export function makeShard(script: LaneScript = {}) {
  const time = { now: NOW, clock: 0 }
  const topology: Topology = script.topology ?? new Map([['topic', ok()]])
  const lane = laneDouble({ ...script, topology })
  const breakers = new Breakers(() => time.clock)
  const points: string[] = []
  const unchecked: string[] = []
  return {
    time,
    lane,
    breakers,
    points,
    unchecked,
    send: (send: Sendable[], rest: Partial<Batch> = {}): Promise<Delivered> =>
      deliver(
        { send, doomed: [], raw: [], ...rest },
        {
          lane,
          ledger: LEDGER,
          deadLetters: LETTERS,
          rotation: { next: 0 },
          breakers,
          now: () => time.now,
          reach: (point) => void points.push(point),
          onUnchecked: (partitions) =>
            void unchecked.push(...partitions.map((tp) => `${tp.topic}/${tp.partition}`)),
        },
      ),
    records: () => lane.valuesIn('ledger').map((text) => decodeLedgerRecord(text)),
    letters: () =>
      lane.committed
        .filter(({ append }) => append.topic === LETTERS.topic)
        .flatMap(({ append }) => append.messages),
  }
}

export const doubtOf = (of: Promise<unknown>) =>
  of.then(
    () => undefined,
    (error: unknown) => error,
  )
export const idsOf = ({ outcomes, blocked }: Delivered) => ({
  sent: outcomes.map(([id]) => id),
  blocked: blocked.map((b) => b.sendable.envelope.id),
})
