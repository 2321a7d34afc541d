/**
 * BOOT, after INIT has fenced every predecessor: commit a claim, then read the ledger until that claim is seen. Everything below the
 * claim is decided by then, because the ledger partition has one writer and INIT ended its last transaction. Waiting for the own claim,
 * and not for an end offset that a broker names, also defeats a stale answer of a deposed leader.
 *
 * The first boot of a process begins where the relays have committed that everything below is settled; every later one reads only what
 * is new. An offset that was committed long ago is still true.
 */
import { decodeLedgerRecord, encodeLedgerRecord } from '#contract'
import type { Reach } from '../failpoints.ts'
import { Doubt, type LanePort } from '../kafka/lane.ts'
import type { Remembered } from './remembered.ts'

export interface BootOptions {
  lane: LanePort
  remembered: Remembered
  ledger: { topic: string; partition: number }
  /** The relays' consumer group. */
  groupId: string
  /** Who claims, for people who read the ledger. */
  relay: string
  /** Unix ms. */
  now: number
  reach: Reach
  onBegin(begin: BootBegin): void
}

/** Where a first boot begins to read, and why there. `alarm`: what should have been there is not. */
export interface BootBegin {
  from: bigint
  why: 'committed' | 'nothing_committed' | 'log_starts_later'
  alarm: boolean
}

/** The ledger ends before what was settled: it was made anew, and what it knew is gone. Trying again does not help. */
export class LedgerMadeAnew extends Error {
  override readonly name = 'LedgerMadeAnew'
  constructor(topic: string, partition: number, end: bigint, committed: bigint) {
    super(
      `${topic}/${partition} ends at offset ${end}, but everything below ${committed} was settled: the topic was deleted and made anew. ` +
        `What it knew is lost. Once no message of before is left in the queues, delete the relays' consumer group and start again.`,
    )
  }
}

/** @throws Doubt, LedgerMadeAnew */
export async function boot({
  lane,
  remembered,
  ledger,
  groupId,
  relay,
  now,
  reach,
  onBegin,
}: BootOptions): Promise<void> {
  // Before the claim: what a successor commits meanwhile lies above it, and would look like a ledger that was made anew.
  const committed = await begin({ lane, remembered, ledger, groupId, onBegin })
  const claimed = await claim({ lane, ledger, relay, now })
  await reachClaimed(reach)
  const before = remembered.next ?? committed
  if (before !== undefined && claimed < before) {
    throw new LedgerMadeAnew(ledger.topic, ledger.partition, claimed, before)
  }
  let seen = false
  const next = await lane.readLedger(
    { partition: ledger.partition, from: remembered.next ?? 0n, through: claimed },
    ({ offset, value }) => {
      seen ||= offset === claimed
      remembered.add(decode(value, offset), offset)
    },
  )
  if (!seen) {
    throw new Doubt('ledger', new Error(`the own claim at offset ${claimed} is not in the ledger`))
  }
  remembered.readUpTo(next)
}

async function claim({
  lane,
  ledger,
  relay,
  now,
}: Pick<BootOptions, 'lane' | 'ledger' | 'relay' | 'now'>): Promise<bigint> {
  const text = encodeLedgerRecord({ v: 1, claim: { relay, at: now } })
  await lane.topology([])
  const [refused] = await lane.add([ledger])
  if (refused) {
    throw new Doubt('claim', new Error(`the ledger refuses the relay: code ${refused.code}`))
  }
  const [results] = await lane.append([
    { ...ledger, messages: [{ key: null, value: Buffer.from(text), timestamp: now }] },
  ])
  const result = results?.[0]
  if (result?.status !== 'stored') {
    throw new Doubt('claim', new Error('the ledger refuses the claim'))
  }
  await lane.commit()
  return result.offset
}

/** Only the first boot of a process has to find out where to begin; it returns what was committed. */
async function begin({
  lane,
  remembered,
  ledger,
  groupId,
  onBegin,
}: Pick<BootOptions, 'lane' | 'remembered' | 'ledger' | 'groupId' | 'onBegin'>): Promise<
  bigint | undefined
> {
  if (remembered.next !== undefined) return undefined
  const { start, committed } = await lane.ledgerBounds(ledger.partition, groupId)
  const reaches = committed !== undefined && committed >= start
  const from = reaches ? committed : start
  const why =
    committed === undefined ? 'nothing_committed' : reaches ? 'committed' : 'log_starts_later'
  // A ledger that still has its first record has forgotten nothing: it is new, or was never used.
  onBegin({ from, why, alarm: !reaches && start > 0n })
  remembered.beginAt(from)
  return committed
}

function decode(value: Buffer | null, offset: bigint) {
  try {
    return decodeLedgerRecord(value?.toString() ?? '')
  } catch (error) {
    throw new Doubt(
      'ledger',
      new Error(`the record at offset ${offset} can't be read`, { cause: error }),
    )
  }
}

async function reachClaimed(reach: Reach): Promise<void> {
  try {
    await reach('claimed')
  } catch (error) {
    throw new Doubt('claim', error)
  }
}
