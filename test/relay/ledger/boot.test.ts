import { describe, it } from 'vitest'
import { decodeLedgerRecord, encodeLedgerRecord, type LedgerRecord } from '#contract'
import { Doubt, type LanePort } from '../../../relay/kafka/lane.ts'
import { boot, LedgerMadeAnew, type BootBegin } from '../../../relay/ledger/boot.ts'
import { Remembered } from '../../../relay/ledger/remembered.ts'
import { idOf, NOW, outcomeOf } from '../../support/items.ts'
import { laneDouble, type LaneScript } from '../../support/lane-double.ts'

const TOPIC = 'ledger'

function batch(...numbers: number[]): string {
  const record: LedgerRecord = { v: 1, batch: numbers.map((n) => [idOf(n), outcomeOf(n)]) }
  return encodeLedgerRecord(record)
}

interface Attempt extends Omit<LaneScript, 'ledger'> {
  ledger?: Omit<NonNullable<LaneScript['ledger']>, 'topic'>
  cut?: boolean
}

// One boot, of a process that remembers what it remembers.
async function attempt(remembered: Remembered, { ledger, cut, ...script }: Attempt) {
  const lane = laneDouble({ ...script, ledger: { topic: TOPIC, ...ledger } })
  const begins: BootBegin[] = []
  const port: LanePort = lane
  const error: unknown = await boot({
    lane: port,
    remembered,
    ledger: { topic: TOPIC, partition: 0 },
    groupId: 'group',
    relay: 'me',
    now: NOW,
    async reach(point) {
      lane.calls.push(point)
      if (cut) throw new Error('cut')
    },
    onBegin: (begin) => begins.push(begin),
  }).then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  return { lane, begins, error }
}

const fresh = () => new Remembered({ keep: 0, clock: () => 0 })

describe('a boot', () => {
  it('asks where to begin, commits its claim, and reads from the one through the other', async ({
    expect,
  }) => {
    const remembered = fresh()
    const { lane, error } = await attempt(remembered, {
      ledger: { records: new Map([[2n, batch(1)]]), end: 4n },
    })
    expect(error).toBeUndefined()
    expect(lane.calls).toEqual([
      'bounds',
      'topology ',
      'add ledger/0',
      'append ledger/0×1',
      'commit',
      'claimed',
      'read 0–4',
    ])
    expect(lane.valuesIn(TOPIC).map((text) => decodeLedgerRecord(text))).toEqual([
      { v: 1, claim: { relay: 'me', at: NOW } },
    ])
    expect(remembered.look(idOf(1))).toMatchObject({ status: 'untaken', offset: 2n })
    expect(remembered.next).toBe(5n)
  })

  it.for<[string, { start?: bigint; committed?: bigint }, BootBegin]>([
    [
      'where everything below is settled',
      { committed: 5n },
      { from: 5n, why: 'committed', alarm: false },
    ],
    [
      'there, when the log starts right there',
      { start: 5n, committed: 5n },
      { from: 5n, why: 'committed', alarm: false },
    ],
    [
      'at the start of a log that has forgotten nothing',
      {},
      { from: 0n, why: 'nothing_committed', alarm: false },
    ],
    [
      'where the log starts, with an alarm, when nobody says what is settled',
      { start: 3n },
      { from: 3n, why: 'nothing_committed', alarm: true },
    ],
    [
      'where the log starts, with an alarm, when that is later',
      { start: 6n, committed: 5n },
      { from: 6n, why: 'log_starts_later', alarm: true },
    ],
  ])('begins to read %s', async ([, bounds, expected], { expect }) => {
    const remembered = fresh()
    const { begins, lane } = await attempt(remembered, { ledger: { ...bounds, end: 9n } })
    expect(begins).toEqual([expected])
    expect(lane.calls.at(-1)).toBe(`read ${expected.from}–9`)
    expect(remembered.low).toBe(expected.from)
  })

  it('begins at its own claim when everything before is settled', async ({ expect }) => {
    const { error, lane } = await attempt(fresh(), { ledger: { committed: 9n, end: 9n } })
    expect(error).toBeUndefined()
    expect(lane.calls.at(-1)).toBe('read 9–9')
  })

  it('refuses a ledger that ends before what was settled', async ({ expect }) => {
    const { error } = await attempt(fresh(), { ledger: { committed: 9n, end: 8n } })
    expect(error).toBeInstanceOf(LedgerMadeAnew)
    expect((error as Error).message).toContain('ledger/0 ends at offset 8')
  })

  it('of a process that has booted before reads only what is new, and asks nobody where to begin', async ({
    expect,
  }) => {
    const remembered = fresh()
    const records = new Map([[0n, batch(1)]])
    await attempt(remembered, { ledger: { records, end: 1n } })
    records.set(4n, batch(2))
    const { begins, lane } = await attempt(remembered, {
      ledger: { records, end: 6n, committed: 1n },
    })
    expect(begins).toEqual([])
    expect(lane.calls).not.toContain('bounds')
    expect(lane.calls.at(-1)).toBe('read 2–6')
    expect([1, 2].map((n) => remembered.look(idOf(n))?.offset)).toEqual([0n, 4n])
    expect(remembered.low).toBe(0n)
  })

  it('refuses a ledger that was made anew while the process ran', async ({ expect }) => {
    const remembered = fresh()
    await attempt(remembered, { ledger: { end: 5n } })
    const { error } = await attempt(remembered, { ledger: { end: 0n } })
    expect(error).toBeInstanceOf(LedgerMadeAnew)
  })

  it('after one that broke off in the middle goes on where that one stopped', async ({
    expect,
  }) => {
    const remembered = fresh()
    const records = new Map<bigint, string | null>([
      [0n, batch(1)],
      [1n, 'not a record'],
      [2n, batch(2)],
    ])
    const first = await attempt(remembered, { ledger: { records, end: 3n } })
    expect(first.error).toBeInstanceOf(Doubt)
    records.set(1n, batch(3))
    const { lane, error } = await attempt(remembered, { ledger: { records, end: 5n } })
    expect(error).toBeUndefined()
    expect(lane.calls.at(-1)).toBe('read 1–5')
    expect([1, 2, 3].map((n) => remembered.look(idOf(n))?.offset)).toEqual([0n, 2n, 1n])
  })
})

describe('a boot is in doubt', () => {
  it.for<[string, Attempt, string]>([
    [
      'when it does not see its own claim',
      { ledger: { end: 3n, hidden: (offset) => offset === 3n } },
      'the own claim at offset 3',
    ],
    [
      'when a record can not be read',
      { ledger: { end: 3n, records: new Map([[1n, '{"v": 9}']]) } },
      'offset 1',
    ],
    [
      'when a record has no value',
      { ledger: { end: 3n, records: new Map([[2n, null]]) } },
      'offset 2',
    ],
    ['when the ledger is refused as a partition', { addRefuses: { 'ledger/0': 29 } }, 'code 29'],
    [
      'when the claim is refused as a record',
      { resultOf: () => ({ status: 'refused', reason: 'record_too_large' }) },
      'refuses the claim',
    ],
    ['when it is cut off after its claim', { cut: true }, 'cut'],
  ])('%s', async ([, script, message], { expect }) => {
    const { error } = await attempt(fresh(), script)
    expect(error).toBeInstanceOf(Doubt)
    expect((error as Error).message).toContain(message)
    expect(error).toMatchObject({ fenced: false })
  })

  it('and has then read nothing that the next one would miss', async ({ expect }) => {
    const remembered = fresh()
    await attempt(remembered, { cut: true, ledger: { end: 3n, committed: 2n } })
    expect(remembered.next).toBe(2n)
    await attempt(remembered, { ledger: { end: 4n, hidden: () => true } })
    expect(remembered.next).toBe(2n)
  })
})
