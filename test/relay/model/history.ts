// What has happened for good, and what must never happen: the invariants of docs/reliability.md, checked at the moment of each commit,
// ack and row. A breach is kept and not thrown: whoever caused it would take a thrown error for a fault and go on.
import {
  decodeEnvelope,
  decodeLedgerRecord,
  recordCount,
  reportId,
  unpackRuns,
  type EnvelopeId,
  type Outcome,
} from '#contract'
import { LETTER_HEADERS } from '../../../relay/dead-letter.ts'
import { DATA, LEDGER, LETTERS, type Kafka, type LogRecord, type Txn } from './kafka.ts'
import type { Message, Queue } from './queue.ts'
import type { Store } from './store.ts'

export type Invariant =
  | 'I1: a report is in Kafka at most once'
  | 'I2: what is acked is committed'
  | 'I3: data is committed if and only if its ledger entry is'
  | 'I4: an outcome says where the report is'
  | 'I5: no epoch commits once a later one is initialised'
  | 'I7: each accepted envelope gets its outcome'
  | 'an outcome does not change'
  | 'a report is delivered or dead-lettered, not both'
  | 'no records are lost'
  | 'what is settled is forgotten'
  | 'a relay goes on'

export interface Breach {
  invariant: Invariant
  text: string
}

export class History {
  readonly breaches: Breach[] = []
  readonly #kafka: Kafka
  readonly #store: Store
  // Report → where it is.
  readonly #data = new Map<string, LogRecord>()
  readonly #letters = new Set<string>()
  // Messages that became a dead letter as they were, and the envelopes in them.
  readonly #rawLetters = new Set<string>()
  readonly #givenUp = new Set<EnvelopeId>()
  // Envelopes that were accepted again later, with the same key.
  readonly repeated = new Set<EnvelopeId>()

  constructor(kafka: Kafka, store: Store, queues: readonly Queue[]) {
    this.#kafka = kafka
    this.#store = store
    kafka.onCommit = (txn) => this.#committed(txn)
    store.onRow = (id, outcome) => this.#row(id, outcome)
    store.onAgain = (id, outcome, row) => {
      if (JSON.stringify(outcome) === JSON.stringify(row) || this.#isUnknowable(id)) return
      this.breach('an outcome does not change', `${id}: ${JSON.stringify([row, outcome])}`)
    }
    for (const queue of queues) queue.onAcked = (message) => this.#acked(message)
  }

  breach(invariant: Invariant, text: string): void {
    this.breaches.push({ invariant, text })
  }

  // Where it ended, or that it did not.
  isCommitted({ id, body }: Pick<Message, 'id' | 'body'>): boolean {
    if (this.#rawLetters.has(id)) return true
    const decoded = decodeEnvelope(body)
    if (decoded.status !== 'ok') return false
    const { envelope } = decoded
    return Array.from({ length: recordCount(envelope) }, (_, i) => reportId(envelope.id, i)).every(
      (report) => this.#data.has(report) || this.#letters.has(report),
    )
  }

  // Too old for anybody to know what became of it: it has a dead letter and no outcome.
  isGivenUp(id: EnvelopeId): boolean {
    return this.#givenUp.has(id)
  }

  get delivered(): number {
    return this.#data.size
  }

  get deadLettered(): number {
    return this.#letters.size + this.#rawLetters.size
  }

  #committed(txn: Txn): void {
    if (txn.epoch !== this.#kafka.epoch) {
      this.breach('I5: no epoch commits once a later one is initialised', `epoch ${txn.epoch}`)
    }
    const data = txn.records.filter(({ topic }) => topic === DATA)
    const letters = txn.records.filter(({ topic }) => topic === LETTERS)
    const entries = txn.records
      .filter(({ topic }) => topic === LEDGER)
      .map(({ value }) => decodeLedgerRecord(value?.toString() ?? ''))
    const batch = entries.flatMap((entry) => ('batch' in entry ? entry.batch : []))
    const dead = this.#deadOf(letters, batch)
    this.#checkLedger(batch, data, dead)
    for (const record of data) this.#addData(record)
    for (const report of dead) this.#addDead(report)
    for (const letter of letters) this.#look(letter)
  }

  // A letter is for one report; the only one of a dead envelope whose records are gone is for all of them.
  #deadOf(letters: readonly LogRecord[], batch: readonly [EnvelopeId, Outcome][]): string[] {
    const outcomes = new Map(batch)
    const reports = letters.flatMap(({ report }) => (report === undefined ? [] : [report]))
    return [...Map.groupBy(reports, envelopeOf)].flatMap(([id, of]) => {
      const said = unpackRuns(outcomes.get(id)?.runs ?? [])
      const isForAll = of.length === 1 && said.every(({ status }) => status === 'failed')
      if (!isForAll || !this.#store.deleted.has(id)) return of
      return said.map((_, index) => reportId(id, index))
    })
  }

  #checkLedger(
    batch: readonly [EnvelopeId, Outcome][],
    data: readonly LogRecord[],
    dead: readonly string[],
  ): void {
    const said = batch.flatMap(([id, { topic, runs }]) =>
      unpackRuns(runs).map((report, i) =>
        report.status === 'delivered'
          ? `${reportId(id, i)} at ${topic}/${report.partition}/${report.offset}`
          : `${reportId(id, i)} dead`,
      ),
    )
    const done = [
      ...data.map((r) => `${r.report} at ${r.topic}/${r.partition}/${r.offset}`),
      ...dead.map((report) => `${report} dead`),
    ]
    if (said.sort().join() === done.sort().join()) return
    this.breach(
      'I3: data is committed if and only if its ledger entry is',
      `ledger [${said.join()}], Kafka [${done.join()}]`,
    )
  }

  #addData(record: LogRecord): void {
    const report = record.report ?? ''
    const before = this.#data.get(report)
    if (before) {
      const places = [before, record].map(({ partition, offset }) => `${partition}/${offset}`)
      this.breach(
        'I1: a report is in Kafka at most once',
        `${report} is at ${places.join(' and ')}`,
      )
    }
    if (this.#letters.has(report)) this.#both(report)
    this.#data.set(report, record)
  }

  #addDead(report: string): void {
    if (this.#data.has(report) || this.#letters.has(report)) this.#both(report)
    this.#letters.add(report)
  }

  #look({ report, headers, value }: LogRecord): void {
    if (report === undefined) {
      this.#rawLetters.add(headers[LETTER_HEADERS.messageId]?.toString() ?? '')
      const decoded = decodeEnvelope(value?.toString() ?? '')
      if (decoded.status === 'ok') this.#givenUp.add(decoded.envelope.id)
    } else if (headers[LETTER_HEADERS.reason]?.toString() === 'envelope_lost') {
      this.breach('no records are lost', report)
    }
  }

  #both(report: string): void {
    if (this.#isUnknowable(envelopeOf(report))) return
    this.breach('a report is delivered or dead-lettered, not both', report)
  }

  // A repeat that comes when the row is gone and that is too old to be sent: it may become a dead letter although it was delivered.
  #isUnknowable(id: EnvelopeId): boolean {
    return this.repeated.has(id) && this.#store.hadForgotten(id)
  }

  #row(id: EnvelopeId, { topic, runs }: Outcome): void {
    for (const [i, report] of unpackRuns(runs).entries()) {
      if (report.status !== 'delivered') continue
      const record = this.#kafka.at(topic, report.partition, Number(report.offset))
      if (record?.report === reportId(id, i) && record.txn.state === 'committed') continue
      this.breach('I4: an outcome says where the report is', reportId(id, i))
    }
  }

  #acked(message: Message): void {
    if (this.isCommitted(message)) return
    this.breach('I2: what is acked is committed', message.body)
  }
}

function envelopeOf(report: string): EnvelopeId {
  return report.slice(0, report.lastIndexOf('.')) as EnvelopeId
}
