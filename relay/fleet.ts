/**
 * Which shards run in this process: starts one when the group grants it, stops it when the group revokes it, and commits how far each is
 * settled. A shard that is granted again while it is still stopping begins after that.
 */
import type { Ownership } from './ownership/group.ts'
import type { Shard } from './shard.ts'

export interface FleetDeps {
  ownership: Pick<Ownership, 'commit'>
  createShard(shard: number): Shard
  onOwned(shards: number): void
  /** A shard ended with something that no trying again can mend: the process has to end. */
  onFatal(error: unknown): void
}

interface Running {
  shard: Shard
  stop: AbortController
  done: Promise<void>
}

export class Fleet {
  readonly #deps: FleetDeps
  readonly #running = new Map<number, Running>()
  /** The last life of each shard, until it has ended. */
  readonly #ending = new Map<number, Promise<void>>()
  #stopping = false

  constructor(deps: FleetDeps) {
    this.#deps = deps
  }

  grant(index: number): void {
    // A rebalance in the last moment begins nothing any more.
    if (this.#stopping || this.#running.has(index)) return
    const stop = new AbortController()
    const shard = this.#deps.createShard(index)
    const before = this.#ending.get(index) ?? Promise.resolve()
    const done = before.then(() => (stop.signal.aborted ? undefined : shard.run(stop.signal)))
    this.#running.set(index, { shard, stop, done })
    this.#ending.set(index, done.catch(this.#deps.onFatal))
    this.#deps.onOwned(this.#running.size)
  }

  revoke(index: number): void {
    this.#running.get(index)?.stop.abort()
    this.#running.delete(index)
    this.#deps.onOwned(this.#running.size)
  }

  get owned(): ReadonlySet<number> {
    return new Set(this.#running.keys())
  }

  /** Somebody waits for what is in these shards' queues. Those of other processes are not ours to wake. */
  wake(shards: readonly number[]): void {
    for (const index of shards) this.#running.get(index)?.shard.wake()
  }

  /** How far each shard is settled, committed for the next process that takes it over. Never throws. */
  async commit(): Promise<void> {
    const offsets = new Map(
      [...this.#running].flatMap(([index, { shard }]) => {
        const low = shard.settledLow()
        return low === undefined ? [] : [[index, low.toString()] as const]
      }),
    )
    if (offsets.size > 0) await this.#deps.ownership.commit(offsets)
  }

  /** Ends every shard in order. Their places in the group are kept, so that what they settled can be committed. */
  async stop(): Promise<void> {
    this.#stopping = true
    for (const { stop } of this.#running.values()) stop.abort()
    await Promise.all(this.#ending.values())
  }
}
