/**
 * A status shard: the Durable Object that holds one eighth of all outcomes and wakes those who wait for them. Its rows are decided in
 * `outcome-tables.ts`; here is only what needs the platform: RPC, the alarm, the memory of waiters.
 *
 * An answer leaves the object only when all writes before it are on disk (output gate), so an id that `put` or `has` answers has a durable
 * row; the same holds for the waiters that `put` wakes.
 */
import { DurableObject } from 'cloudflare:workers'
import { MAX_WAIT_SECONDS } from '#contract'
import { OutcomeTables, type OutcomeRow } from './outcome-tables.ts'
import { Waiters } from './waiters.ts'

export class StatusShard extends DurableObject<Env> {
  readonly #tables: OutcomeTables
  readonly #waiters = new Waiters()

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env)
    this.#tables = new OutcomeTables(ctx.storage)
  }

  /** The ids that now have a row, this outcome's or an earlier one's: all of them, or it throws. */
  async put(rows: OutcomeRow[]): Promise<string[]> {
    const { tableMade } = this.#tables.put(rows, Date.now())
    // In the turn of the insert: both are written, or neither.
    const alarm = tableMade ? this.#setAlarm() : undefined
    const ids = rows.map(({ id }) => id)
    const awaited = ids.filter((id) => this.#waiters.has(id))
    // Read back, because an earlier outcome may have won.
    if (awaited.length > 0) {
      for (const { id, outcome } of this.#tables.get(awaited)) this.#waiters.wake(id, outcome)
    }
    await alarm
    return ids
  }

  get(ids: string[]): OutcomeRow[] {
    return this.#tables.get(ids)
  }

  /** Those that have a row; the others had none at that moment. */
  has(ids: string[]): string[] {
    return this.#tables.has(ids)
  }

  /** The outcome, as soon as there is one; null when there is none after `ms`, or too many wait already. */
  async wait(id: string, ms: number): Promise<string | null> {
    const [row] = this.#tables.get([id])
    if (row) return row.outcome
    return (await this.#waiters.wait(id, Math.min(ms, MAX_WAIT_SECONDS * 1_000))) ?? null
  }

  override async alarm(): Promise<void> {
    await this.#setAlarm()
  }

  async #setAlarm(): Promise<void> {
    const next = this.#tables.dropExpired(Date.now())
    if (next !== undefined) await this.ctx.storage.setAlarm(next)
  }
}
