/**
 * The rows of a status shard: id → outcome, first final outcome wins. A row goes into the table of today only if no live table has its
 * id, and look-ups go through all live tables, so an id has one row however often its outcome is reported. All rows of a call go in as
 * one JSON parameter, because a statement takes 100 parameters at most.
 *
 * A call is one statement over all tables, with a subquery for each, because rows read are billed: the id itself is one row (of the JSON
 * parameter), a table that lacks it none, the row that is found one. So a miss costs 1 and a hit 2, whatever the number of tables;
 * `id IN (SELECT … json_each)` for each table would cost a miss 2 a table, 20 with ten days of rows. (A UNION of ten is more than
 * a Durable Object allows.)
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

  /** The rows that exist, in the order of the ids. */
  get(ids: readonly string[]): OutcomeRow[] {
    const inEach = this.#days.map(
      (day) => `(SELECT outcome FROM ${tableOf(day)} t WHERE t.id = r.value)`,
    )
    // Two more, because COALESCE takes no fewer.
    const outcome = `COALESCE(${['NULL', 'NULL', ...inEach].join(', ')})`
    return this.#storage.sql
      .exec<{ id: string; outcome: string | null }>(
        `SELECT r.value AS id, ${outcome} AS outcome FROM json_each(?) r`,
        JSON.stringify(ids),
      )
      .toArray()
      .flatMap((row) => (row.outcome === null ? [] : [{ id: row.id, outcome: row.outcome }]))
  }

  /** Those that have a row, in the order given. Their outcomes are not read. */
  has(ids: readonly string[]): string[] {
    const inEach = this.#days.map(
      (day) => `EXISTS (SELECT 1 FROM ${tableOf(day)} t WHERE t.id = r.value)`,
    )
    return this.#storage.sql
      .exec<{ id: string }>(
        `SELECT r.value AS id FROM json_each(?) r WHERE ${['false', ...inEach].join(' OR ')}`,
        JSON.stringify(ids),
      )
      .toArray()
      .map(({ id }) => id)
  }

  /** Drops what is old enough. When to come again, Unix ms, or undefined when nothing is left. */
  dropExpired(now: number): number | undefined {
    const { drop, keep, next } = rotate(this.#days, now)
    for (const day of drop) this.#storage.sql.exec(`DROP TABLE ${tableOf(day)}`)
    this.#days = keep
    return next
  }
}
