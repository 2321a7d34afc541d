/**
 * The audit log: who changed what, and when. It is written in the transaction of the change, so there is no change without its entry and no
 * entry without its change. Keeps the newest 10,000; older ones are gone. Whoever writes leaves secrets out.
 */
import type { AuditEntry, AuditQuery } from './control-plane.ts'

export const MAX_AUDIT_ENTRIES = 10_000

/** As it is stored and as it goes over RPC: the detail is JSON text. */
export type StoredAuditEntry = Omit<AuditEntry, 'detail'> & { detail: string }

export type NewAuditEntry = Omit<AuditEntry, 'id'>

type AuditRow = Record<'by_whom' | 'action' | 'target' | 'detail', string> &
  Record<'id' | 'at', number>

export class AuditTable {
  readonly #sql: SqlStorage
  readonly #onAdded: (entry: StoredAuditEntry) => void

  constructor(sql: SqlStorage, onAdded: (entry: StoredAuditEntry) => void) {
    this.#sql = sql
    this.#onAdded = onAdded
  }

  add({ at, by, action, target, detail: plain }: NewAuditEntry): void {
    const detail = JSON.stringify(plain)
    // SQLite numbers on from the largest id. The newest entry is never deleted, so no number comes twice.
    const { id } = this.#sql
      .exec<{ id: number }>(
        'INSERT INTO audit_log (at, by_whom, action, target, detail) VALUES (?, ?, ?, ?, ?) RETURNING id',
        at,
        by,
        action,
        target,
        detail,
      )
      .one()
    this.#sql.exec('DELETE FROM audit_log WHERE id <= ?', id - MAX_AUDIT_ENTRIES)
    this.#onAdded({ id, at, by, action, target, detail })
  }

  /** Newest first. */
  list({ before, limit, target }: AuditQuery): StoredAuditEntry[] {
    const rows = this.#sql.exec<AuditRow>(
      'SELECT * FROM audit_log WHERE id < ? AND (? IS NULL OR target = ?) ORDER BY id DESC LIMIT ?',
      before ?? Number.MAX_SAFE_INTEGER,
      target ?? null,
      target ?? null,
      limit,
    )
    return rows.toArray().map(({ by_whom: by, ...rest }) => ({ ...rest, by }))
  }
}
