// A history under way: what a campaign tells it was accepted, and what it reads of the stack from time to time. One object for a whole
// campaign, or one for each round of it.
import type { DevJson } from '../../dev/dev-json.ts'
import { checkHistory, formatViolation, type CheckOptions, type Violation } from './check.ts'
import {
  collect,
  observe,
  observeFinal,
  positionsNow,
  START,
  type CollectOptions,
} from './collect.ts'
import { acceptedOf, append, emptyHistory, type History, type Posted } from './history.ts'

export interface Recording {
  readonly history: History
  // A POST was answered with this receipt, of all its reports.
  accepted(receipt: string, reports: readonly Posted[], topic?: string): void
  // A receipt that is of a part of a POST only, as SendMessage gives; it is asked about like the others.
  alsoAsk(receipt: string): void
  // Reads on from where it was. What is under way in the meantime may look wrong; see `check`.
  read(): Promise<void>
  // Asks about all receipts, so that a status that changes later is found.
  observe(): Promise<void>
  // Pure, of what was read so far. Only when nothing was under way while it was read: no transaction, or a stack at rest.
  check(options?: CheckOptions): Violation[]
  // Waits until every receipt has its outcome, or for so long; reads all; what is wrong, as lines. [] is right.
  conclude(options: { timeoutMs: number }): Promise<string[]>
}

// From now on; nothing may be under way at this moment. `fromStart`: everything that the stack has ever had, which must be all its own.
export async function startRecording(
  dev: DevJson,
  { fromStart = false, ...options }: CollectOptions & { fromStart?: boolean } = {},
): Promise<Recording> {
  const history = emptyHistory()
  const receipts = new Set<string>()
  let positions = fromStart ? START : await positionsNow(dev, options)
  const read = async () => {
    const { part, next } = await collect(dev, positions, options)
    append(history, part)
    positions = next
  }
  const check = (of?: CheckOptions) => checkHistory(history, of)
  return {
    history,
    check,
    read,
    accepted(receipt, reports, topic = dev.topic) {
      receipts.add(receipt)
      history.accepted.push(acceptedOf(receipt, topic, reports))
    },
    alsoAsk: (receipt) => void receipts.add(receipt),
    async observe() {
      append(history, { observations: await observe(dev, [...receipts]) })
    },
    async conclude(of) {
      append(history, { observations: await observeFinal(dev, [...receipts], of) })
      await read()
      return check({ final: true }).map(formatViolation)
    },
  }
}
