/**
 * The named moments of an envelope's way through the relay, in their order. The log says at level debug when each is passed, and the
 * crash tests make the process fail right there: be killed, be stopped, or lose its connections. What the names mean, and what each
 * crash must lead to: docs/architecture.md.
 *
 * In production a moment costs one call. A failpoint is armed by `FAILPOINT` or by `POST /failpoints` at the address of the metrics, and
 * either only when the command line has `--failpoints`.
 */

export const POINTS = [
  /** Between InitProducerId and the claim. */
  'initialised',
  /** The claim is committed, the ledger not read yet. */
  'claimed',
  /** Messages are leased. */
  'pulled',
  /** New envelopes are chosen; Kafka knows nothing of them. */
  'began',
  /** AddPartitionsToTxn is answered. */
  'added',
  /** The data is acknowledged, the ledger record not sent. */
  'data_appended',
  /** The ledger record is acknowledged, EndTxn not sent. */
  'ledger_appended',
  /** EndTxn is sent, its answer not there. */
  'endtxn_sent',
  /** EndTxn is answered, and nobody acted on the answer. */
  'endtxn_answered',
  /** The commit is known, the status store not told. */
  'committed',
  /** The status store has the outcomes, the leases are not acked. */
  'outcomes_taken',
  /** The leases are acked, and nobody acted on the answer. */
  'acked',
] as const
export type Point = (typeof POINTS)[number]

/** Called at each moment. What it returns is awaited; when it rejects, the step fails as if its connection had been cut. */
export type Reach = (point: Point) => Promise<void> | void

export const FAULTS = ['kill', 'stop', 'cut'] as const
export type Fault = (typeof FAULTS)[number]

export interface Failpoint {
  point: Point
  fault: Fault
  /** It fails the n-th time that the moment is reached, and only then; 1 is the first. */
  nth: number
}

/** `added:kill`, `added:cut:3`. Undefined for anything else. */
export function parseFailpoint(text: string): Failpoint | undefined {
  const [point, fault, nth = '1', ...rest] = text.split(':')
  const known = POINTS.find((p) => p === point)
  const knownFault = FAULTS.find((f) => f === fault)
  if (!known || !knownFault || rest.length > 0 || !/^[1-9]\d{0,5}$/.test(nth)) return undefined
  return { point: known, fault: knownFault, nth: Number(nth) }
}

export class CutError extends Error {
  override readonly name = 'CutError'
}

export interface FailpointDeps {
  /** SIGKILL or SIGSTOP to this process. */
  signal(name: 'SIGKILL' | 'SIGSTOP'): void
  onReached(failpoint: Failpoint): void
}

/** The failpoint of a process, for all its shards. One at most is armed; what fails is over then. */
export class Failpoints {
  readonly #deps: FailpointDeps
  #armed: Failpoint | undefined
  #left = 0

  constructor(deps: FailpointDeps, failpoint?: Failpoint) {
    this.#deps = deps
    if (failpoint) this.arm(failpoint)
  }

  /** In place of the one that is armed, if any. The n-th time is counted from now on. */
  arm(failpoint: Failpoint): void {
    this.#armed = failpoint
    this.#left = failpoint.nth
  }

  readonly reach: Reach = (point) => {
    const failpoint = this.#armed
    if (!failpoint || point !== failpoint.point || --this.#left > 0) return undefined
    this.#armed = undefined
    this.#deps.onReached(failpoint)
    switch (failpoint.fault) {
      case 'kill':
        this.#deps.signal('SIGKILL')
        // The signal takes effect before anything else can run.
        return new Promise(() => {})
      case 'stop':
        this.#deps.signal('SIGSTOP')
        return undefined
      case 'cut':
        return Promise.reject(new CutError(`failpoint ${point}`))
    }
  }
}
