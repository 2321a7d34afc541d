/**
 * Records and dead letters that the book does not explain: kept with their places until the rest is read, then named. A bounded number of
 * them: what is beyond is counted. No I/O.
 */
import type { EnvelopeId } from '#contract'

export interface Stray {
  id: EnvelopeId
  index: number
  /** Where it stands, for people. */
  at: string
  /** When it was accepted, as it says itself; Unix ms. */
  time: number
}

const KEPT = 100_000

export class Strays {
  readonly kept: Stray[] = []
  /** That were too many to be kept. */
  left = 0

  add(stray: Stray): void {
    if (this.kept.length < KEPT) this.kept.push(stray)
    else this.left++
  }
}

/** What the header `edgehub-id` says; undefined when it is not one that the relay writes. */
export function parseReportId(text: string): { id: EnvelopeId; index: number } | undefined {
  const m = /^([A-Za-z0-9_-]{16})\.(\d{1,5})$/.exec(text)
  return m ? { id: m[1] as EnvelopeId, index: Number(m[2]) } : undefined
}
