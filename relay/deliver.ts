/**
 * One transaction: the reports of a batch, the dead letters of what can't be delivered, and one ledger record that says where all of it
 * is. Every envelope given in comes out exactly once: with an outcome, or blocked. When this returns, the transaction is durable; when it
 * throws a Doubt, only the ledger can tell.
 *
 * It does not decide which envelopes are new: that is the caller's, at the moment it calls.
 */
import {
  encodeLedgerRecord,
  MAX_UNAVAILABLE_MS,
  packRuns,
  type Envelope,
  type EnvelopeId,
  type EnvelopeRecord,
  type FailureReason,
  type LedgerRecord,
  type Outcome,
  type ReportOutcome,
} from '#contract'
import type { Breakers } from './breakers.ts'
import { deadRaw, deadReport, type RawMessage } from './dead-letter.ts'
import type { Reach } from './failpoints.ts'
import { AppendError, type Append, type AppendResult } from './kafka/append.ts'
import type { LaneMessage } from './kafka/kafkajs.ts'
import { Doubt, type LanePort, type TopicPartition } from './kafka/lane.ts'
import {
  partitionPlace,
  place,
  reasonOf,
  type Blocked,
  type BlockReason,
  type Place,
  type Placement,
  type Sendable,
} from './placement.ts'

/** An envelope that will never be delivered, with what is left of its records. */
export interface Doomed {
  envelope: Envelope
  /** Missing when the object that held them is lost. */
  records?: readonly EnvelopeRecord[]
  /** Reports in it. */
  count: number
  reason: FailureReason
}

export interface Batch {
  send: readonly Sendable[]
  doomed: readonly Doomed[]
  raw: readonly RawMessage[]
}

export interface Delivered {
  /** What was written to the ledger, and where; undefined when nothing had to be. */
  committed: { record: LedgerRecord; offset: bigint } | undefined
  outcomes: [EnvelopeId, Outcome][]
  /** Dead-lettered without an outcome. */
  raw: readonly RawMessage[]
  /** Not sent: a topic or partition can't take them now. */
  blocked: Blocked[]
}

export interface DeliverDeps {
  lane: Pick<LanePort, 'topology' | 'hanging' | 'add' | 'append' | 'commit'>
  ledger: { topic: string; partition: number }
  deadLetters: { topic: string; partition: number }
  rotation: { next: number }
  breakers: Breakers
  now(): number
  reach: Reach
  /** Partitions that the relay may not ask about transactions left open there. */
  onUnchecked(partitions: readonly TopicPartition[]): void
}

/**
 * An envelope waits at most 24 hours from its accept for its topic. But what comes out of a queue after a long outage is old from the
 * start: it is given up only when its topic or partition has also been seen not to work for this long.
 */
const GIVE_UP_AFTER_MS = 15 * 60_000

/** @throws Doubt */
export async function deliver(batch: Batch, deps: DeliverDeps): Promise<Delivered> {
  const { lane, ledger, deadLetters, breakers, reach } = deps
  await reach('began')
  const topics = [...new Set(batch.send.map(({ envelope }) => envelope.topic))]
  // Asked once: what is not asked for because of its breaker stays blocked, also when the breaker ends meanwhile.
  const blockedTopics = new Map(topics.map((topic) => [topic, breakers.reasonFor(topic)]))
  const topology = await lane.topology([
    ...topics.filter((topic) => !blockedTopics.get(topic)),
    deadLetters.topic,
  ])
  const blockOf = (name: string) => blockedTopics.get(name) ?? breakers.reasonFor(name)
  let placement = place({ sendables: batch.send, topology, rotation: deps.rotation, blockOf })
  const { hanging, unchecked } = await lane.hanging(placement.appends)
  if (unchecked.length > 0) deps.onUnchecked(unchecked)
  if (hanging.length > 0) {
    placement = takeOut(
      placement,
      new Map(hanging.map((tp) => [nameOf(tp), 'hanging_transaction'])),
    )
  }
  for (const { place: name, reason } of placement.blocked) breakers.fail(name, reason)

  if (placement.placed.length + batch.doomed.length + batch.raw.length === 0) {
    const { doomed } = giveUpOld(placement.blocked, breakers, deps.now())
    if (doomed.length === 0) {
      return { committed: undefined, outcomes: [], raw: [], blocked: placement.blocked }
    }
  }
  const refused = await lane.add([
    ...placement.appends.map(({ topic, partition }) => ({ topic, partition })),
    ledger,
  ])
  if (refused.length > 0) {
    const ofLedger = refused.find(
      ({ topic, partition }) => topic === ledger.topic && partition === ledger.partition,
    )
    if (ofLedger) throw refusedOwn('add', 'the ledger', ofLedger.code)
    const names = new Map(
      refused.map(({ topic, partition, code }) => [
        partitionPlace(topic, partition),
        reasonOf(code),
      ]),
    )
    for (const [name, reason] of names) breakers.fail(name, reason)
    placement = takeOut(placement, names)
  }

  const sent = deps.now()
  const results = await lane.append(placement.appends)
  const judged = takeOutUnavailable(placement, results, breakers)
  await reach('data_appended')
  for (const name of placesOf(judged)) breakers.works(name)

  const { outcomes, letters } = judge(judged, sent)
  const { doomed, waiting } = giveUpOld(judged.blocked, breakers, deps.now())
  for (const doom of [...batch.doomed, ...doomed]) {
    const failed: ReportOutcome = { status: 'failed', reason: doom.reason }
    const reports = Array<ReportOutcome>(doom.count).fill(failed)
    outcomes.push([doom.envelope.id, outcomeOf(doom.envelope, reports, sent)])
    letters.push(...lettersOf(doom, sent))
  }
  letters.push(...batch.raw.map((raw) => deadRaw(raw, sent)))
  if (outcomes.length === 0 && batch.raw.length === 0) {
    // All of it was refused after ADD: nothing to record. The open transaction holds no record and ends with the commit.
    await lane.commit()
    return { committed: undefined, outcomes, raw: [], blocked: waiting }
  }
  if (letters.length > 0) await appendLetters(lane, deadLetters, letters)

  const record: LedgerRecord = {
    v: 1,
    batch: outcomes,
    ...(batch.raw.length === 0 ? {} : { raw: batch.raw.map(({ messageId }) => messageId) }),
  }
  const value = Buffer.from(encodeLedgerRecord(record))
  const offset = await appendWhole(lane, 'ledger', {
    ...ledger,
    messages: [{ key: null, value, timestamp: sent }],
  })
  await reach('ledger_appended')
  await lane.commit()
  return { committed: { record, offset }, outcomes, raw: batch.raw, blocked: waiting }
}

const FAILURE_FOR: Record<BlockReason, FailureReason> = {
  topic_not_found: 'topic_not_found',
  not_authorized: 'not_authorized',
  no_leader: 'attempts_exhausted',
  hanging_transaction: 'attempts_exhausted',
}

/** What has waited too long for its topic is not kept waiting. */
function giveUpOld(
  blocked: readonly Blocked[],
  breakers: Breakers,
  now: number,
): { doomed: Doomed[]; waiting: Blocked[] } {
  const isOld = ({ sendable, place: name }: Blocked) =>
    now - sendable.envelope.received >= MAX_UNAVAILABLE_MS &&
    breakers.failingFor(name) >= GIVE_UP_AFTER_MS
  return {
    waiting: blocked.filter((b) => !isOld(b)),
    doomed: blocked.filter(isOld).map(({ sendable, reason }) => ({
      ...sendable,
      count: sendable.records.length,
      reason: FAILURE_FOR[reason],
    })),
  }
}

/** A placement without the envelopes that touch one of these partitions; the others stay where they were placed. */
function takeOut(before: Placement, refused: ReadonlyMap<string, BlockReason>): Placement {
  const appends = new Map<Append, Append>()
  const after: Placement = { appends: [], placed: [], blocked: [...before.blocked] }
  for (const { sendable, places } of before.placed) {
    const bad = places.map(({ append }) => nameOf(append)).find((name) => refused.has(name))
    const reason = bad === undefined ? undefined : refused.get(bad)
    if (bad !== undefined && reason !== undefined) {
      after.blocked.push({ sendable, topic: sendable.envelope.topic, reason, place: bad })
      continue
    }
    const moved = places.map(({ append, at }) => {
      let copy = appends.get(append)
      if (!copy) appends.set(append, (copy = { ...append, messages: [] }))
      const message = append.messages[at]
      if (message) copy.messages.push(message)
      return { append: copy, at: copy.messages.length - 1 }
    })
    after.placed.push({ sendable, places: moved })
  }
  after.appends = [...appends.values()]
  return after
}

/** A placement whose records have been judged: `result` is the broker's word on each report. */
interface Judged {
  placed: { sendable: Sendable; places: (Place & { result: AppendResult })[] }[]
  blocked: Blocked[]
}

/**
 * Partitions that were refused as such after ADD (deleted in this moment, or not for this relay): what was for them waits, and the
 * transaction goes on without it. An envelope of which a part is stored elsewhere can't be committed whole; only an abort helps.
 */
function takeOutUnavailable(
  { appends, placed, blocked }: Placement,
  results: readonly AppendResult[][],
  breakers: Breakers,
): Judged {
  const resultsOf = new Map(appends.map((append, i) => [append, results[i]]))
  const judged: Judged = { placed: [], blocked: [...blocked] }
  for (const { sendable, places } of placed) {
    const known = places.map((at) => {
      const result = resultsOf.get(at.append)?.[at.at]
      if (!result) throw new Doubt('append', new Error(`no result for ${nameOf(at.append)}`))
      return { ...at, result }
    })
    const gone = known.filter(({ result }) => result.status === 'unavailable')
    const [first] = gone
    if (first?.result.status !== 'unavailable') {
      judged.placed.push({ sendable, places: known })
      continue
    }
    const name = nameOf(first.append)
    const reason = reasonOf(first.result.code)
    breakers.fail(name, reason)
    if (gone.length < known.length) {
      const error = new AppendError(`${name} went away`, [first.append], first.result.code)
      throw new Doubt('append', error)
    }
    judged.blocked.push({ sendable, topic: sendable.envelope.topic, reason, place: name })
  }
  return judged
}

function placesOf({ placed }: Judged): Set<string> {
  const appends = new Set(placed.flatMap(({ places }) => places.map(({ append }) => append)))
  return new Set([...appends].flatMap((append) => [append.topic, nameOf(append)]))
}

const nameOf = ({ topic, partition }: TopicPartition): string => partitionPlace(topic, partition)

function judge(
  { placed }: Judged,
  sent: number,
): { outcomes: [EnvelopeId, Outcome][]; letters: LaneMessage[] } {
  const letters: LaneMessage[] = []
  const outcomes = placed.map(
    ({ sendable: { envelope, records }, places }): [EnvelopeId, Outcome] => {
      const reports = places.map(({ append, result }, index): ReportOutcome => {
        if (result.status === 'stored') {
          const { partition } = append
          return { status: 'delivered', partition, offset: result.offset.toString() }
        }
        const reason = result.status === 'refused' ? result.reason : 'attempts_exhausted'
        const record = records[index]
        if (record) letters.push(deadReport(envelope, record, index, reason, sent))
        return { status: 'failed', reason }
      })
      return [envelope.id, outcomeOf(envelope, reports, sent)]
    },
  )
  return { outcomes, letters }
}

function outcomeOf(
  { datahub, topic, received, digest }: Envelope,
  reports: readonly ReportOutcome[],
  sent: number,
): Outcome {
  return {
    datahub,
    topic,
    received,
    sent,
    ...(digest === undefined ? {} : { digest }),
    runs: packRuns(reports),
  }
}

function lettersOf({ envelope, records, reason }: Doomed, now: number): LaneMessage[] {
  // A lost envelope has no records left; one letter still says that it was there.
  return (records ?? [{}]).map((record, index) => deadReport(envelope, record, index, reason, now))
}

async function appendLetters(
  lane: DeliverDeps['lane'],
  deadLetters: DeliverDeps['deadLetters'],
  messages: LaneMessage[],
): Promise<void> {
  const [refused] = await lane.add([deadLetters])
  if (refused) throw refusedOwn('dead letters', 'the dead-letter topic', refused.code)
  await appendWhole(lane, 'dead letters', { ...deadLetters, messages })
}

/** Edgehub's own topics must take everything: whatever they refuse is no envelope's fault. Returns the first offset. */
async function appendWhole(
  lane: DeliverDeps['lane'],
  step: string,
  append: Append,
): Promise<bigint> {
  const [results] = await lane.append([append])
  const bad = results?.find((r) => r.status !== 'stored')
  const first = results?.[0]
  if (bad || first?.status !== 'stored') {
    throw new Doubt(step, new Error('a record of Edgehub itself is refused'))
  }
  return first.offset
}

function refusedOwn(step: string, what: string, code: number): Doubt {
  return new Doubt(step, Object.assign(new Error(`${what} is refused with code ${code}`), { code }))
}
