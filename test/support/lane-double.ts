// A lane on no Kafka, for tests of what is built on it.
import type { Append, AppendResult } from '../../relay/kafka/append.ts'
import type { TopicPartition } from '../../relay/kafka/lane.ts'
import type { Topology } from '../../relay/kafka/topology.ts'
import { storedValue } from './stored-value.ts'

export interface LaneScript {
  topology?: Topology
  // Partitions with a transaction that was never ended, and those that may not be asked about, as `topic/partition`.
  hanging?: string[]
  unchecked?: string[]
  // What ADD refuses, as `topic/partition`.
  addRefuses?: Record<string, number>
  // What becomes of one message; stored when it says nothing.
  resultOf?: (append: Append, at: number) => AppendResult | undefined
  // Called before each step is answered; what it throws is thrown.
  before?: (step: 'topology' | 'add' | 'append' | 'commit') => void
  ledger?: LedgerScript
}

export interface LedgerScript {
  topic: string
  // What is there already, by offset.
  records?: Map<bigint, string | null>
  // Where the next record goes.
  end?: bigint
  start?: bigint
  committed?: bigint
  // Offsets that a read does not see.
  hidden?: (offset: bigint) => boolean
}

// Every partition hands out offsets from 0, and what is committed is kept.
export function laneDouble(script: LaneScript = {}) {
  const calls: string[] = []
  const ends = new Map<string, bigint>()
  const { ledger } = script
  if (ledger) ends.set(`${ledger.topic}/0`, ledger.end ?? 0n)
  const committed: { append: Append; results: AppendResult[] }[] = []
  let open: typeof committed = []
  const nameOf = ({ topic, partition }: TopicPartition) => `${topic}/${partition}`

  function resultsOf(append: Append): AppendResult[] {
    return append.messages.map((_, at) => {
      const told = script.resultOf?.(append, at)
      if (told) return told
      const offset = ends.get(nameOf(append)) ?? 0n
      ends.set(nameOf(append), offset + 1n)
      return { status: 'stored', offset }
    })
  }

  return {
    calls,
    // Of committed transactions, in order.
    committed,
    // The texts of what is committed in a topic.
    valuesIn: (topic: string): string[] =>
      committed
        .filter(({ append }) => append.topic === topic)
        .flatMap(({ append, results }) =>
          append.messages.filter((_, at) => results[at]?.status === 'stored'),
        )
        .map(({ value }) => value?.toString() ?? ''),
    async topology(topics: readonly string[]): Promise<Topology> {
      calls.push(`topology ${topics.join(',')}`)
      script.before?.('topology')
      return script.topology ?? new Map()
    },
    async hanging(partitions: readonly TopicPartition[]) {
      const among = (names: string[] = []) => partitions.filter((tp) => names.includes(nameOf(tp)))
      return { hanging: among(script.hanging), unchecked: among(script.unchecked) }
    },
    async add(partitions: readonly TopicPartition[]) {
      calls.push(`add ${partitions.map(nameOf).join(',')}`)
      script.before?.('add')
      return partitions.flatMap((tp) => {
        const code = script.addRefuses?.[nameOf(tp)]
        return code === undefined ? [] : [{ ...tp, code }]
      })
    },
    async append(appends: readonly Append[]): Promise<AppendResult[][]> {
      calls.push(`append ${appends.map((a) => `${nameOf(a)}×${a.messages.length}`).join(',')}`)
      script.before?.('append')
      return appends.map((append) => {
        const results = resultsOf(append)
        open.push({ append, results })
        return results
      })
    },
    async commit(): Promise<void> {
      calls.push('commit')
      script.before?.('commit')
      committed.push(...open)
      open = []
    },
    async readLedger(
      { from, through }: { partition: number; from: bigint; through: bigint },
      visit: (record: { offset: bigint; value: Buffer | null }) => void,
    ): Promise<bigint> {
      calls.push(`read ${from}–${through}`)
      const records = new Map<bigint, Buffer | null>()
      for (const [offset, text] of ledger?.records ?? []) {
        records.set(offset, text === null ? null : Buffer.from(text))
      }
      for (const { append, results } of committed) {
        for (const [at, result] of results.entries()) {
          if (append.topic !== ledger?.topic || result.status !== 'stored') continue
          const message = append.messages[at]
          records.set(result.offset, message ? storedValue(message) : null)
        }
      }
      for (const [offset, value] of [...records].sort(([a], [b]) => Number(a - b))) {
        if (offset < from || offset > through || ledger?.hidden?.(offset)) continue
        visit({ offset, value })
      }
      return through + 1n
    },
    async ledgerBounds() {
      calls.push('bounds')
      return { start: ledger?.start ?? 0n, committed: ledger?.committed }
    },
    async close(): Promise<void> {
      calls.push('close')
    },
  }
}
