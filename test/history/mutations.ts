// One fault put into a history that is right, and the name that the checker must give it. Each takes a copy of the history, and a number to
// choose by; undefined when the history has nothing that could go wrong in this way.
import { packRuns, unpackRuns, type EnvelopeId, type ReportOutcome } from '#contract'
import type { ViolationName } from './check.ts'
import { queueKey, type DataRecord, type History } from './history.ts'

export interface Planted {
  name: ViolationName
  // Of the report, or its envelope.
  id: string
}

export type Mutation = (history: History, choice: number) => Planted | undefined

export const MUTATIONS: Record<string, Mutation> = {
  'a record is dropped': ({ records }, choice) => {
    const [record] = take(records, choice)
    return record && { name: 'ledger entry without a record', id: record.report }
  },

  'a record that a receipt names is dropped': (history, choice) => {
    const { records, observations } = history
    const told = new Set(observations.flatMap(({ id, reports }) => (reports ? [id as string] : [])))
    const seen = records.filter(({ report }) => told.has(idOf(report)))
    const record = pick(seen, choice)
    if (!record) return undefined
    history.records = records.filter((each) => each !== record)
    return { name: 'delivered names no record', id: record.report }
  },

  'a record is doubled': (history, choice) => {
    const record = pick(history.records, choice)
    if (!record) return undefined
    history.records.push({ ...record, offset: endOf(history, record) })
    return { name: 'doubled record', id: record.report }
  },

  'a record is at another offset': (history, choice) => {
    const record = pick(history.records, choice)
    if (!record) return undefined
    record.offset = endOf(history, record)
    return { name: 'misplaced record', id: record.report }
  },

  'a record is in another partition': (history, choice) => {
    const record = pick(history.records, choice)
    if (!record) return undefined
    record.partition = (record.partition + 1) % 3
    record.offset = endOf(history, record)
    return { name: 'misplaced record', id: record.report }
  },

  'two records have each other’s place': ({ records }, choice) => {
    const [a, b] = [pick(records, choice), pick(records, choice + 1)]
    if (!a || !b || a === b) return undefined
    const place = { partition: a.partition, offset: a.offset }
    Object.assign(a, { partition: b.partition, offset: b.offset })
    Object.assign(b, place)
    return { name: 'misplaced record', id: b.report }
  },

  'two records have each other’s value': ({ records, accepted }, choice) => {
    const known = new Set<string>(accepted.map(({ id }) => id))
    const ours = records.filter(({ report }) => known.has(idOf(report)))
    const a = pick(ours, choice)
    const b = ours.find(({ value }) => value !== a?.value)
    if (!a || !b) return undefined
    ;[a.value, b.value] = [b.value, a.value]
    return { name: 'changed content', id: a.report }
  },

  'a key is changed': ({ records, accepted }, choice) => {
    const known = new Set<string>(accepted.map(({ id }) => id))
    const record = pick(
      records.filter(({ report }) => known.has(idOf(report))),
      choice,
    )
    if (!record) return undefined
    record.key = 'another key'
    return { name: 'changed content', id: record.report }
  },

  'a failed report is told as delivered': ({ observations }, choice) => {
    const told = failures(observations, choice)
    if (!told) return undefined
    const { of, reports, i } = told
    // A place that nobody has.
    reports[i] = { status: 'delivered', partition: 0, offset: '999999' }
    return { name: 'delivered names no record', id: `${of.id}.${of.index + i}` }
  },

  'a failed report is told as delivered where another is': (history, choice) => {
    const told = failures(history.observations, choice)
    const record = pick(history.records, choice)
    if (!told || !record) return undefined
    const { of, reports, i } = told
    const { partition, offset } = record
    reports[i] = { status: 'delivered', partition, offset: String(offset) }
    return { name: 'delivered names another record', id: `${of.id}.${of.index + i}` }
  },

  'a delivered report is told as failed': ({ observations }, choice) => {
    const of = pick(
      observations.filter(({ reports }) => reports?.some(({ status }) => status === 'delivered')),
      choice,
    )
    const i = of?.reports?.findIndex(({ status }) => status === 'delivered')
    if (!of?.reports || i === undefined) return undefined
    ;(of.reports as ReportOutcome[])[i] = { status: 'failed', reason: 'record_too_large' }
    return { name: 'outcome differs from the ledger', id: `${of.id}.${of.index + i}` }
  },

  'a failed report is in the ledger as delivered': (history, choice) => {
    const failed = history.ledger.filter(({ outcome }) => hasFailed(unpackRuns(outcome.runs)))
    const entry = pick(failed, choice)
    if (!entry) return undefined
    const reports = unpackRuns(entry.outcome.runs)
    const i = reports.findIndex(({ status }) => status === 'failed')
    reports[i] = { status: 'delivered', partition: 0, offset: '999999' }
    entry.outcome = { ...entry.outcome, runs: packRuns(reports) }
    return { name: 'ledger entry without a record', id: `${entry.id}.${i}` }
  },

  'an outcome is told and told otherwise later': ({ observations }, choice) => {
    const of = pick(
      observations.filter(({ reports }) => reports),
      choice,
    )
    if (!of) return undefined
    observations.push({ ...of, reports: undefined })
    return { name: 'status changed', id: of.id }
  },

  'a ledger entry is removed': (history, choice) => {
    const { records } = history
    const [entry] = take(history.ledger, choice, ({ id }) =>
      records.some((r) => idOf(r.report) === id),
    )
    const record = records.find(({ report }) => idOf(report) === entry?.id)
    return record && { name: 'record without a ledger entry', id: record.report }
  },

  'a ledger entry is removed, and its message acked': (history, choice) => {
    const acked = ackedIds(history)
    const [entry] = take(history.ledger, choice, ({ id }) => acked.has(id))
    return entry && { name: 'acked but not committed', id: entry.id }
  },

  'a ledger entry is removed, and its outcome told': (history, choice) => {
    const told = new Set(history.observations.flatMap(({ id, reports }) => (reports ? [id] : [])))
    const [entry] = take(history.ledger, choice, ({ id }) => told.has(id))
    return entry && { name: 'outcome without a ledger entry', id: entry.id }
  },

  'a ledger entry is doubled': ({ ledger }, choice) => {
    const entry = pick(ledger, choice)
    if (!entry) return undefined
    ledger.push({ ...entry, offset: entry.offset + 100_000 })
    return { name: 'doubled ledger entry', id: entry.id }
  },

  'a dead letter is dropped': ({ letters, ledger }, choice) => {
    const [letter] = take(letters, choice)
    const id = letter?.report ?? letter?.messageId
    if (letter === undefined || id === undefined) return undefined
    // Of an envelope whose records are lost the one letter stands for all.
    const of = ledger.find((entry) => entry.id === idOf(id))
    return { name: 'failed without a dead letter', id: of ? `${of.id}.${id.split('.')[1]}` : id }
  },

  'a dead letter is doubled': ({ letters }, choice) => {
    const letter = pick(
      letters.filter(({ report }) => report !== undefined),
      choice,
    )
    if (letter?.report === undefined) return undefined
    letters.push({ ...letter, offset: letter.offset + 100_000 })
    return { name: 'doubled dead letter', id: letter.report }
  },

  'a report that was delivered has a dead letter': ({ letters, records }, choice) => {
    const record = pick(records, choice)
    if (!record) return undefined
    const { report, key, value } = record
    letters.push({ partition: 0, offset: 100_000, reason: 'record_too_large', report, key, value })
    return { name: 'dead letter of a delivered report', id: report }
  },

  'a message is acked and nothing committed': (history, choice) => {
    const { queue } = history
    const message = pick([...(queue?.values() ?? [])], choice)
    if (!message?.id) return undefined
    forget(history, message.id)
    message.fate = 'acked'
    return { name: 'acked but not committed', id: message.id }
  },

  'a message is dropped by its queue': (history, choice) => {
    const message = pick([...(history.queue?.values() ?? [])], choice)
    if (!message?.id) return undefined
    forget(history, message.id)
    message.fate = 'dropped'
    return { name: 'dropped by the queue', id: message.id }
  },

  'a message is never acked and nothing committed': (history, choice) => {
    const message = pick([...(history.queue?.values() ?? [])], choice)
    if (!message?.id) return undefined
    forget(history, message.id)
    message.fate = 'live'
    return { name: 'still queued', id: message.id }
  },

  'an accepted envelope is nowhere': (history, choice) => {
    const of = pick(history.accepted, choice)
    if (!of) return undefined
    forget(history, of.id)
    for (const message of history.queue?.values() ?? []) {
      if (message.id === of.id) history.queue?.delete(queueKey(message))
    }
    return { name: 'lost', id: of.id }
  },

  'an outcome is never told': ({ observations }, choice) => {
    const of = pick(observations, choice)
    if (!of) return undefined
    for (const each of observations) if (each.receipt === of.receipt) each.reports = undefined
    return { name: 'without an outcome', id: of.id }
  },

  'a dead letter is about nothing': ({ letters }, choice) => {
    const [report, reason] = [`${'A'.repeat(16)}.${choice}`, 'record_too_large']
    letters.push({ partition: 0, offset: 100_000, reason, report, key: null, value: null })
    return { name: 'dead letter without a ledger entry', id: report }
  },

  'a dead letter has another reason': ({ letters }, choice) => {
    const letter = pick(
      letters.filter(({ report }) => report !== undefined),
      choice,
    )
    if (letter?.report === undefined) return undefined
    letter.reason = 'purged'
    return { name: 'dead letter for another reason', id: letter.report }
  },

  'a failed report is in its topic all the same': (history, choice) => {
    const letter = pick(
      history.letters.filter(({ report }) => report !== undefined),
      choice,
    )
    if (letter?.report === undefined) return undefined
    const { report, key, value } = letter
    history.records.push({ topic: 'topic', partition: 0, offset: 100_000, report, key, value })
    return { name: 'record of a failed report', id: report }
  },

  'a ledger entry has a report too many': ({ ledger, accepted }, choice) => {
    const known = new Set(accepted.map(({ id }) => id))
    const entry = pick(
      ledger.filter(({ id }) => known.has(id)),
      choice,
    )
    if (!entry) return undefined
    const longest = Math.max(...accepted.map(({ reports }) => reports.length))
    entry.outcome.runs.push([longest, 'purged'])
    return { name: 'another number of reports', id: entry.id }
  },

  'an envelope is in another topic': ({ accepted, ledger }, choice) => {
    const written = new Set(ledger.map(({ id }) => id))
    const of = pick(
      accepted.filter(({ id }) => written.has(id)),
      choice,
    )
    if (!of) return undefined
    for (const each of accepted) if (each.id === of.id) each.topic = 'another'
    return { name: 'another topic', id: of.id }
  },

  'an envelope is in Kafka that nobody sent': (history, choice) => {
    const of = pick(history.ledger, choice)
    if (!of) return undefined
    history.accepted = history.accepted.filter(({ id }) => id !== of.id)
    for (const message of history.queue?.values() ?? []) {
      if (message.id === of.id) history.queue?.delete(queueKey(message))
    }
    return { name: 'never accepted', id: of.id }
  },
}

// Faults that only a history that has come to its end can show.
export const FINAL_ONLY: readonly string[] = [
  'a message is never acked and nothing committed',
  'an accepted envelope is nowhere',
  'an outcome is never told',
]

function pick<T>(of: readonly T[], choice: number): T | undefined {
  return of.length === 0 ? undefined : of[choice % of.length]
}

// One that fits, taken out.
function take<T>(of: T[], choice: number, fits: (each: T) => boolean = () => true): T[] {
  const each = pick(of.filter(fits), choice)
  return each === undefined ? [] : of.splice(of.indexOf(each), 1)
}

const idOf = (report: string): string => report.slice(0, 16)
const hasFailed = (reports: readonly ReportOutcome[] | undefined): boolean =>
  reports?.some(({ status }) => status === 'failed') ?? false

function failures(observations: History['observations'], choice: number) {
  const isConflict = (r: ReportOutcome) =>
    r.status === 'failed' && r.reason === 'idempotency_conflict'
  const of = pick(
    observations.filter(({ reports }) => hasFailed(reports) && !reports?.some(isConflict)),
    choice,
  )
  if (!of?.reports) return undefined
  const reports = of.reports as ReportOutcome[]
  return { of, reports, i: reports.findIndex(({ status }) => status === 'failed') }
}

function endOf({ records }: History, { topic, partition }: DataRecord): number {
  const there = records.filter((r) => r.topic === topic && r.partition === partition)
  return Math.max(0, ...there.map(({ offset }) => offset + 1)) + 5
}

function ackedIds({ queue }: History): Set<EnvelopeId> {
  return new Set(
    [...(queue?.values() ?? [])].flatMap(({ id, fate }) => (id && fate === 'acked' ? [id] : [])),
  )
}

// As if the transaction had never been.
function forget(history: History, id: EnvelopeId): void {
  history.records = history.records.filter(({ report }) => idOf(report) !== id)
  history.letters = history.letters.filter(
    ({ report }) => report === undefined || idOf(report) !== id,
  )
  history.ledger = history.ledger.filter((entry) => entry.id !== id)
  history.observations = history.observations.filter((each) => each.id !== id)
}
