// Histories that are right, made up: a small plan that fast-check can shrink, and what a faultless Edgehub would leave behind of it. For
// the tests of the checker.
import * as fc from 'fast-check'
import {
  envelopeIdOf,
  packRuns,
  reportId,
  type EnvelopeId,
  type Outcome,
  type ReportOutcome,
} from '#contract'
import {
  emptyHistory,
  queueKey,
  type Content,
  type History,
  type Observation,
  type QueueMessage,
} from './history.ts'

export interface ReportPlan {
  // One of a few; undefined: none.
  key: number | undefined
  value: string | null
  fails: boolean
}

export interface EnvelopePlan {
  reports: ReportPlan[]
  // `lost`: with one dead letter for all. `queued`: nothing has become of it yet. `unconfirmed`: delivered, but its client got no receipt.
  end: 'delivered' | 'lost' | 'queued' | 'unconfirmed'
  // Of the queue's messages with it: as often as this it came, under other message ids.
  copies: number
  // The client asked once before there was an outcome, once or twice after.
  asked: { early: boolean; twice: boolean }
  // Posted again under its key with another body.
  conflicts: boolean
}

export interface Plan {
  envelopes: EnvelopePlan[]
  // Envelopes in one transaction.
  together: number
  raw: number
}

const TOPIC = 'topic'
const PARTITIONS = 3
const SHARDS = 2

const report: fc.Arbitrary<ReportPlan> = fc.record({
  key: fc.option(fc.integer({ min: 0, max: 4 }), { nil: undefined }),
  value: fc.option(fc.string({ maxLength: 4 }), { nil: null }),
  fails: fc.integer({ min: 0, max: 5 }).map((n) => n === 0),
})

const envelope: fc.Arbitrary<EnvelopePlan> = fc.record({
  reports: fc.array(report, { minLength: 1, maxLength: 6 }),
  end: fc.constantFrom('delivered', 'delivered', 'delivered', 'lost', 'queued', 'unconfirmed'),
  copies: fc.constantFrom(1, 1, 1, 2),
  asked: fc.record({ early: fc.boolean(), twice: fc.boolean() }),
  conflicts: fc.integer({ min: 0, max: 5 }).map((n) => n === 0),
})

export const plans: fc.Arbitrary<Plan> = fc.record({
  envelopes: fc.array(envelope, { maxLength: 12 }),
  together: fc.integer({ min: 1, max: 4 }),
  raw: fc.integer({ min: 0, max: 2 }),
})

// `queued` envelopes are left out of a final history.
export function build(plan: Plan, { final }: { final: boolean }): History {
  const history = emptyHistory()
  const envelopes = plan.envelopes.filter(({ end }) => !final || end !== 'queued')
  const log = new Log(history)
  for (const [n, of] of envelopes.entries()) {
    const shard = n % SHARDS
    const id = envelopeIdOf(
      Uint8Array.from({ length: 12 }, (_, i) => (i === 0 ? shard : i === 11 ? n : 7)),
    )
    const contents = of.reports.map(({ key, value }): Content => ({
      key: key === undefined ? null : `k${key}`,
      value,
    }))
    if (of.end !== 'unconfirmed') {
      history.accepted.push({ id, topic: TOPIC, reports: contents })
    }
    const isDone = of.end !== 'queued'
    const outcome = isDone ? log.write(id, shard, of, contents) : undefined
    for (let copy = 0; copy < of.copies; copy++) {
      // A copy may still be there when all is known: it is acked when it comes again.
      log.give(shard, id, isDone && !(copy === 1 && !final) ? 'acked' : 'live')
    }
    if (of.end !== 'unconfirmed') observe(history, id, of, outcome)
    if ((n + 1) % plan.together === 0) log.endTransaction()
  }
  for (let n = 0; n < plan.raw; n++) log.writeRaw(n % SHARDS)
  return history
}

function observe(
  { observations, accepted }: History,
  id: EnvelopeId,
  { asked, reports: { length }, conflicts }: EnvelopePlan,
  reports: ReportOutcome[] | undefined,
): void {
  const base = { id, receipt: `receipt of ${id}`, index: 0 }
  const told = (each: Partial<Observation>) => observations.push({ ...base, reports, ...each })
  if (asked.early) told({ reports: undefined })
  told({})
  if (!reports) return
  if (asked.twice) told({})
  // A receipt of its last report alone, as SendMessage gives.
  told({ receipt: `${base.receipt}, last`, index: length - 1, reports: reports.slice(-1) })
  if (!conflicts) return
  accepted.push({ id, topic: TOPIC, reports: [{ key: null, value: 'another body' }] })
  const conflict: ReportOutcome = { status: 'failed', reason: 'idempotency_conflict' }
  told({ receipt: `${base.receipt}, of another body`, reports: [conflict] })
}

// What Kafka and the queues have, with the gaps that markers leave.
class Log {
  readonly #history: History
  readonly #queue = new Map<string, QueueMessage>()
  readonly #ends = new Map<string, number>()
  readonly #touched = new Set<string>()
  #rotation = 0

  constructor(history: History) {
    this.#history = history
    history.queue = this.#queue
  }

  #next(partition: string): number {
    const offset = this.#ends.get(partition) ?? 0
    this.#ends.set(partition, offset + 1)
    this.#touched.add(partition)
    return offset
  }

  endTransaction(): void {
    for (const partition of this.#touched) {
      this.#ends.set(partition, (this.#ends.get(partition) ?? 0) + 1)
    }
    this.#touched.clear()
  }

  write(
    id: EnvelopeId,
    shard: number,
    { reports, end }: EnvelopePlan,
    contents: readonly Content[],
  ): ReportOutcome[] {
    const { records, letters, ledger } = this.#history
    const unkeyed = this.#rotation++ % PARTITIONS
    const outcomes = reports.map(({ key, fails }, i): ReportOutcome => {
      const content = contents[i] ?? { key: null, value: null }
      const name = reportId(id, i)
      if (end === 'lost' || fails) {
        const reason = end === 'lost' ? 'envelope_lost' : 'record_too_large'
        if (end !== 'lost' || i === 0) {
          const stored = end === 'lost' ? { key: null, value: null } : content
          const offset = this.#next(`letters/${shard}`)
          letters.push({ partition: shard, offset, reason, report: name, ...stored })
        }
        return { status: 'failed', reason }
      }
      const partition = key === undefined ? unkeyed : key % PARTITIONS
      const offset = this.#next(`data/${partition}`)
      records.push({ topic: TOPIC, partition, offset, report: name, ...content })
      return { status: 'delivered', partition, offset: String(offset) }
    })
    const outcome: Outcome = {
      datahub: 'datahub-abcdefgh',
      topic: TOPIC,
      received: 1,
      sent: 2,
      runs: packRuns(outcomes),
    }
    const offset = this.#next(`ledger/${shard}`)
    ledger.push({ partition: shard, offset, id, outcome })
    return outcomes
  }

  writeRaw(shard: number): void {
    const messageId = this.give(shard, undefined, 'acked')
    const { letters, raw } = this.#history
    const content = { key: messageId, value: 'no envelope' }
    const offset = this.#next(`letters/${shard}`)
    letters.push({ partition: shard, offset, reason: 'undecodable', messageId, ...content })
    raw.push({ partition: shard, offset: this.#next(`ledger/${shard}`), messageId })
    this.endTransaction()
  }

  give(shard: number, id: EnvelopeId | undefined, fate: QueueMessage['fate']): string {
    const seq = this.#queue.size + 1
    const messageId = `message-${seq}`
    this.#queue.set(queueKey({ shard, seq }), { shard, seq, messageId, id, fate })
    return messageId
  }
}
