// The history of a campaign, read on and checked after each injection: everything that has to do with an envelope of which something was
// read or told since the last time, so that the time for it does not grow with the campaign. A record that comes twice is found when the
// second is read. `conclude` checks all of it at once.
import { setTimeout as pause } from 'node:timers/promises'
import type { EnvelopeId } from '#contract'
import type { DevJson } from '../../dev/dev-json.ts'
import {
  append,
  checkHistory,
  collect,
  emptyHistory,
  isDrained,
  observe,
  positionsNow,
  queueKey,
  receiptPlace,
  type History,
  type Positions,
  type Violation,
} from '../history/index.ts'
import type { Told } from './load.ts'

export interface Counts {
  lost: number
  doubled: number
  misplaced: number
  falseDelivered: number
  other: number
}

const COUNTED_AS = {
  I1: 'doubled',
  I2: 'lost',
  I3: 'misplaced',
  I4: 'falseDelivered',
  I7: 'lost',
  '-': 'other',
} as const satisfies Record<Violation['rule'], keyof Counts>

export function countViolations(violations: readonly Violation[]): Counts {
  const counts: Counts = { lost: 0, doubled: 0, misplaced: 0, falseDelivered: 0, other: 0 }
  for (const { rule } of violations) counts[COUNTED_AS[rule]]++
  return counts
}

const DRAIN_POLL_MS = 200
const READ_DEADLINE_MS = 120_000

export class Audit {
  readonly #dev: DevJson
  readonly #topics: readonly string[]
  readonly #all: History = emptyHistory()
  readonly #byId = new Map<EnvelopeId, History>()
  #positions: Positions

  private constructor(dev: DevJson, topics: readonly string[], positions: Positions) {
    this.#dev = dev
    this.#topics = topics
    this.#positions = positions
  }

  static async begin(dev: DevJson, topics: readonly string[]): Promise<Audit> {
    return new Audit(dev, topics, await positionsNow(dev, { topics }))
  }

  get history(): History {
    return this.#all
  }

  get envelopes(): number {
    return this.#byId.size
  }

  // Of what there is something new of. No POST is under way any more; `open` are the receipts that should have their outcome by now.
  async check(told: Told, open: readonly string[]): Promise<Violation[]> {
    const touched = await this.#read(told)
    const part = emptyHistory()
    part.queue = new Map()
    for (const id of touched) append(part, this.#byId.get(id) ?? {})
    part.raw = this.#all.raw
    return [...checkHistory(part), ...open.map(withoutOutcome)]
  }

  // When the queues are empty, or after so long: asks about each receipt once more, and checks everything.
  async conclude(told: Told, open: readonly string[], drainMs: number): Promise<Violation[]> {
    const deadline = Date.now() + drainMs
    while (Date.now() < deadline && !(await isDrained(this.#dev))) await pause(DRAIN_POLL_MS)
    await this.#read(told)
    const receipts = new Set([...this.#all.observations.map(({ receipt }) => receipt), ...open])
    append(this.#all, { observations: await observe(this.#dev, [...receipts]) })
    return checkHistory(this.#all, { final: true })
  }

  // The ids of which there is something new.
  async #read(told: Told): Promise<Set<EnvelopeId>> {
    const { part, next } = await collect(this.#dev, this.#positions, {
      topics: this.#topics,
      timeoutMs: READ_DEADLINE_MS,
    })
    this.#positions = next
    const added = { ...part, ...told }
    append(this.#all, added)
    const touched = new Set<EnvelopeId>()
    const of = (id: EnvelopeId): History => {
      touched.add(id)
      const known = this.#byId.get(id)
      if (known) return known
      const history = emptyHistory()
      this.#byId.set(id, history)
      return history
    }
    for (const each of told.accepted) of(each.id).accepted.push(each)
    for (const each of told.observations) of(each.id).observations.push(each)
    for (const each of part.records ?? []) of(idOf(each.report)).records.push(each)
    for (const each of part.ledger ?? []) of(each.id).ledger.push(each)
    for (const each of part.letters ?? []) {
      if (each.report !== undefined) of(idOf(each.report)).letters.push(each)
    }
    for (const each of part.queue?.values() ?? []) {
      if (each.id === undefined) continue
      const history = of(each.id)
      history.queue ??= new Map()
      history.queue.set(queueKey(each), each)
    }
    return touched
  }
}

const idOf = (report: string) => report.slice(0, report.lastIndexOf('.')) as EnvelopeId

function withoutOutcome(receipt: string): Violation {
  const { id } = receiptPlace(receipt)
  return { rule: 'I7', name: 'without an outcome', id, detail: `the receipt ${receipt} has none` }
}
