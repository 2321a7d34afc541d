// Kafka for one transactional id, in memory: the transaction coordinator with its epochs, partitions with open, committed and aborted
// records, end markers that come later and take offsets, the last stable offset, the check of sequence numbers, the group's offset. What
// a relay sees of it is a `LanePort`; the ledger is read by the relay's own reader.
import { deadLetterTopic, ID_HEADER, ledgerTopic } from '#contract'
import { AppendError, type Append, type AppendResult } from '../../../relay/kafka/append.ts'
import { Code } from '../../../relay/kafka/codes.ts'
import {
  errorCode,
  type Broker,
  type Cluster,
  type FetchResponse,
  type LaneMessage,
} from '../../../relay/kafka/kafkajs.ts'
import { Doubt, type LanePort, type TopicPartition } from '../../../relay/kafka/lane.ts'
import { readPartition } from '../../../relay/kafka/reader.ts'
import type { Topology, TopicState } from '../../../relay/kafka/topology.ts'
import { storedValue } from '../../support/stored-value.ts'
import { AGAIN, type Life, type Wire } from './calls.ts'

export const INSTANCE = 'ckafka-00000000'
export const LEDGER = ledgerTopic(INSTANCE)
export const LETTERS = deadLetterTopic(INSTANCE)
export const DATA = 'orders'
export const DATA_PARTITIONS = 2
// A record with this in its value is refused by every broker.
export const TOO_LARGE = 'too large'

export interface Txn {
  readonly epoch: number
  // Decided by EndTxn; what the markers tell follows later.
  state: 'ongoing' | 'committed' | 'aborted'
  readonly partitions: Set<string>
  // Partitions whose end marker is still to be written.
  readonly unmarked: Set<string>
  readonly records: LogRecord[]
}

export interface LogRecord {
  topic: string
  partition: number
  offset: number
  txn: Txn
  isMarker: boolean
  key: Buffer | null
  value: Buffer | null
  // The header that names a report.
  report: string | undefined
  headers: NonNullable<LaneMessage['headers']>
}

interface Partition {
  topic: string
  partition: number
  log: LogRecord[]
  // The transaction that has records here and no marker yet.
  open: { txn: Txn; from: number } | undefined
  // Of this epoch: the offset that each sequence number got.
  sequence: { epoch: number; offsets: number[] }
}

// What one partition of the data topic may be in trouble with.
export type Trouble = 'none' | 'no leader' | 'deleted'

export interface ModelLane extends LanePort {
  readonly epoch: number
  // Next of each partition.
  readonly sequences: Map<string, number>
}

// The transaction is over for this epoch, whatever the caller thinks.
class CodeError extends Error {
  readonly code: number
  constructor(code: number) {
    super(`code ${code}`)
    this.code = code
  }
}

export class Kafka {
  // Of the newest INIT.
  epoch = 0
  // Who got which epoch last; nobody has the newest one when its INIT came late.
  #last: { life: Life; epoch: number } | undefined
  groupOffset: bigint | undefined
  trouble: Trouble = 'none'
  onCommit: (txn: Txn) => void = () => {}
  readonly #wire: Wire
  #txn: Txn | undefined
  readonly #partitions = new Map<string, Partition>()

  constructor(wire: Wire) {
    this.#wire = wire
    const names = [
      { topic: LEDGER, partition: 0 },
      { topic: LETTERS, partition: 0 },
      ...Array.from({ length: DATA_PARTITIONS }, (_, partition) => ({ topic: DATA, partition })),
    ]
    for (const name of names) {
      const sequence = { epoch: 0, offsets: [] }
      this.#partitions.set(nameOf(name), { ...name, log: [], open: undefined, sequence })
    }
  }

  at(topic: string, partition: number, offset: number): LogRecord | undefined {
    return this.#partitions.get(nameOf({ topic, partition }))?.log[offset]
  }

  get ledger(): readonly LogRecord[] {
    return this.#partition({ topic: LEDGER, partition: 0 }).log
  }

  // Where its readers have to stop.
  get ledgerStable(): number {
    return stableEnd(this.#partition({ topic: LEDGER, partition: 0 }))
  }

  // Markers that are to be written, by the names of their partitions.
  get unmarked(): string[] {
    return this.#txn && this.#txn.state !== 'ongoing' ? [...this.#txn.unmarked].sort() : []
  }

  isOwner(life: Life): boolean {
    return this.#last?.life === life && this.#last.epoch === this.epoch
  }

  get isOngoing(): boolean {
    return this.#txn?.state === 'ongoing'
  }

  writeMarker(name: string): void {
    const txn = this.#txn
    const partition = this.#partitions.get(name)
    if (!txn || !partition || !txn.unmarked.delete(name)) return
    append(partition, txn, { key: Buffer.from([0, 0, 0, txn.state === 'committed' ? 1 : 0]) })
    partition.open = undefined
    if (txn.unmarked.size === 0) this.#txn = undefined
  }

  // The coordinator gives up on a transaction that lasts too long.
  timeOut(): void {
    if (this.#txn?.state !== 'ongoing') return
    this.epoch++
    this.#end('aborted')
  }

  // INIT. `reuse`: a lane whose epoch goes on if it is the newest, which is wrong.
  async openLane(life: Life, reuse?: ModelLane): Promise<ModelLane> {
    const settled = () => this.#txn === undefined || this.#txn.state === 'ongoing'
    const init = (): number | typeof AGAIN => {
      const again = reuse?.epoch === this.epoch
      if (this.#txn?.state === 'ongoing') {
        if (!again) this.epoch++
        this.#end('aborted')
      }
      if (this.#txn) return AGAIN
      if (!again) this.epoch++
      return this.epoch
    }
    const epoch = await this.#ask(life, 'init', init, settled)
    this.#last = { life, epoch }
    return this.#lane(life, epoch, reuse?.epoch === epoch ? reuse.sequences : new Map())
  }

  #lane(life: Life, epoch: number, sequences: Map<string, number>): ModelLane {
    const settled = () => this.#txn === undefined || this.#txn.state === 'ongoing'
    return {
      epoch,
      sequences,
      topology: (topics) =>
        this.#ask(life, 'topology', () => this.#topology([...topics, LEDGER]), undefined, false),
      hanging: (partitions) =>
        this.#ask(life, 'hanging', () => this.#hanging(partitions), undefined, false),
      add: (partitions) =>
        this.#ask(
          life,
          'add',
          () => this.#add(epoch, partitions),
          () => this.epoch !== epoch || settled(),
        ),
      append: async (appends) => {
        const calls = appends.map((of) => ({ of, sequence: sequences.get(nameOf(of)) ?? 0 }))
        const what = appends.map((of) => `${nameOf(of)}×${of.messages.length}`).join(' ')
        let results: AppendResult[][]
        try {
          results = await this.#wire.call(life, {
            what: `append ${what}`,
            execute: (parts) => calls.slice(0, parts).map((call) => this.#append(epoch, call)),
          })
        } catch (error) {
          const code = errorCode(error)
          throw new Doubt('append', new AppendError(String(error), appends, code, error))
        }
        for (const [i, { of, sequence }] of calls.entries()) {
          const stored = results[i]?.filter(({ status }) => status === 'stored').length ?? 0
          sequences.set(nameOf(of), sequence + stored)
        }
        return results
      },
      commit: () => this.#ask(life, 'commit', () => this.#commit(epoch)),
      readLedger: async ({ partition, from, through }, visit) => {
        try {
          const range = { topic: LEDGER, partition, from, through, stallMs: Infinity }
          return await readPartition(this.#cluster(life), range, ({ offset, value }) =>
            visit({ offset: BigInt(offset), value }),
          )
        } catch (error) {
          throw new Doubt('ledger', error)
        }
      },
      ledgerBounds: () =>
        this.#ask(
          life,
          'bounds',
          () => ({ start: 0n, committed: this.groupOffset }),
          undefined,
          false,
        ),
      close: async () => {},
    }
  }

  // Every failure of a lane is a doubt.
  async #ask<T>(
    life: Life,
    what: string,
    execute: () => T | typeof AGAIN,
    ready: () => boolean = () => true,
    effect = true,
  ): Promise<T> {
    try {
      return await this.#wire.call(life, { what, execute, ready, effect })
    } catch (error) {
      throw new Doubt(what, error)
    }
  }

  #partition(of: TopicPartition): Partition {
    const partition = this.#partitions.get(nameOf(of))
    if (!partition) throw new Error(`the model has no ${nameOf(of)}`)
    return partition
  }

  #topology(topics: readonly string[]): Topology {
    return new Map(
      topics.map((topic): [string, TopicState] => {
        const of = [...this.#partitions.values()].filter((p) => p.topic === topic)
        const writable = of.filter((p) => this.trouble !== 'no leader' || !isTroubled(p))
        const leaders = new Map(writable.map((p) => [p.partition, 1]))
        return [topic, { status: 'ok', partitions: of.length, leaders }]
      }),
    )
  }

  #hanging(partitions: readonly TopicPartition[]) {
    const hanging = partitions.filter((p) => {
      const open = this.#partition(p).open
      return open !== undefined && open.txn !== this.#txn
    })
    return { hanging, unchecked: [] }
  }

  #fence(epoch: number): void {
    if (epoch !== this.epoch) throw new CodeError(Code.INVALID_PRODUCER_EPOCH)
  }

  #add(
    epoch: number,
    partitions: readonly TopicPartition[],
  ): (TopicPartition & { code: number })[] {
    this.#fence(epoch)
    // A request that arrives late, while markers are being written, is answered "concurrent".
    if (this.unmarked.length > 0) throw new CodeError(Code.CONCURRENT_TRANSACTIONS)
    const refused = partitions.filter((p) => this.trouble === 'deleted' && isTroubled(p))
    this.#txn ??= {
      epoch,
      state: 'ongoing',
      partitions: new Set(),
      unmarked: new Set(),
      records: [],
    }
    for (const partition of partitions) {
      if (!refused.includes(partition)) this.#txn.partitions.add(nameOf(partition))
    }
    return refused.map((p) => ({ ...p, code: Code.UNKNOWN_TOPIC_OR_PARTITION }))
  }

  #append(epoch: number, { of, sequence }: { of: Append; sequence: number }): AppendResult[] {
    const partition = this.#partition(of)
    if (this.trouble === 'deleted' && isTroubled(of)) {
      return of.messages.map(() => ({
        status: 'unavailable',
        code: Code.UNKNOWN_TOPIC_OR_PARTITION,
      }))
    }
    const txn = this.#txnFor(epoch, partition)
    if (partition.sequence.epoch !== epoch) partition.sequence = { epoch, offsets: [] }
    const { offsets } = partition.sequence
    if (sequence > offsets.length) throw new CodeError(Code.UNKNOWN_TO_KAFKAJS)
    let next = sequence
    return of.messages.map((message): AppendResult => {
      if (isTooLarge(of, message)) return { status: 'refused', reason: 'record_too_large' }
      // A number that was used is a repeated request: answered as the first time, and not stored again.
      const offset = (offsets[next] ??= append(partition, txn, {
        ...message,
        value: storedValue(message),
      }).offset)
      next++
      return { status: 'stored', offset: BigInt(offset) }
    })
  }

  // A broker takes what belongs to a transaction that is open on its partition, also when the coordinator has just decided to abort it.
  #txnFor(epoch: number, { topic, partition, open }: Partition): Txn {
    const txn = this.#txn
    if (txn?.epoch === epoch && txn.state === 'ongoing') {
      if (this.epoch === epoch && txn.partitions.has(nameOf({ topic, partition }))) return txn
    }
    if (open?.txn.epoch === epoch && open.txn.state === 'aborted') return open.txn
    throw new CodeError(epoch === this.epoch ? Code.INVALID_TXN_STATE : Code.INVALID_PRODUCER_EPOCH)
  }

  #commit(epoch: number): void {
    this.#fence(epoch)
    if (this.#txn?.state !== 'ongoing') throw new CodeError(Code.INVALID_TXN_STATE)
    this.#end('committed')
  }

  #end(state: 'committed' | 'aborted'): void {
    const txn = this.#txn
    if (!txn) return
    txn.state = state
    for (const name of txn.partitions) txn.unmarked.add(name)
    if (state === 'committed') this.onCommit(txn)
    if (txn.unmarked.size === 0) this.#txn = undefined
  }

  // As much of kafkajs's cluster as the relay's reader uses.
  #cluster(life: Life): Cluster {
    const fetch = (args: unknown): Promise<FetchResponse> => {
      const from = Number(
        (args as { topics: { partitions: { fetchOffset: string }[] }[] }).topics[0]?.partitions[0]
          ?.fetchOffset,
      )
      const ledger = this.#partition({ topic: LEDGER, partition: 0 })
      return this.#wire.call(life, {
        what: `fetch ${from}`,
        effect: false,
        // A broker waits for something to read.
        ready: () => stableEnd(ledger) > from,
        // As much as a broker cares to answer.
        execute: () => fetched(ledger, from, this.#wire.random() < 0.5 ? Infinity : 2),
      })
    }
    return {
      addTargetTopic: async () => {},
      refreshMetadata: async () => {},
      findLeaderForPartitions: () => ({ 1: [0] }),
      findBroker: async () => ({ nodeId: 1, fetch }) as unknown as Broker,
    } as unknown as Cluster
  }
}

export const nameOf = ({ topic, partition }: TopicPartition): string => `${topic}/${partition}`

const isTroubled = ({ topic, partition }: TopicPartition): boolean =>
  topic === DATA && partition === 1

const isTooLarge = ({ topic }: TopicPartition, { value }: LaneMessage): boolean =>
  topic === DATA && value?.includes(TOO_LARGE) === true

function append(
  partition: Partition,
  txn: Txn,
  message: Pick<LaneMessage, 'key' | 'headers'> & { value?: Buffer | null },
): LogRecord {
  const { topic, partition: number, log } = partition
  const { key, value, headers = {} } = message
  const isMarker = value === undefined
  const report = headers[ID_HEADER]?.toString()
  const offset = log.length
  const of = { topic, partition: number, offset, txn, isMarker, key, value: value ?? null }
  const record: LogRecord = { ...of, report, headers }
  log.push(record)
  if (!isMarker) {
    partition.open ??= { txn, from: offset }
    txn.records.push(record)
  }
  return record
}

// Nothing at or above it is read: the first record whose transaction has no marker here.
function stableEnd({ open, log }: Partition): number {
  return open?.from ?? log.length
}

function fetched(partition: Partition, from: number, limit: number): FetchResponse {
  const end = stableEnd(partition)
  const records = partition.log.slice(from, Math.min(end, from + limit))
  const aborted = [
    ...new Set(records.filter((r) => r.txn.state === 'aborted').map(({ txn }) => txn)),
  ].flatMap((txn) => {
    const first = partition.log.find((r) => r.txn === txn && !r.isMarker)
    return first ? [{ producerId: '1', firstOffset: String(first.offset) }] : []
  })
  const messages = records.map(({ offset, key, value, isMarker }) => ({
    offset: String(offset),
    key,
    value,
    isControlRecord: isMarker,
    batchContext: { producerId: '1', inTransaction: true },
  }))
  const answer = {
    partition: partition.partition,
    errorCode: 0,
    highWatermark: String(partition.log.length),
    lastStableOffset: String(end),
    abortedTransactions: aborted,
    messages,
  }
  return { responses: [{ topicName: partition.topic, partitions: [answer] }] }
}
