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
import { deadRaw, deadReport, type RawMessage } from './dead-letter.ts'
import type { Append, AppendResult } from './kafka/append.ts'
import type { LaneMessage } from './kafka/kafkajs.ts'
import { Doubt, type Lane } from './kafka/lane.ts'
import { place, type Blocked, type Placement, type Sendable } from './placement.ts'

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
  /** Not sent: a topic or partition can't take them now. */
  blocked: Blocked[]
}

export interface DeliverDeps {
  lane: Pick<Lane, 'topology' | 'add' | 'append' | 'commit'>
  ledger: { topic: string; partition: number }
  deadLetters: { topic: string; partition: number }
  rotation: { next: number }
  now(): number
}

/** @throws Doubt */
export async function deliver(batch: Batch, deps: DeliverDeps): Promise<Delivered> {
  const { lane, ledger, deadLetters } = deps
  const topics = [...new Set(batch.send.map(({ envelope }) => envelope.topic))]
  const topology = await lane.topology([...topics, deadLetters.topic])
  let placement = place({ sendables: batch.send, topology, rotation: deps.rotation })
  let { doomed, waiting } = giveUpOld(placement.blocked, deps.now())
  if (placement.placed.length + doomed.length + batch.doomed.length + batch.raw.length === 0) {
    return { committed: undefined, outcomes: [], blocked: waiting }
  }

  const refused = await lane.add([
    ...placement.appends.map(({ topic, partition }) => ({ topic, partition })),
    ledger,
  ])
  if (refused.length > 0) {
    const codes = new Map(
      refused.map(({ topic, partition, code }) => [`${topic}/${partition}`, code]),
    )
    const code = codes.get(`${ledger.topic}/${ledger.partition}`)
    if (code !== undefined) {
      throw new Doubt(
        'add',
        Object.assign(new Error(`the ledger is refused with code ${code}`), { code }),
      )
    }
    placement = placeAgain(placement, codes, topology)
    ;({ doomed, waiting } = giveUpOld(placement.blocked, deps.now()))
  }

  const sent = deps.now()
  const results = await lane.append(placement.appends)
  const { outcomes, letters } = judge(placement, results, sent)
  for (const doom of [...batch.doomed, ...doomed]) {
    outcomes.push([
      doom.envelope.id,
      outcomeOf(
        doom.envelope,
        Array<ReportOutcome>(doom.count).fill({ status: 'failed', reason: doom.reason }),
        sent,
      ),
    ])
    letters.push(...lettersOf(doom, sent))
  }
  letters.push(...batch.raw.map((raw) => deadRaw(raw, sent)))
  if (outcomes.length === 0 && batch.raw.length === 0) {
    // All of it was refused after ADD: nothing to record. The open transaction holds no record and ends with the commit.
    await lane.commit()
    return { committed: undefined, outcomes, blocked: waiting }
  }
  if (letters.length > 0) {
    await appendWhole(lane, { ...deadLetters, messages: letters }, 'dead letters', true)
  }

  const record: LedgerRecord = {
    v: 1,
    batch: outcomes,
    ...(batch.raw.length === 0 ? {} : { raw: batch.raw.map(({ messageId }) => messageId) }),
  }
  const value = Buffer.from(encodeLedgerRecord(record))
  const offset = await appendWhole(
    lane,
    { ...ledger, messages: [{ key: null, value, timestamp: sent }] },
    'ledger',
    false,
  )
  await lane.commit()
  return { committed: { record, offset }, outcomes, blocked: waiting }
}

/** What has waited too long for its topic is not kept waiting. */
function giveUpOld(
  blocked: readonly Blocked[],
  now: number,
): { doomed: Doomed[]; waiting: Blocked[] } {
  const isOld = ({ sendable }: Blocked) => now - sendable.envelope.received >= MAX_UNAVAILABLE_MS
  return {
    waiting: blocked.filter((b) => !isOld(b)),
    doomed: blocked.filter(isOld).map(({ sendable, reason }) => ({
      ...sendable,
      count: sendable.records.length,
      reason: reason === 'no_leader' ? 'attempts_exhausted' : reason,
    })),
  }
}

/** Takes the refused partitions out, and every envelope that touches one of them; unkeyed reports stay where they were placed. */
function placeAgain(
  before: Placement,
  refused: ReadonlyMap<string, number>,
  topology: Parameters<typeof place>[0]['topology'],
): Placement {
  const isRefused = ({ topic, partition }: Append) => refused.has(`${topic}/${partition}`)
  const good = before.placed.filter(({ places }) => !places.some(({ append }) => isRefused(append)))
  const bad = before.placed.filter(({ places }) => places.some(({ append }) => isRefused(append)))
  const moved = new Map<Append, Append>()
  const placed = good.map(({ sendable, places }) => ({
    sendable,
    places: places.map(({ append, at }) => {
      let copy = moved.get(append)
      if (!copy) moved.set(append, (copy = { ...append, messages: [] }))
      const message = append.messages[at]
      if (message) copy.messages.push(message)
      return { append: copy, at: copy.messages.length - 1 }
    }),
  }))
  const again = place({
    sendables: bad.map(({ sendable }) => sendable),
    topology,
    rotation: { next: 0 },
    refused,
  })
  const blocked = bad.map(({ sendable }): Blocked => {
    const known = again.blocked.find((b) => b.sendable === sendable)
    return known ?? { sendable, topic: sendable.envelope.topic, reason: 'topic_not_found' }
  })
  return { appends: [...moved.values()], placed, blocked: [...before.blocked, ...blocked] }
}

function judge(
  { appends, placed }: Placement,
  results: readonly AppendResult[][],
  sent: number,
): { outcomes: [EnvelopeId, Outcome][]; letters: LaneMessage[] } {
  const resultsOf = new Map(appends.map((append, i) => [append, results[i]]))
  const letters: LaneMessage[] = []
  const outcomes = placed.map(
    ({ sendable: { envelope, records }, places }): [EnvelopeId, Outcome] => {
      const reports = places.map(({ append, at }, index): ReportOutcome => {
        const result = resultsOf.get(append)?.[at]
        if (!result) throw new Doubt('append', new Error(`no result for ${envelope.id}.${index}`))
        if (result.status === 'stored') {
          return {
            status: 'delivered',
            partition: append.partition,
            offset: result.offset.toString(),
          }
        }
        const record = records[index]
        if (record) letters.push(deadReport(envelope, record, index, result.reason, sent))
        return { status: 'failed', reason: result.reason }
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

/** Edgehub's own topics must take everything: whatever they refuse is no envelope's fault. Returns the first offset. */
async function appendWhole(
  lane: DeliverDeps['lane'],
  append: Append,
  what: string,
  add: boolean,
): Promise<bigint> {
  if (add) {
    const [refused] = await lane.add([{ topic: append.topic, partition: append.partition }])
    if (refused) {
      throw new Doubt(
        what,
        Object.assign(new Error(`refused with code ${refused.code}`), { code: refused.code }),
      )
    }
  }
  const [results] = await lane.append([append])
  const bad = results?.find((r) => r.status === 'refused')
  const first = results?.[0]
  if (bad || first?.status !== 'stored') {
    throw new Doubt(what, new Error('a record of Edgehub itself is refused'))
  }
  return first.offset
}
