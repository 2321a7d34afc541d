/** Reads the ledger for the audit: the envelopes in it, from a time on or all, up to what is written in it at some moment. */
import { decodeLedgerRecord } from '#contract'
import type { Topic } from '../operator/topic.ts'
import { Trouble } from '../operator/trouble.ts'
import type { LedgerEntry } from './book.ts'

/** An open transaction of a relay is ended by then, by the relay, its successor or the broker. */
export const OPEN_MS = 75_000

/** From where to where, by partition. */
export type Span = ReadonlyMap<number, { start: bigint; from: bigint; end: bigint }>

export interface LedgerRead {
  /** When the oldest record was written of those partitions that have lost what was before; undefined: none has. Unix ms. */
  beginsAt: number | undefined
}

/** Up to what is written now, from this time on, Unix ms; undefined: all. */
export async function spanOf(ledger: Topic, since: number | undefined): Promise<Span> {
  const span = new Map<number, { start: bigint; from: bigint; end: bigint }>()
  for (const partition of ledger.leaders.keys()) {
    const end = await ledger.end(partition, 'written')
    const start = await ledger.start(partition)
    const from = since === undefined ? start : ((await ledger.offsetAt(partition, since)) ?? end)
    span.set(partition, { start, from, end })
  }
  return span
}

/** What was written since the end of a span. */
export async function spanAfter(ledger: Topic, before: Span): Promise<Span> {
  const span = await spanOf(ledger, undefined)
  return new Map(
    [...span].map(([partition, at]) => [
      partition,
      { ...at, from: before.get(partition)?.end ?? at.from },
    ]),
  )
}

/** @throws Trouble for a record that can't be understood, and where a transaction stays open */
export async function readLedger(
  ledger: Topic,
  span: Span,
  visit: (entry: LedgerEntry) => void,
): Promise<LedgerRead> {
  let beginsAt: number | undefined
  for (const [partition, { start, from, end }] of span) {
    let isFirst = start > 0n && from <= start
    await ledger.read(
      { partition, from, through: end - 1n },
      ({ offset, value, timestamp }) => {
        if (isFirst) beginsAt = Math.max(beginsAt ?? 0, Number(timestamp))
        isFirst = false
        const record = decode(ledger.name, partition, offset, value)
        if ('claim' in record) return
        for (const [id, outcome] of record.batch) {
          visit({ partition, offset: BigInt(offset), id, outcome })
        }
      },
      { stallMs: OPEN_MS },
    )
  }
  return { beginsAt }
}

function decode(topic: string, partition: number, offset: string, value: Buffer | null) {
  try {
    return decodeLedgerRecord(value?.toString() ?? '')
  } catch {
    throw new Trouble(
      `The record at ${topic}/${partition}/${offset} is no ledger record that this version knows.`,
    )
  }
}
