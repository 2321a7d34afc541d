// The checker: what in a history breaks an invariant, by name and with the id that it is about. Pure. It believes nobody: the ledger is
// checked against the records, the status store against both, the queues against all of them. It shares no code with the relay.
//
// I1 a report is in Kafka once · I2 what is acked is committed · I3 data and ledger say the same · I4 a `delivered` names the record of
// that report · I7 everything that was accepted ends, as delivered or as a dead letter · '-' what is promised beside them
import { type EnvelopeId, type ReportOutcome, reportId, unpackRuns } from '#contract'
import type {
  Content,
  DataRecord,
  DeadLetter,
  History,
  LedgerEntry,
  Observation,
  QueueMessage,
} from './history.ts'

// Every name, and the invariant that it breaks.
export const RULES = {
  'doubled record': 'I1',
  'doubled ledger entry': 'I1',
  'doubled dead letter': 'I1',
  'acked but not committed': 'I2',
  'failed without a dead letter': 'I2',
  'record without a ledger entry': 'I3',
  'ledger entry without a record': 'I3',
  'misplaced record': 'I3',
  'record of a failed report': 'I3',
  'dead letter without a ledger entry': 'I3',
  'dead letter of a delivered report': 'I3',
  'dead letter for another reason': 'I3',
  'delivered names no record': 'I4',
  'delivered names another record': 'I4',
  'outcome without a ledger entry': 'I4',
  'outcome differs from the ledger': 'I4',
  'changed content': 'I4',
  lost: 'I7',
  'dropped by the queue': 'I7',
  'still queued': 'I7',
  'without an outcome': 'I7',
  'status changed': '-',
  'never accepted': '-',
  'another number of reports': '-',
  'another topic': '-',
  'out of order': '-',
  'one key in two partitions': '-',
} as const

export type ViolationName = keyof typeof RULES

export interface Violation {
  rule: (typeof RULES)[ViolationName]
  name: ViolationName
  // Of the report, the envelope, or a message that was no envelope.
  id: string
  detail: string
}

export interface CheckOptions {
  // Nothing is under way any more: what was accepted must have its outcome, and the last thing that the status store said is it. Without
  // it an accepted envelope may still be in a queue.
  final?: boolean
}

export function checkHistory(history: History, { final = false }: CheckOptions = {}): Violation[] {
  const violations: Violation[] = []
  const found = (name: ViolationName, id: string, detail: string) =>
    violations.push({ rule: RULES[name], name, id, detail })
  const known = indexOf(history)
  for (const [id, entries] of known.entries) checkEntries(id, entries, known, found)
  checkRecords(known, found)
  checkLetters(known, found)
  checkQueue(history, known, found)
  checkAccepted(known, final, found)
  checkObservations(history, known, final, found)
  return violations
}

export function formatViolation({ rule, name, id, detail }: Violation): string {
  return `${rule === '-' ? '' : `${rule} `}${name}: ${id}: ${detail}`
}

type Found = (name: ViolationName, id: string, detail: string) => void

interface Known {
  entries: Map<EnvelopeId, LedgerEntry[]>
  // Reports of the last entry of each id.
  outcomes: Map<EnvelopeId, { topic: string; reports: ReportOutcome[] }>
  rawIds: Set<string>
  copies: Map<string, DataRecord[]>
  at: Map<string, DataRecord>
  letters: Map<string, DeadLetter[]>
  rawLetters: Map<string, DeadLetter[]>
  // What was posted under the id, and by which POSTs it is known.
  contents: Map<EnvelopeId, (readonly Content[])[]>
  topics: Map<EnvelopeId, string>
  accepted: Set<EnvelopeId>
  // Undefined: the queues were not looked at.
  given: Map<EnvelopeId, QueueMessage[]> | undefined
}

function indexOf(history: History): Known {
  const known: Known = {
    entries: Map.groupBy(history.ledger, ({ id }) => id),
    outcomes: new Map(),
    rawIds: new Set(history.raw.map(({ messageId }) => messageId)),
    copies: Map.groupBy(history.records, ({ report }) => report),
    at: new Map(history.records.map((record) => [placeOf(record), record])),
    letters: new Map(),
    rawLetters: new Map(),
    contents: new Map(),
    topics: new Map(),
    accepted: new Set(),
    given: undefined,
  }
  for (const { id, outcome } of history.ledger) {
    known.outcomes.set(id, { topic: outcome.topic, reports: unpackRuns(outcome.runs) })
  }
  for (const letter of history.letters) {
    if (letter.report !== undefined) push(known.letters, letter.report, letter)
    else if (letter.messageId !== undefined) push(known.rawLetters, letter.messageId, letter)
  }
  for (const { id, topic, reports } of history.accepted) {
    known.accepted.add(id)
    known.topics.set(id, topic)
    push(known.contents, id, reports)
  }
  if (history.queue) {
    known.given = new Map()
    for (const message of history.queue.values()) {
      if (message.id === undefined) continue
      push(known.given, message.id, message)
      if (message.reports) push(known.contents, message.id, message.reports)
    }
  }
  return known
}

function push<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const values = map.get(key)
  if (values) values.push(value)
  else map.set(key, [value])
}

function placeOf(of: { topic: string; partition: number; offset: number | string }): string {
  return `${of.topic}/${of.partition}/${of.offset}`
}

const copiesAt = (copies: readonly DataRecord[]) => copies.map(placeOf).join(', ')

function checkEntries(
  id: EnvelopeId,
  entries: readonly LedgerEntry[],
  known: Known,
  found: Found,
): void {
  if (entries.length > 1) {
    const places = entries.map(({ partition, offset }) => `${partition}/${offset}`)
    found('doubled ledger entry', id, `in the ledger at ${places.join(', ')}`)
  }
  const { topic, reports } = known.outcomes.get(id) ?? { topic: '', reports: [] }
  if (!known.accepted.has(id) && known.given && !known.given.has(id)) {
    found('never accepted', id, 'is in the ledger, and no queue was given it')
  }
  const wantedTopic = known.topics.get(id)
  if (wantedTopic !== undefined && wantedTopic !== topic) {
    found('another topic', id, `accepted for ${wantedTopic}, the ledger says ${topic}`)
  }
  const contents = known.contents.get(id)
  if (contents && !contents.some(({ length }) => length === reports.length)) {
    const [first] = contents
    found(
      'another number of reports',
      id,
      `${first?.length} accepted, the ledger has ${reports.length}`,
    )
  }

  const lastIn = new Map<number, number>()
  const isOneLetter = hasOneLetter(id, reports, known)
  const written: (Content | undefined)[] = []
  for (const [i, report] of reports.entries()) {
    const name = reportId(id, i)
    const copies = known.copies.get(name) ?? []
    if (report.status === 'failed') {
      if (copies.length > 0) {
        found('record of a failed report', name, `${report.reason}, and at ${copiesAt(copies)}`)
      }
      const [letter] = known.letters.get(name) ?? []
      if (!letter && !isOneLetter) found('failed without a dead letter', name, report.reason)
      if (letter && letter.reason !== report.reason) {
        const detail = `the ledger says ${report.reason}, the letter ${letter.reason}`
        found('dead letter for another reason', name, detail)
      }
      written.push(isOneLetter ? undefined : letter)
      continue
    }
    const place = { topic, ...report }
    const there = known.at.get(placeOf(place))
    if (there?.report !== name) {
      const holds = there ? `that of ${there.report}` : 'nothing'
      const detail = `the ledger says ${placeOf(place)}, which holds ${holds}`
      if (copies.length === 0) found('ledger entry without a record', name, detail)
      else found('misplaced record', name, `${detail}; it is at ${copiesAt(copies)}`)
    }
    written.push(there?.report === name ? there : undefined)
    const offset = Number(report.offset)
    if (offset <= (lastIn.get(report.partition) ?? -1)) {
      found('out of order', name, `at ${placeOf(place)}, behind a later report of its POST`)
    }
    lastIn.set(report.partition, offset)
  }
  checkContents(id, written, contents ?? [], found)
}

// Whose records are lost, or were never fetched because it was too old, has one empty letter for all its reports.
function hasOneLetter(
  id: EnvelopeId,
  reports: readonly ReportOutcome[],
  { letters }: Known,
): boolean {
  const isWhole = (reason: string) =>
    reports.every((report) => report.status === 'failed' && report.reason === reason)
  const isEmpty = ({ key, value }: Content) => key === null && value === null
  return (
    (isWhole('envelope_lost') || isWhole('attempts_exhausted')) &&
    (letters.get(reportId(id, 0))?.every(isEmpty) ?? false) &&
    reports.every((_, i) => i === 0 || !letters.has(reportId(id, i)))
  )
}

// All of an envelope's reports must be those of one of its POSTs.
function checkContents(
  id: EnvelopeId,
  written: readonly (Content | undefined)[],
  contents: readonly (readonly Content[])[],
  found: Found,
): void {
  const changes = contents
    .filter(({ length }) => length === written.length)
    .map((posted) => posted.flatMap((content, i) => (isSame(written[i], content) ? [] : [i])))
  const fewest = changes.toSorted((a, b) => a.length - b.length)[0] ?? []
  for (const i of fewest) found('changed content', reportId(id, i), shortOf(written[i]))
}

// What is not where it should be is told by another name.
function isSame(written: Content | undefined, posted: Content): boolean {
  return !written || (written.key === posted.key && written.value === posted.value)
}

function shortOf(content: Content | undefined): string {
  return `stored with ${JSON.stringify(content).slice(0, 100)}`
}

function checkRecords(known: Known, found: Found): void {
  const partitionOfKey = new Map<string, number>()
  for (const [name, copies] of known.copies) {
    const [first] = copies
    if (copies.length > 1) found('doubled record', name, `at ${copiesAt(copies)}`)
    const { id, index } = partsOf(name)
    if (!known.outcomes.get(id)?.reports[index]) {
      found('record without a ledger entry', name, `at ${copiesAt(copies)}`)
    }
    if (!first || first.key === null) continue
    const key = `${first.topic}/${first.key}`
    const partition = partitionOfKey.get(key)
    if (partition === undefined) partitionOfKey.set(key, first.partition)
    else if (partition !== first.partition) {
      found('one key in two partitions', name, `at ${placeOf(first)}, and in ${partition}`)
    }
  }
}

function checkLetters(known: Known, found: Found): void {
  for (const [name, letters] of known.letters) {
    const { id, index } = partsOf(name)
    const places = letters.map(({ partition, offset }) => `${partition}/${offset}`).join(', ')
    if (letters.length > 1) found('doubled dead letter', name, `at ${places}`)
    const report = known.outcomes.get(id)?.reports[index]
    if (!report) found('dead letter without a ledger entry', name, `at ${places}`)
    if (report?.status === 'delivered') {
      found('dead letter of a delivered report', name, `at ${places}`)
    }
  }
  // Twice is allowed: such a message is known by the queue's id only (docs/reliability.md, known limits).
  for (const [messageId, letters] of known.rawLetters) {
    if (known.rawIds.has(messageId)) continue
    const [{ partition, offset } = { partition: -1, offset: -1 }] = letters
    found('dead letter without a ledger entry', messageId, `at ${partition}/${offset}`)
  }
  for (const messageId of known.rawIds) {
    if (!known.rawLetters.has(messageId)) {
      found('failed without a dead letter', messageId, 'undecodable')
    }
  }
}

function checkQueue({ queue }: History, known: Known, found: Found): void {
  for (const { messageId, id, fate, shard } of queue?.values() ?? []) {
    const isCommitted = known.rawIds.has(messageId) || (id !== undefined && known.outcomes.has(id))
    if (isCommitted || fate === 'live') continue
    found(
      fate === 'acked' ? 'acked but not committed' : 'dropped by the queue',
      id ?? messageId,
      `message ${messageId} of shard ${shard}`,
    )
  }
}

function checkAccepted(known: Known, final: boolean, found: Found): void {
  // A queue may hold what no client has a receipt for: a POST whose answer was lost counts all the same.
  for (const id of new Set([...known.accepted, ...(known.given?.keys() ?? [])])) {
    if (known.outcomes.has(id)) continue
    const messages = known.given?.get(id) ?? []
    if (messages.some(({ fate }) => fate === 'live')) {
      if (final) found('still queued', id, 'nothing has become of it')
    } else if (messages.length === 0 && final) {
      found('lost', id, known.given ? 'neither in the ledger nor in a queue' : 'not in the ledger')
    }
  }
}

function checkObservations(
  { observations }: History,
  known: Known,
  final: boolean,
  found: Found,
): void {
  const last = new Map<string, Observation>()
  for (const observation of observations) {
    const { id, receipt, reports } = observation
    const before = last.get(receipt)
    last.set(receipt, observation)
    const same = JSON.stringify(before?.reports) === JSON.stringify(reports)
    if (before?.reports && !same) found('status changed', id, `of receipt ${receipt}`)
    if (reports && !same) checkReports(observation, reports, known, found)
  }
  if (!final) return
  const asked = new Set<EnvelopeId>()
  for (const { id, receipt, reports } of last.values()) {
    asked.add(id)
    if (!reports) found('without an outcome', id, `the receipt ${receipt} has none`)
  }
  for (const id of observations.length === 0 ? [] : known.accepted) {
    if (!asked.has(id)) found('without an outcome', id, 'its receipt was not asked about')
  }
}

function checkReports(
  { id, index }: Observation,
  reports: readonly ReportOutcome[],
  known: Known,
  found: Found,
): void {
  const isConflict = reports.every(
    (r) => r.status === 'failed' && r.reason === 'idempotency_conflict',
  )
  // Then the outcome is the other body's, and is checked with its receipt.
  if (isConflict && differ(known.contents.get(id) ?? [])) return
  const outcome = known.outcomes.get(id)
  if (!outcome) {
    found('outcome without a ledger entry', id, 'the status store has one')
    return
  }
  for (const [i, report] of reports.entries()) {
    const name = reportId(id, index + i)
    if (report.status === 'delivered') {
      const place = placeOf({ topic: outcome.topic, ...report })
      const there = known.at.get(place)
      if (there?.report !== name) {
        found(
          there ? 'delivered names another record' : 'delivered names no record',
          name,
          `at ${place} is ${there ? `that of ${there.report}` : 'nothing'}`,
        )
      }
    }
    const wanted = outcome.reports[index + i]
    if (JSON.stringify(wanted) !== JSON.stringify(report)) {
      found(
        'outcome differs from the ledger',
        name,
        `${JSON.stringify(report)}, the ledger says ${JSON.stringify(wanted)}`,
      )
    }
  }
}

const differ = (contents: readonly (readonly Content[])[]): boolean =>
  new Set(contents.map((reports) => JSON.stringify(reports))).size > 1

function partsOf(report: string): { id: EnvelopeId; index: number } {
  const dot = report.lastIndexOf('.')
  return { id: report.slice(0, dot) as EnvelopeId, index: Number(report.slice(dot + 1)) }
}
