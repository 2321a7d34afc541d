/** The dead-letter topic against the book: each failed report has its letter, and nothing else has one. No I/O. */
import { reportId, type EnvelopeId } from '#contract'
import type { Book } from './book.ts'
import type { Differences } from './differences.ts'
import { Strays } from './strays.ts'

export interface SeenLetter {
  /** Where it stands, for people. */
  at: string
  id: EnvelopeId
  index: number
  reason: string
  /** As the letter says. */
  datahub: string | undefined
  /** Unix ms. */
  received: number | undefined
}

/** Of a partition of the dead-letter topic: when its first letter was written, Unix ms; undefined when nothing was ever removed from it. */
export type FirstLetter = (partition: number) => number | undefined

/** An envelope whose records were lost, or never fetched because it was too old, has one letter for all its reports. */
const ONE_LETTER = ['envelope_lost', 'attempts_exhausted']

export class LetterCheck {
  readonly strays = new Strays()
  /** Of ours. */
  missing = 0
  expired = 0
  readonly #book: Book
  readonly #differences: Differences

  constructor(book: Book, differences: Differences) {
    this.#book = book
    this.#differences = differences
  }

  visit({ at, id, index, reason, datahub, received }: SeenLetter): void {
    const { scope } = this.#book
    const envelope = this.#book.find(id)
    if (envelope === undefined) {
      const isOurs =
        datahub === scope.datahub &&
        received !== undefined &&
        received >= scope.from &&
        received < scope.to
      if (isOurs) this.strays.add({ id, index, at: `dead letter ${at}`, time: received })
      return
    }
    if (!this.#book.envelope(envelope).ours) return
    const name = reportId(id, index)
    const place = this.#book.placeOf(envelope, index)
    if (place?.status !== 'failed') {
      this.#differences.add(
        place ? 'dead letter of a delivered report' : 'dead letter without a ledger entry',
        name,
        `dead letter ${at}`,
      )
      return
    }
    if (!this.#book.seeLetter(place.run, index)) {
      this.#differences.add('dead letter doubled', name, `dead letter ${at}`)
    }
    if (reason !== place.reason) {
      const said = `dead letter ${at} says ${reason}, the ledger ${place.reason}`
      this.#differences.add('dead letter for another reason', name, said)
    }
  }

  finish(firstLetter: FirstLetter): void {
    for (let run = 0; run < this.#book.runs; run++) {
      const { topic, envelope: number, length, reason } = this.#book.run(run)
      if (topic !== undefined) continue
      const { id, ours, count, sent, partition } = this.#book.envelope(number)
      if (!ours) continue
      const without = this.#book.withoutLetter(run)
      if (without.length === 0) continue
      const isWhole = length === count && ONE_LETTER.includes(reason)
      if (isWhole && without.length === count - 1 && without[0] === 1) continue
      const first = firstLetter(partition)
      if (first !== undefined && sent <= first) {
        this.expired += without.length
        continue
      }
      this.missing += without.length
      for (const index of without) {
        this.#differences.add(
          'dead letter missing',
          reportId(id, index),
          `failed as ${reason}, and partition ${partition} of the dead letters has none`,
        )
      }
    }
  }
}
