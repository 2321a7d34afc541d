/**
 * The registry object: tasks, credentials, schemas and the audit log of one deployment, in SQLite. Its methods are called over RPC, so they
 * take and give plain serialisable values. Each is one transaction, so changes come one after another and are made whole, with their entry
 * in the audit log, or not at all. `by` is `admin` or a SecretId; what that one may do is looked up here, at the moment of the change. Times
 * are this object's clock, the only one, so that states do not depend on which edge asks. Makes no id and sees no plain secret.
 */
import { DurableObject } from 'cloudflare:workers'
import type { TargetState } from '#contract'
import { log } from '../log.ts'
import { rejected, type Rejected } from '../rejection.ts'
import { AuditTable, type StoredAuditEntry } from './audit-table.ts'
import type {
  AuditQuery,
  Done,
  ManagedCredential,
  ManagedSchema,
  ManagedTask,
  TaskRef,
} from './control-plane.ts'
import {
  CredentialsTable,
  type DrawnCredential,
  type Resealed,
  type StoredCredential,
} from './credentials-table.ts'
import type { Task } from './directory.ts'
import { done } from './done.ts'
import type { CredentialChanges, NewSchema, SchemaChanges, TaskChanges } from './forms.ts'
import type { Rights } from './rights.ts'
import { SchemasTable } from './schemas-table.ts'
import { prepareTables } from './tables.ts'
import type { StateChange } from './task-status.ts'
import { TasksTable, type DrawnTask, type WatchedTopics } from './tasks-table.ts'

/** There is one registry a deployment. */
export const REGISTRY_NAME = 'registry'

type Revision = number | undefined

export class Registry extends DurableObject<Env> {
  readonly #audit: AuditTable
  readonly #tasks: TasksTable
  readonly #credentials: CredentialsTable
  readonly #schemas: SchemasTable
  /** By the transaction that runs, or ran last. */
  #noted: StoredAuditEntry[] = []

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env)
    const { sql } = ctx.storage
    prepareTables(sql, (run) => ctx.storage.transactionSync(run))
    this.#audit = new AuditTable(sql, (entry) => this.#noted.push(entry))
    this.#tasks = new TasksTable(sql, this.#audit)
    this.#credentials = new CredentialsTable(sql, this.#audit)
    this.#schemas = new SchemasTable(sql, this.#audit, (id) => this.#tasks.boundTo(id))
  }

  /** With its schema; null also for one that is deleted. */
  findTask(datahub: string): Task | null {
    return this.#tasks.findForUse(datahub, Date.now())
  }

  /** Which topic each datahub writes to. */
  taskTopics(): [datahub: string, topic: string][] {
    return this.#tasks.topics()
  }

  /** null also for one that has expired. */
  findCredential(secretId: string): StoredCredential | null {
    return this.#credentials.get(secretId, Date.now())
  }

  /** Every topic that a task writes to or will write to, once; and which of them may be created. */
  targetTopics(): WatchedTopics {
    return this.#tasks.watched()
  }

  applyTargets(states: readonly TargetState[]): void {
    this.#transaction(() => this.#tasks.applyTargets(states, Date.now()))
  }

  createTask(by: string, task: DrawnTask): Done<ManagedTask> | 'id_taken' {
    return this.#as(by, (rights, now) => this.#tasks.create(rights, task, now))
  }

  readTask(by: string, ref: TaskRef): Done<ManagedTask> {
    return this.#as(by, (rights, now) => this.#tasks.find(rights, ref, now))
  }

  listTasks(by: string): Done<ManagedTask[]> {
    return this.#as(by, (rights, now) => done(this.#tasks.list(rights, now)))
  }

  modifyTask(
    by: string,
    ref: TaskRef,
    changes: TaskChanges,
    ifRevision: Revision,
  ): Done<ManagedTask> {
    return this.#as(by, (rights, now) => this.#tasks.modify(rights, ref, changes, ifRevision, now))
  }

  changeTaskState(
    by: string,
    ref: TaskRef,
    change: StateChange,
    ifRevision: Revision,
  ): Done<ManagedTask> {
    return this.#as(by, (rights, now) =>
      this.#tasks.changeState(rights, ref, change, ifRevision, now),
    )
  }

  createCredential(by: string, drawn: DrawnCredential): Done<ManagedCredential> {
    return this.#as(by, (rights, now) => this.#credentials.create(rights, drawn, now))
  }

  readCredential(by: string, secretId: string): Done<ManagedCredential> {
    return this.#as(by, (rights, now) => this.#credentials.find(rights, secretId, now))
  }

  listCredentials(by: string): Done<ManagedCredential[]> {
    return this.#as(by, (rights, now) => done(this.#credentials.list(rights, now)))
  }

  modifyCredential(
    by: string,
    id: string,
    changes: CredentialChanges,
    ifRevision: Revision,
  ): Done<ManagedCredential> {
    return this.#as(by, (rights, now) =>
      this.#credentials.modify(rights, id, changes, ifRevision, now),
    )
  }

  rotateCredential(
    by: string,
    id: string,
    rotation: { sealedKey: string; keepMs: number },
    ifRevision: Revision,
  ): Done<ManagedCredential> {
    return this.#as(by, (rights, now) =>
      this.#credentials.rotate(rights, id, rotation, ifRevision, now),
    )
  }

  deleteCredential(by: string, secretId: string, ifRevision: Revision): Done<ManagedCredential> {
    return this.#as(by, (rights, now) =>
      this.#credentials.delete(rights, secretId, ifRevision, now),
    )
  }

  /** All of them, with what is sealed. */
  sealedCredentials(by: string): Done<StoredCredential[]> {
    return this.#asAdmin(by, (_, now) => this.#credentials.all(now))
  }

  /** How many were put in place; of a credential that was changed meanwhile, nothing. */
  resealCredentials(by: string, resealed: readonly Resealed[]): Done<number> {
    return this.#asAdmin(by, (rights, now) => this.#credentials.reseal(rights, resealed, now))
  }

  createSchema(
    by: string,
    schema: NewSchema & { schemaId: string },
  ): Done<ManagedSchema> | 'id_taken' {
    return this.#as(by, (rights, now) => this.#schemas.create(rights, schema, now))
  }

  readSchema(by: string, schemaId: string): Done<ManagedSchema> {
    return this.#as(by, (rights) => this.#schemas.find(rights, schemaId))
  }

  listSchemas(by: string): Done<ManagedSchema[]> {
    return this.#as(by, (rights) => done(this.#schemas.list(rights)))
  }

  modifySchema(
    by: string,
    id: string,
    changes: SchemaChanges,
    ifRevision: Revision,
  ): Done<ManagedSchema> {
    return this.#as(by, (rights, now) => this.#schemas.modify(rights, id, changes, ifRevision, now))
  }

  deleteSchema(by: string, schemaId: string, ifRevision: Revision): Done<ManagedSchema> {
    return this.#as(by, (rights, now) => this.#schemas.delete(rights, schemaId, ifRevision, now))
  }

  /** Newest first. */
  auditLog(by: string, query: AuditQuery): Done<StoredAuditEntry[]> {
    return this.#asAdmin(by, () => this.#audit.list(query))
  }

  #as<T>(by: string, run: (rights: Rights, now: number) => T): T | Rejected {
    return this.#transaction(() => {
      const now = Date.now()
      const rights = this.#credentials.rightsOf(by, now)
      return 'reason' in rights ? rejected(rights) : run(rights, now)
    })
  }

  /**
   * What is noted in the audit log becomes lines of the worker's log once the transaction is made, and none where it throws. The table ends
   * somewhere, the log goes where it is shipped to.
   */
  #transaction<T>(run: () => T): T {
    this.#noted = []
    const result = this.ctx.storage.transactionSync(run)
    for (const entry of this.#noted) log({ level: 'info', message: 'Changed.', ...entry })
    return result
  }

  #asAdmin<T>(by: string, run: (rights: Rights, now: number) => T): Done<T> {
    return this.#as(by, (rights, now) =>
      rights.scopes === 'all'
        ? done(run(rights, now))
        : rejected({ reason: 'forbidden', problem: 'This is for the admin alone.' }),
    )
  }
}
