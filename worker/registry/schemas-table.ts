/**
 * The registry's schemas. They belong to all managers; one that is bound is changed only by who may manage every datahub that it is bound
 * to, and not deleted at all. Each change is noted in the audit log; the caller runs it in one transaction. Whether fields make sense was
 * looked at before.
 */
import { rejected, type Rejection } from '../rejection.ts'
import type { SchemaField } from '../schema/form.ts'
import type { AuditTable } from './audit-table.ts'
import type { Done, ManagedSchema } from './control-plane.ts'
import { done } from './done.ts'
import type { NewSchema, SchemaChanges } from './forms.ts'
import { reaches, type Rights } from './rights.ts'

export const MAX_SCHEMAS = 1_000

type StoredSchema = Omit<ManagedSchema, 'datahubs'>

type SchemaRow = Record<'schema_id' | 'name' | 'fields', string> &
  Record<'revision' | 'created' | 'changed', number>

export class SchemasTable {
  readonly #sql: SqlStorage
  readonly #audit: AuditTable
  readonly #boundTo: (schemaId: string) => string[]

  constructor(sql: SqlStorage, audit: AuditTable, boundTo: (schemaId: string) => string[]) {
    this.#sql = sql
    this.#audit = audit
    this.#boundTo = boundTo
  }

  find(rights: Rights, schemaId: string): Done<ManagedSchema> {
    const stored = this.#get(schemaId)
    return stored
      ? done(this.#managed(rights, stored))
      : rejected({ reason: 'schema_not_found', schemaId })
  }

  /** Oldest first. */
  list(rights: Rights): ManagedSchema[] {
    const rows = this.#sql.exec<SchemaRow>('SELECT * FROM schemas ORDER BY created, schema_id')
    return rows.toArray().map((row) => this.#managed(rights, storedOf(row)))
  }

  /** `id_taken`: draw another one. */
  create(
    rights: Rights,
    { schemaId, name, fields }: NewSchema & { schemaId: string },
    now: number,
  ): Done<ManagedSchema> | 'id_taken' {
    const { n } = this.#sql.exec<{ n: number }>('SELECT count(*) AS n FROM schemas').one()
    if (n >= MAX_SCHEMAS) {
      return rejected({ reason: 'quota_exceeded', what: 'schemas', limit: MAX_SCHEMAS })
    }
    if (this.#isTaken(name, schemaId)) return rejected({ reason: 'name_taken', path: 'name', name })
    if (this.#get(schemaId)) return 'id_taken'
    const stored = { schemaId, name, fields, revision: 1, created: now, changed: now }
    this.#write(stored)
    this.#audit.add({
      ...{ at: now, by: rights.by, action: 'schema.create', target: schemaId },
      detail: { name, fields },
    })
    return done(this.#managed(rights, stored))
  }

  modify(
    rights: Rights,
    schemaId: string,
    { name, fields }: SchemaChanges,
    ifRevision: number | undefined,
    now: number,
  ): Done<ManagedSchema> {
    const stored = this.#forChange(rights, schemaId, ifRevision)
    if ('reason' in stored) return rejected(stored)
    const isOther = JSON.stringify(fields) !== JSON.stringify(stored.fields)
    const detail = {
      ...(name !== undefined && name !== stored.name && { name }),
      ...(fields !== undefined && isOther && { fields }),
    }
    if (Object.keys(detail).length === 0) return done(this.#managed(rights, stored))
    if (detail.name !== undefined && this.#isTaken(detail.name, schemaId)) {
      return rejected({ reason: 'name_taken', path: 'name', name: detail.name })
    }
    const after = { ...stored, ...detail, revision: stored.revision + 1, changed: now }
    this.#write(after)
    this.#audit.add({
      ...{ at: now, by: rights.by, action: 'schema.modify', target: schemaId },
      detail,
    })
    return done(this.#managed(rights, after))
  }

  /** Answers its last state. */
  delete(
    rights: Rights,
    schemaId: string,
    ifRevision: number | undefined,
    now: number,
  ): Done<ManagedSchema> {
    const stored = this.#forChange(rights, schemaId, ifRevision)
    if ('reason' in stored) return rejected(stored)
    const datahubs = this.#boundTo(schemaId)
    if (datahubs.length > 0) return rejected({ reason: 'schema_in_use', schemaId, datahubs })
    this.#sql.exec('DELETE FROM schemas WHERE schema_id = ?', schemaId)
    this.#audit.add({
      ...{ at: now, by: rights.by, action: 'schema.delete', target: schemaId },
      detail: { name: stored.name },
    })
    return done(this.#managed(rights, stored))
  }

  #get(schemaId: string): StoredSchema | undefined {
    const query = 'SELECT * FROM schemas WHERE schema_id = ?'
    const [row] = this.#sql.exec<SchemaRow>(query, schemaId)
    return row && storedOf(row)
  }

  #isTaken(name: string, schemaId: string): boolean {
    const query = 'SELECT 1 FROM schemas WHERE name = ? AND schema_id <> ?'
    return this.#sql.exec(query, name, schemaId).next().done !== true
  }

  #forChange(
    rights: Rights,
    schemaId: string,
    ifRevision: number | undefined,
  ): StoredSchema | Rejection {
    const stored = this.#get(schemaId)
    if (!stored) return { reason: 'schema_not_found', schemaId }
    if (!this.#boundTo(schemaId).every((datahub) => reaches(rights, datahub))) {
      const problem = 'The schema is bound to a datahub that the credential may not manage.'
      return { reason: 'forbidden', problem }
    }
    if (ifRevision !== undefined && ifRevision !== stored.revision) {
      return { reason: 'precondition_failed', current: stored.revision }
    }
    return stored
  }

  /** Names no datahub that the manager may not know of. */
  #managed(rights: Rights, stored: StoredSchema): ManagedSchema {
    const datahubs = this.#boundTo(stored.schemaId).filter((datahub) => reaches(rights, datahub))
    return { ...stored, datahubs }
  }

  #write({ schemaId, name, fields, revision, created, changed }: StoredSchema): void {
    this.#sql.exec(
      'INSERT OR REPLACE INTO schemas (schema_id, name, fields, revision, created, changed) VALUES (?, ?, ?, ?, ?, ?)',
      schemaId,
      name,
      JSON.stringify(fields),
      revision,
      created,
      changed,
    )
  }
}

function storedOf(row: SchemaRow): StoredSchema {
  const { name, revision, created, changed } = row
  const fields = JSON.parse(row.fields) as SchemaField[]
  return { schemaId: row.schema_id, name, fields, revision, created, changed }
}
