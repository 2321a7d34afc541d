/**
 * Which shards this relay owns, as its consumer group's events tell it, and whether a fenced owner may take its shard back. Pure: no I/O,
 * no clock. It decides nothing about safety: two relays may both believe that they own a shard, and the transactional id's epoch decides.
 *
 *     joined        the shards of the assignment are owned: what is new is granted, what is gone is revoked
 *     rebalancing   revokes nothing: a shard that is kept goes on working through it
 *     crashed,      revoke nothing either: nobody else may have the shard yet. The owner works on until it is fenced, or a later `joined`
 *     stopped       comes without the shard
 *
 * A fenced owner *asks*, and is told to go on at the second heartbeat that is heard after it asked, in one membership that holds the shard:
 * the first may be the answer to a request that was sent before the fence. Every `joined`, `rebalancing`, `crashed` and `stopped` starts the
 * count anew, because a heartbeat speaks only for the generation that it was sent in.
 */

/** What a consumer tells, as far as it matters to who owns what. */
export type GroupEvent =
  | { type: 'joined'; shards: readonly number[] }
  | { type: 'heartbeat' }
  | { type: 'rebalancing' }
  | { type: 'crashed' }
  | { type: 'stopped' }

/** A question about a fenced shard; two about one shard are counted apart. */
export interface Ask {
  readonly shard: number
}

/** What an event changed. Shards ascend. */
export interface Change {
  granted: number[]
  revoked: number[]
  answers: { ask: Ask; confirmed: boolean }[]
}

const HEARTBEATS_TO_CONFIRM = 2

export class OwnershipView {
  #owned: ReadonlySet<number> = new Set()
  #isMember = false
  /** No rebalance, crash or stop since the last `joined`. */
  #settled = false
  /** Ask → heartbeats heard. */
  readonly #asks = new Map<Ask, number>()

  /** Stays what it is through a rebalance and a crash. */
  get owned(): ReadonlySet<number> {
    return this.#owned
  }

  /** Joined, and not crashed or stopped since. A rebalance does not end a membership. */
  get isMember(): boolean {
    return this.#isMember
  }

  apply(event: GroupEvent): Change {
    switch (event.type) {
      case 'joined':
        return this.#joined(new Set(event.shards))
      case 'heartbeat':
        return { granted: [], revoked: [], answers: this.#settled ? this.#heartbeat() : [] }
      case 'rebalancing':
        this.#unsettle()
        break
      case 'crashed':
      case 'stopped':
        this.#isMember = false
        this.#unsettle()
        break
    }
    return { granted: [], revoked: [], answers: [] }
  }

  /** Counts from now on. Undefined for a shard that is not owned: there is nothing to take back. */
  ask(shard: number): Ask | undefined {
    if (!this.#owned.has(shard)) return undefined
    const ask = { shard }
    this.#asks.set(ask, 0)
    return ask
  }

  /** Nobody waits for the answer any more. */
  withdraw(ask: Ask): void {
    this.#asks.delete(ask)
  }

  #joined(shards: ReadonlySet<number>): Change {
    const granted = ascending(shards.difference(this.#owned))
    const revoked = ascending(this.#owned.difference(shards))
    this.#owned = shards
    this.#isMember = true
    this.#unsettle()
    this.#settled = true
    const ended = [...this.#asks.keys()].filter(({ shard }) => !shards.has(shard))
    for (const ask of ended) this.#asks.delete(ask)
    return { granted, revoked, answers: ended.map((ask) => ({ ask, confirmed: false })) }
  }

  #heartbeat(): Change['answers'] {
    const answers: Change['answers'] = []
    for (const [ask, heard] of this.#asks) {
      if (heard + 1 < HEARTBEATS_TO_CONFIRM) {
        this.#asks.set(ask, heard + 1)
      } else {
        this.#asks.delete(ask)
        answers.push({ ask, confirmed: true })
      }
    }
    return answers
  }

  #unsettle(): void {
    this.#settled = false
    for (const ask of this.#asks.keys()) this.#asks.set(ask, 0)
  }
}

function ascending(shards: ReadonlySet<number>): number[] {
  return [...shards].sort((a, b) => a - b)
}
