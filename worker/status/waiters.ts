/**
 * Who waits for an outcome in a status shard, in memory. Bounded for each id and in all; one more than that is answered at once, with
 * nothing. Every waiter owns one timer and leaves when it fires, because a client that went away is not reported to us.
 */
export const MAX_WAITERS_PER_ID = 4
export const MAX_WAITERS = 5_000

type Wake = (outcome: string | undefined) => void

export class Waiters {
  readonly #byId = new Map<string, Set<Wake>>()
  #size = 0

  get size(): number {
    return this.#size
  }

  has(id: string): boolean {
    return this.#byId.has(id)
  }

  /** The outcome when it is given in time, else undefined. */
  wait(id: string, ms: number): Promise<string | undefined> {
    const waiting = this.#byId.get(id) ?? new Set()
    if (ms <= 0 || waiting.size >= MAX_WAITERS_PER_ID || this.#size >= MAX_WAITERS) {
      return Promise.resolve(undefined)
    }
    this.#byId.set(id, waiting)
    this.#size++
    return new Promise((resolve) => {
      const wake: Wake = (outcome) => {
        clearTimeout(timer)
        waiting.delete(wake)
        this.#size--
        if (waiting.size === 0) this.#byId.delete(id)
        resolve(outcome)
      }
      const timer = setTimeout(() => wake(undefined), ms)
      waiting.add(wake)
    })
  }

  wake(id: string, outcome: string): void {
    // A set may lose members while it is walked.
    for (const wake of this.#byId.get(id) ?? []) wake(outcome)
  }
}
