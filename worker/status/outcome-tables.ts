/**
 * The rows of a status shard: id → outcome, first final outcome wins. A row goes into the table of today only if no live table has its
 * id, and look-ups go through all live tables, so an id has one row however often its outcome is reported. All rows of a call go in and
 * out as one JSON parameter: a statement takes 100 parameters at most.
 */
import { dayOf, dayOfTable, rotate, tableOf, type Day } from './day-tables.ts'

export interface OutcomeRow extends Record<string, string> {
  id: string
  /** JSON text. */
  outcome: string
}

export class OutcomeTables {
  readonly #storage: DurableObjectStorage
  #days: Day[]

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage
    const tables = storage.sql.exec<{ name: string }>(
      "SELECT name FROM sqlite_master WHERE type = 'table'",
    )
    this.#days = tables.toArray().flatMap(({ name }) => dayOfTable(name) ?? [])
  }

  get days(): readonly Day[] {
    return this.#days
  }

  /** Afterwards every one of these ids has a row. Atomic. Whether a table was made for it. */
  put(rows: readonly OutcomeRow[], now: number): { tableMade: boolean } {
    const today = dayOf(now)
    const tableMade = !this.#days.includes(today)
    const sql = this.#storage.sql
    this.#storage.transactionSync(() => {
      if (tableMade) {
        // Without a rowid there is one row written for an insert, not two.
        sql.exec(
          `CREATE TABLE ${tableOf(today)} (id TEXT PRIMARY KEY, outcome TEXT NOT NULL) WITHOUT ROWID`,
        )
      }
      const elsewhere = this.#days
        .filter((day) => day !== today)
        .map((day) => `NOT EXISTS (SELECT 1 FROM ${tableOf(day)} t WHERE t.id = r.value ->> 'id')`)
      sql.exec(
        `INSERT OR IGNORE INTO ${tableOf(today)} (id, outcome)
         SELECT r.value ->> 'id', r.value ->> 'outcome' FROM json_each(?) r WHERE ${['true', ...elsewhere].join(' AND ')}`,
        JSON.stringify(rows),
      )
    })
    if (tableMade) this.#days.push(today)
    return { tableMade }
  }

  /** The rows that exist, in no order. */
  get(ids: readonly string[]): OutcomeRow[] {
    const wanted = JSON.stringify(ids)
    return this.#days.flatMap((day) =>
      this.#storage.sql
        .exec<OutcomeRow>(
          `SELECT id, outcome FROM ${tableOf(day)} WHERE id IN (SELECT value FROM json_each(?))`,
          wanted,
        )
        .toArray(),
    )
  }

  /** Drops what is old enough. When to come again, Unix ms, or undefined when nothing is left. */
  dropExpired(now: number): number | undefined {
    const { drop, keep, next } = rotate(this.#days, now)
    for (const day of drop) this.#storage.sql.exec(`DROP TABLE ${tableOf(day)}`)
    this.#days = keep
    return next
  }
}
