/**
 * The audit: one moment of the ledger, compared with everything else. What it reads comes through ports; it changes nothing.
 *
 * The order is what makes the comparison fair while relays work. The log of the local queues is read first: what it says is acked was
 * committed before. Then the ledger, up to what is written in it at that moment; open transactions are waited for. The topics come after it, so
 * that they have all that it names; what they have beyond is looked for in the ledger once more at the end. The status store is asked last.
 */
import { ID_HEADER } from '#contract'
import { LETTER_HEADERS } from '../dead-letter.ts'
import { headerOf } from '../operator/headers.ts'
import { Stalled, type Topic } from '../operator/topic.ts'
import { Book, isOurs, MARGIN_MS, type LedgerEntry, type Scope } from './book.ts'
import { DataCheck } from './data-check.ts'
import { Differences } from './differences.ts'
import { compareGiven, GivenEnvelopes } from './given.ts'
import { OPEN_MS, readLedger, spanAfter, spanOf, type Span } from './ledger.ts'
import { LetterCheck } from './letter-check.ts'
import { limitsOf } from './limits.ts'
import type { QueueLog } from './queues.ts'
import type { AuditOptions, Met, Queued, Result } from './result.ts'
import { checkStore, type Store } from './store.ts'
import { parseReportId, type Stray } from './strays.ts'

export interface Ports {
  ledger: Topic
  letters: Topic
  /** A topic of reports; undefined when there is none of this name. */
  topic(name: string): Promise<Topic | undefined>
  /** Undefined: nobody may say. */
  isCompacted(name: string): Promise<boolean | undefined>
  /** Of the local queues. */
  log?: Pick<QueueLog, 'read'>
  /** Messages in all queues. */
  backlog?: () => Promise<number>
  store?: Store
  /** Unix ms. */
  now(): number
  sleep(ms: number): Promise<void>
}

/** @throws Trouble when something could not be read */
export async function audit(options: AuditOptions, ports: Ports): Promise<Result> {
  const { ledger, letters, log, backlog, store } = ports
  const scope: Scope = { datahub: options.datahub, from: options.from, to: options.to }
  const differences = new Differences()
  const met: Met = {
    ledgerBeginsAt: undefined,
    gone: [],
    compacted: [],
    unknownPolicy: [],
    blocked: [],
    strays: { left: 0, older: 0 },
  }

  const given = log && new GivenEnvelopes(scope)
  await log?.read((each) => given?.add(each))

  const at = ports.now()
  const span = await spanOf(ledger, scope.from - MARGIN_MS)
  const book = await readBook(
    ledger,
    span,
    { scope, topics: given?.topics ?? [] },
    differences,
    met,
  )

  const data = new DataCheck(book, differences)
  for (const name of book.topics) await readData(name, data, options, ports, met)
  const letterCheck = new LetterCheck(book, differences)
  await readLetters(letters, scope, letterCheck)

  const strays = [...data.nameStrays(), ...letterCheck.strays.kept]
  met.strays.left = data.strays.left + letterCheck.strays.left
  await findStrays(ledger, strays, differences, met)

  // What was accepted and committed since it was read first is in the log by now.
  if (given) await log?.read((each) => given.add(each, true))
  const { queuedIds, queued: known, lost } = compareGiven(book, given, differences, met)
  const queued: Queued = known
    ? { status: 'known', ...known }
    : backlog
      ? { status: 'messages', messages: await backlog() }
      : { status: 'not checked' }
  const stored = store
    ? await checkStore(
        { store, book, given, queuedIds, differences, now: at, sleep: ports.sleep },
        () => idsSince(ledger, span),
      )
    : { status: 'not checked' as const }

  const { envelopes, reports, delivered, failed } = book.ours
  const { expired, compacted } = data.unprovable
  const unprovable = expired + compacted
  const result: Result = {
    scope,
    at,
    ledger: { envelopes, reports },
    delivered: {
      inTopic: delivered - data.missing - unprovable,
      missing: data.missing,
      unprovable,
    },
    failed: {
      withLetter: failed - letterCheck.missing - letterCheck.expired,
      missing: letterCheck.missing,
      unprovable: letterCheck.expired,
    },
    queued,
    lost,
    store: stored,
    differences: differences.kept,
    differenceCount: differences.count,
    envelopesConcerned: differences.envelopes,
    limits: [],
  }
  result.limits = limitsOf(result, options, met, { expired, compacted })
  return result
}

/** Reads the ledger twice: first for the topics of ours, then for all that could be met in them. */
async function readBook(
  ledger: Topic,
  span: Span,
  { scope, topics: known }: { scope: Scope; topics: Iterable<string> },
  differences: Differences,
  met: Met,
): Promise<Book> {
  const topics = new Set(known)
  await readLedger(ledger, span, ({ outcome }) => {
    if (isOurs(scope, outcome)) topics.add(outcome.topic)
  })
  const book = new Book(scope, topics)
  const add = (entry: LedgerEntry) => {
    const earlier = book.add(entry)
    if (!earlier || !isOurs(scope, entry.outcome)) return
    const places = `${earlier.partition}/${earlier.offset} and ${entry.partition}/${entry.offset}`
    differences.add('ledger entry doubled', entry.id, `in the ledger at ${places}`)
  }
  const { beginsAt } = await readLedger(ledger, span, add)
  met.ledgerBeginsAt = beginsAt
  return book
}

async function readData(
  name: string,
  data: DataCheck,
  { from, to, readOn }: AuditOptions,
  ports: Ports,
  met: Met,
): Promise<void> {
  const topic = await ports.topic(name)
  if (!topic) {
    met.gone.push(name)
    data.gone(name)
    return
  }
  const isCompacted = await ports.isCompacted(name)
  if (isCompacted === undefined) met.unknownPolicy.push(name)
  if (isCompacted === true) met.compacted.push(name)
  for (const partition of topic.leaders.keys()) {
    const start = await topic.start(partition)
    const decided = await topic.end(partition, 'decided')
    const written = await topic.end(partition, 'written')
    const check = data.partition({
      topic: name,
      partition,
      start,
      isCompacted: isCompacted ?? false,
    })
    const since = (await topic.offsetAt(partition, from - MARGIN_MS)) ?? decided
    const until = readOn === undefined ? undefined : await topic.offsetAt(partition, to + readOn)
    // What the ledger names is committed, so it is worth waiting for; beyond the log's end there is nothing to wait for.
    const named = check.end < written ? check.end : written
    const end = bigger(smaller(until ?? decided, decided), named)
    const begin = bigger(smaller(since, check.first ?? since), start)
    try {
      await topic.read(
        { partition, from: begin, through: end - 1n },
        ({ offset, headers, timestamp }) => {
          const text = headerOf(headers, ID_HEADER)
          check.visit({
            offset: BigInt(offset),
            report: text === undefined ? undefined : parseReportId(text),
            timestamp: Number(timestamp),
          })
        },
        { stallMs: OPEN_MS, onExpired: (at) => check.expired(at) },
      )
    } catch (error) {
      if (!(error instanceof Stalled)) throw error
      met.blocked.push(error.message)
    }
    check.finish()
  }
}

async function readLetters(letters: Topic, scope: Scope, check: LetterCheck): Promise<void> {
  const firsts = new Map<number, number>()
  for (const partition of letters.leaders.keys()) {
    const start = await letters.start(partition)
    const end = await letters.end(partition, 'written')
    const from = (await letters.offsetAt(partition, scope.from - MARGIN_MS)) ?? end
    // Nothing is known of what was before; without a letter at all, of nothing.
    if (start > 0n && from <= start) firsts.set(partition, Infinity)
    await letters.read(
      { partition, from, through: end - 1n },
      ({ offset, headers, timestamp }) => {
        if (firsts.get(partition) === Infinity) firsts.set(partition, Number(timestamp))
        const report = parseReportId(headerOf(headers, ID_HEADER) ?? '')
        if (!report) return
        const received = Number(headerOf(headers, LETTER_HEADERS.received))
        check.visit({
          at: `${partition}:${offset}`,
          ...report,
          reason: headerOf(headers, LETTER_HEADERS.reason) ?? 'nothing',
          datahub: headerOf(headers, LETTER_HEADERS.datahub),
          received: Number.isNaN(received) ? undefined : received,
        })
      },
      { stallMs: OPEN_MS },
    )
  }
  check.finish((partition) => firsts.get(partition))
}

/** Which of them stand in the ledger all the same: accepted in another time, by another datahub, or committed since. */
async function findStrays(
  ledger: Topic,
  strays: readonly Stray[],
  differences: Differences,
  met: Met,
): Promise<void> {
  if (strays.length === 0) return
  const counts = new Map<string, number>(strays.map(({ id }) => [id, 0]))
  const { beginsAt = -Infinity } = await readLedger(
    ledger,
    await spanOf(ledger, undefined),
    ({ id, outcome }) => {
      if (!counts.has(id)) return
      counts.set(
        id,
        outcome.runs.reduce((sum, [length]) => sum + length, 0),
      )
    },
  )
  for (const { id, index, at, time } of strays) {
    if (index < (counts.get(id) ?? 0)) continue
    if (time < beginsAt + MARGIN_MS) met.strays.older++
    else {
      const what = at.startsWith('dead letter')
        ? 'dead letter without a ledger entry'
        : 'record without a ledger entry'
      differences.add(what, `${id}.${index}`, at)
    }
  }
}

async function idsSince(ledger: Topic, span: Span): Promise<Set<string>> {
  const ids = new Set<string>()
  await readLedger(ledger, await spanAfter(ledger, span), ({ id }) => ids.add(id))
  return ids
}

const smaller = (a: bigint, b: bigint): bigint => (a < b ? a : b)
const bigger = (a: bigint, b: bigint): bigint => (a > b ? a : b)
