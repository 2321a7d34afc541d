/**
 * The registry's credentials, their secrets sealed. Each change looks at the credential, changes it, counts its revision up and notes it
 * in the audit log, without anything secret; the caller runs it in one transaction. A manager may do nothing that gives more than it has
 * itself. One that has expired is found by nobody, counts for nothing and can't be prolonged; its row goes when the next one is made. Sees no
 * plain secret.
 */
import { rejected, type Rejection } from '../rejection.ts'
import type { AuditTable } from './audit-table.ts'
import type { Done, ManagedCredential } from './control-plane.ts'
import type { Credential, Scope } from './directory.ts'
import { done } from './done.ts'
import type { CredentialChanges } from './forms.ts'
import { ADMIN_RIGHTS, covers, type Rights } from './rights.ts'

export const MAX_CREDENTIALS = 1_000

/** Of a row that is there; takes the time. */
const LIVE = '(expires IS NULL OR expires > ?)'

/** Who the audit log names where time alone did it. */
const BY_TIME = 'edgehub'

export interface SealedKey {
  sealed: string
  /** Unix ms; absent: with the credential. */
  expires?: number
}

/** A credential as it is made: its id drawn and its secrets sealed. */
export interface DrawnCredential {
  secretId: string
  name: string
  sealedKey: string
  /** Of a temporary one. */
  sealedToken?: string | undefined
  scopes: readonly Scope[]
  datahubs: Credential['datahubs']
  /** Unix ms. */
  expires?: number | undefined
}

/** The sealed secrets of one credential. */
export interface SealedSecrets {
  /** Newest first. */
  sealedKeys: readonly SealedKey[]
  sealedToken?: string
}

export interface StoredCredential
  extends SealedSecrets, Omit<ManagedCredential, 'temporary' | 'olderSecrets'> {}

/** The same secrets sealed under another key; `before` is what they replace. */
export interface Resealed {
  secretId: string
  before: SealedSecrets
  after: SealedSecrets
}

type CredentialRow = Record<'secret_id' | 'name' | 'sealed_keys' | 'scopes' | 'datahubs', string> &
  Record<'disabled' | 'revision' | 'created' | 'changed', number> & {
    sealed_token: string | null
    expires: number | null
  }

export class CredentialsTable {
  readonly #sql: SqlStorage
  readonly #audit: AuditTable

  constructor(sql: SqlStorage, audit: AuditTable) {
    this.#sql = sql
    this.#audit = audit
  }

  get(secretId: string, now: number): StoredCredential | null {
    const query = `SELECT * FROM credentials WHERE secret_id = ? AND ${LIVE}`
    const [row] = this.#sql.exec<CredentialRow>(query, secretId, now)
    return row ? storedOf(row) : null
  }

  /** Oldest first. */
  all(now: number): StoredCredential[] {
    const query = `SELECT * FROM credentials WHERE ${LIVE} ORDER BY created, secret_id`
    return this.#sql.exec<CredentialRow>(query, now).toArray().map(storedOf)
  }

  /** As they are now, not as the manager's edge remembers them: to that one it may still be a manager. */
  rightsOf(by: string, now: number): Rights | Rejection {
    if (by === ADMIN_RIGHTS.by) return ADMIN_RIGHTS
    const own = this.get(by, now)
    if (!own || own.disabled) {
      const problem = 'The credential was deleted or disabled, or has expired.'
      return { reason: 'unauthenticated', problem }
    }
    const { scopes, datahubs, expires } = own
    return scopes.includes('manage')
      ? { by, scopes, datahubs, expires }
      : { reason: 'forbidden', problem: 'The credential has no scope manage.' }
  }

  find(rights: Rights, secretId: string, now: number): Done<ManagedCredential> {
    const stored = this.get(secretId, now)
    if (!stored || !covers(rights, stored)) {
      return rejected({ reason: 'credential_not_found', secretId })
    }
    return done(managedOf(stored, now))
  }

  /** Oldest first. */
  list(rights: Rights, now: number): ManagedCredential[] {
    return this.all(now)
      .filter((stored) => covers(rights, stored))
      .map((stored) => managedOf(stored, now))
  }

  create(rights: Rights, drawn: DrawnCredential, now: number): Done<ManagedCredential> {
    const { secretId, name, sealedKey, sealedToken, scopes, datahubs, expires } = drawn
    const wrong = wrongWith(rights, { scopes, datahubs, expires }, now)
    if (wrong) return rejected(wrong)
    if (sealedToken !== undefined && expires === undefined) return rejected(NEEDS_AN_END)
    const query = `SELECT count(*) AS n FROM credentials WHERE ${LIVE}`
    const { n } = this.#sql.exec<{ n: number }>(query, now).one()
    if (n >= MAX_CREDENTIALS) {
      return rejected({ reason: 'quota_exceeded', what: 'credentials', limit: MAX_CREDENTIALS })
    }
    const stored: StoredCredential = {
      ...{ secretId, name, scopes, datahubs, disabled: false },
      sealedKeys: [{ sealed: sealedKey }],
      ...(sealedToken !== undefined && { sealedToken }),
      ...(expires !== undefined && { expires }),
      ...{ revision: 1, created: now, changed: now },
    }
    this.#purge(now)
    this.#write(stored)
    const detail = { name, scopes, datahubs, expires, temporary: sealedToken !== undefined }
    const entry = { at: now, by: rights.by, action: 'credential.create', target: secretId, detail }
    this.#audit.add(entry)
    return done(managedOf(stored, now))
  }

  modify(
    rights: Rights,
    secretId: string,
    changes: CredentialChanges,
    ifRevision: number | undefined,
    now: number,
  ): Done<ManagedCredential> {
    const stored = this.#forChange(rights, secretId, ifRevision, now)
    if ('reason' in stored) return rejected(stored)
    const fields = fieldsChanged(stored, changes)
    if (Object.keys(fields).length === 0) return done(managedOf(stored, now))
    const { expires = stored.expires ?? null, ...plain } = fields
    if (expires === null && stored.sealedToken !== undefined) return rejected(NEEDS_AN_END)
    const { expires: _before, ...rest } = stored
    const after = { ...rest, ...plain, ...(expires !== null && { expires }) }
    const wrong = wrongWith(rights, after, now)
    if (wrong) return rejected(wrong)
    return this.#change(rights, after, 'credential.modify', fields, now)
  }

  /** The newest secret of before stays good for `keepMs`; older ones end. */
  rotate(
    rights: Rights,
    secretId: string,
    { sealedKey, keepMs }: { sealedKey: string; keepMs: number },
    ifRevision: number | undefined,
    now: number,
  ): Done<ManagedCredential> {
    const stored = this.#forChange(rights, secretId, ifRevision, now)
    if ('reason' in stored) return rejected(stored)
    const [newest] = stored.sealedKeys
    const kept = newest && keepMs > 0 ? [{ sealed: newest.sealed, expires: now + keepMs }] : []
    const after = { ...stored, sealedKeys: [{ sealed: sealedKey }, ...kept] }
    const detail = { olderSecretUntil: kept[0]?.expires ?? now }
    return this.#change(rights, after, 'credential.rotate', detail, now)
  }

  /** Answers its last state. */
  delete(
    rights: Rights,
    secretId: string,
    ifRevision: number | undefined,
    now: number,
  ): Done<ManagedCredential> {
    const stored = this.#forChange(rights, secretId, ifRevision, now)
    if ('reason' in stored) return rejected(stored)
    this.#sql.exec('DELETE FROM credentials WHERE secret_id = ?', secretId)
    const { name } = stored
    this.#audit.add({
      ...{ at: now, by: rights.by, action: 'credential.delete', target: secretId },
      detail: { name },
    })
    return done(managedOf(stored, now))
  }

  /**
   * Puts the newly sealed secrets in place of those that they were made from; of a credential whose secrets have changed meanwhile, or that
   * is gone, nothing. What a manager sees of a credential stays as it is, so revisions do too.
   * @returns how many were put in place
   */
  reseal(rights: Rights, resealed: readonly Resealed[], now: number): number {
    let changed = 0
    for (const { secretId, before, after } of resealed) {
      const result = this.#sql.exec(
        `UPDATE credentials SET sealed_keys = ?, sealed_token = ? WHERE secret_id = ? AND sealed_keys = ? AND sealed_token IS ?`,
        JSON.stringify(after.sealedKeys),
        after.sealedToken ?? null,
        secretId,
        JSON.stringify(before.sealedKeys),
        before.sealedToken ?? null,
      )
      changed += result.rowsWritten > 0 ? 1 : 0
    }
    if (changed > 0) {
      const entry = { at: now, by: rights.by, action: 'credential.reseal', target: 'credentials' }
      this.#audit.add({ ...entry, detail: { resealed: changed } })
    }
    return changed
  }

  /** Takes away the rows of those that have expired. */
  #purge(now: number): void {
    const query = 'DELETE FROM credentials WHERE expires <= ? RETURNING secret_id'
    const rows = this.#sql.exec<{ secret_id: string }>(query, now).toArray()
    if (rows.length === 0) return
    const entry = { at: now, by: BY_TIME, action: 'credential.expire', target: 'credentials' }
    this.#audit.add({ ...entry, detail: { secretIds: rows.map((row) => row.secret_id) } })
  }

  #forChange(
    rights: Rights,
    secretId: string,
    ifRevision: number | undefined,
    now: number,
  ): StoredCredential | Rejection {
    const stored = this.get(secretId, now)
    if (!stored || !covers(rights, stored)) return { reason: 'credential_not_found', secretId }
    if (ifRevision !== undefined && ifRevision !== stored.revision) {
      return { reason: 'precondition_failed', current: stored.revision }
    }
    return stored
  }

  #change(
    { by }: Rights,
    wanted: StoredCredential,
    action: string,
    detail: Record<string, unknown>,
    now: number,
  ): Done<ManagedCredential> {
    const after = { ...wanted, revision: wanted.revision + 1, changed: now }
    this.#write(after)
    this.#audit.add({ at: now, by, action, target: after.secretId, detail })
    return done(managedOf(after, now))
  }

  #write(credential: StoredCredential): void {
    this.#sql.exec(
      `INSERT OR REPLACE INTO credentials (secret_id, name, sealed_keys, sealed_token, scopes, datahubs, disabled, expires, revision,
         created, changed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      credential.secretId,
      credential.name,
      JSON.stringify(credential.sealedKeys),
      credential.sealedToken ?? null,
      JSON.stringify(credential.scopes),
      JSON.stringify(credential.datahubs),
      credential.disabled ? 1 : 0,
      credential.expires ?? null,
      credential.revision,
      credential.created,
      credential.changed,
    )
  }
}

/** Whether this moment is over; absent: never. */
export function isOver(expires: number | undefined, now: number): boolean {
  return expires !== undefined && now >= expires
}

const NEEDS_AN_END: Rejection = {
  reason: 'invalid_value',
  path: 'expires',
  problem: 'a temporary credential has to expire.',
}

type ChangedFields = Partial<
  Pick<StoredCredential, 'name' | 'scopes' | 'datahubs' | 'disabled'> & { expires: number | null }
>

/** Only fields that change. */
function fieldsChanged(stored: StoredCredential, changes: CredentialChanges): ChangedFields {
  const now = { ...stored, expires: stored.expires ?? null }
  const differs = Object.entries(changes).filter(
    ([field, value]) =>
      value !== undefined &&
      JSON.stringify(value) !== JSON.stringify(now[field as keyof CredentialChanges]),
  )
  return Object.fromEntries(differs)
}

function wrongWith(
  rights: Rights,
  wanted: Parameters<typeof covers>[1],
  now: number,
): Rejection | undefined {
  if (!covers(rights, wanted)) {
    const problem = 'A credential may give no scope, no datahub and no time that it has not itself.'
    return { reason: 'forbidden', problem }
  }
  if (isOver(wanted.expires, now)) {
    return { reason: 'invalid_value', path: 'expires', problem: 'it has to be in the future.' }
  }
  return undefined
}

function storedOf(row: CredentialRow): StoredCredential {
  const { name, revision, created, changed } = row
  return {
    ...{ secretId: row.secret_id, name, revision, created, changed },
    sealedKeys: JSON.parse(row.sealed_keys) as SealedKey[],
    ...(row.sealed_token !== null && { sealedToken: row.sealed_token }),
    scopes: JSON.parse(row.scopes) as Scope[],
    datahubs: JSON.parse(row.datahubs) as Credential['datahubs'],
    disabled: row.disabled === 1,
    ...(row.expires !== null && { expires: row.expires }),
  }
}

function managedOf(stored: StoredCredential, now: number): ManagedCredential {
  const { sealedKeys, sealedToken, ...shown } = stored
  const olderSecrets = sealedKeys.flatMap(({ expires }) =>
    expires === undefined || isOver(expires, now) ? [] : [expires],
  )
  return { ...shown, temporary: sealedToken !== undefined, olderSecrets }
}
