/**
 * The registry object: tasks and credentials of one deployment, in SQLite. Stores and finds; makes no id and sees no plain secret. Its
 * methods are called over RPC, so they take and give plain serialisable values.
 */
import { DurableObject } from 'cloudflare:workers'
import type { Scope, Task, TaskStatus } from './directory.ts'

export interface StoredTask extends Task {
  /** Unix ms. */
  created: number
}

export interface StoredCredential {
  secretId: string
  /** Sealed secrets, newest first. */
  sealedKeys: string[]
  scopes: Scope[]
  datahubs: 'all' | string[]
  disabled: boolean
  /** Unix ms. */
  created: number
}

/** There is one registry a deployment. */
export const REGISTRY_NAME = 'registry'

type TaskRow = Record<'datahub' | 'task_id' | 'name' | 'instance' | 'topic', string> &
  Record<'status' | 'created', number>
type CredentialRow = Record<'secret_id' | 'sealed_keys' | 'scopes' | 'datahubs', string> &
  Record<'disabled' | 'created', number>

export class Registry extends DurableObject<Env> {
  readonly #sql: SqlStorage

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env)
    this.#sql = ctx.storage.sql
    this.#sql.exec(`
      CREATE TABLE IF NOT EXISTS tasks (
        datahub TEXT PRIMARY KEY, task_id TEXT NOT NULL UNIQUE, name TEXT NOT NULL UNIQUE, instance TEXT NOT NULL,
        topic TEXT NOT NULL, status INTEGER NOT NULL, created INTEGER NOT NULL
      ) WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS credentials (
        secret_id TEXT PRIMARY KEY, sealed_keys TEXT NOT NULL, scopes TEXT NOT NULL, datahubs TEXT NOT NULL,
        disabled INTEGER NOT NULL, created INTEGER NOT NULL
      ) WITHOUT ROWID;
    `)
  }

  /** `id_taken`: draw another one. */
  addTask(task: StoredTask): 'added' | 'name_taken' | 'id_taken' {
    const named = this.#sql.exec('SELECT 1 FROM tasks WHERE name = ?', task.name)
    if (named.next().done !== true) return 'name_taken'
    const inserted = this.#sql.exec(
      'INSERT OR IGNORE INTO tasks (datahub, task_id, name, instance, topic, status, created) VALUES (?, ?, ?, ?, ?, ?, ?)',
      task.datahub,
      task.taskId,
      task.name,
      task.instance,
      task.topic,
      task.status,
      task.created,
    )
    return inserted.rowsWritten > 0 ? 'added' : 'id_taken'
  }

  findTask(datahub: string): StoredTask | null {
    const [row] = this.#sql.exec<TaskRow>('SELECT * FROM tasks WHERE datahub = ?', datahub)
    return row ? taskOf(row) : null
  }

  /** Oldest first. */
  listTasks(): StoredTask[] {
    return this.#sql
      .exec<TaskRow>('SELECT * FROM tasks ORDER BY created, datahub')
      .toArray()
      .map(taskOf)
  }

  addCredential(credential: StoredCredential): void {
    this.#sql.exec(
      'INSERT INTO credentials (secret_id, sealed_keys, scopes, datahubs, disabled, created) VALUES (?, ?, ?, ?, ?, ?)',
      credential.secretId,
      JSON.stringify(credential.sealedKeys),
      JSON.stringify(credential.scopes),
      JSON.stringify(credential.datahubs),
      credential.disabled ? 1 : 0,
      credential.created,
    )
  }

  findCredential(secretId: string): StoredCredential | null {
    const query = 'SELECT * FROM credentials WHERE secret_id = ?'
    const [row] = this.#sql.exec<CredentialRow>(query, secretId)
    return row ? credentialOf(row) : null
  }

  /** Oldest first. */
  listCredentials(): StoredCredential[] {
    const query = 'SELECT * FROM credentials ORDER BY created, secret_id'
    return this.#sql.exec<CredentialRow>(query).toArray().map(credentialOf)
  }
}

function taskOf(row: TaskRow): StoredTask {
  const { task_id: taskId, status, ...rest } = row
  return { ...rest, taskId, status: status as TaskStatus }
}

function credentialOf(row: CredentialRow): StoredCredential {
  return {
    secretId: row.secret_id,
    sealedKeys: JSON.parse(row.sealed_keys) as string[],
    scopes: JSON.parse(row.scopes) as Scope[],
    datahubs: JSON.parse(row.datahubs) as 'all' | string[],
    disabled: row.disabled === 1,
    created: row.created,
  }
}
