/**
 * BOOT, after INIT has fenced every predecessor: commit a claim, then read the ledger until that claim is seen. Everything below the
 * claim is decided by then, because the ledger partition has one writer and INIT ended its last transaction. Waiting for the own claim,
 * and not for an end offset that a broker names, also defeats a stale answer of a deposed leader.
 */
import { decodeLedgerRecord, encodeLedgerRecord, type EnvelopeId, type Outcome } from '#contract'
import { Doubt, type Lane } from '../kafka/lane.ts'
import { readPartition } from '../kafka/reader.ts'
import type { Remembered } from './remembered.ts'

/** A boot that reads nothing new for this long is given up and begun again. */
const READ_STALL_MS = 15_000

export interface BootOptions {
  lane: Lane
  remembered: Remembered
  ledger: { topic: string; partition: number }
  /** Who claims, for people who read the ledger. */
  relay: string
  /** Unix ms. */
  now: number
}

/** Returns what this boot has read and had not been remembered before. @throws Doubt */
export async function boot({
  lane,
  remembered,
  ledger,
  relay,
  now,
}: BootOptions): Promise<[EnvelopeId, Outcome][]> {
  const claim = encodeLedgerRecord({ v: 1, claim: { relay, at: now } })
  await lane.topology([])
  const refused = await lane.add([ledger])
  if (refused.length > 0) {
    throw new Doubt('claim', new Error(`the ledger refuses the relay: code ${refused[0]?.code}`))
  }
  const [results] = await lane.append([
    { ...ledger, messages: [{ key: null, value: Buffer.from(claim), timestamp: now }] },
  ])
  const result = results?.[0]
  if (result?.status !== 'stored') {
    throw new Doubt('claim', new Error(`the ledger refuses the claim: ${result?.reason}`))
  }
  await lane.commit()

  const found: [EnvelopeId, Outcome][] = []
  let seen = false
  try {
    remembered.next = await readPartition(
      lane.cluster,
      { ...ledger, from: remembered.next, through: result.offset, stallMs: READ_STALL_MS },
      (message) => {
        seen ||= BigInt(message.offset) === result.offset
        const record = decodeLedgerRecord(message.value?.toString() ?? '')
        const batch = 'batch' in record ? record.batch : []
        found.push(...batch.filter(([id]) => !remembered.outcomeOf(id)))
        remembered.add(record)
      },
    )
  } catch (error) {
    throw new Doubt('ledger', error)
  }
  if (!seen) {
    throw new Doubt(
      'ledger',
      new Error(`the own claim at offset ${result.offset} is not in the ledger`),
    )
  }
  return found
}
