/**
 * The registry object: tasks and credentials of one deployment, in SQLite. Stores and finds; makes no id and sees no plain secret. Its
 * methods are called over RPC, so they take and give plain serialisable values.
 */
import { DurableObject } from 'cloudflare:workers'
import { MAX_TASKS, type TargetProblem, type TargetState } from '#contract'
import type { Scope, Task, TaskStatus } from './directory.ts'

export interface StoredTask extends Task {
  /** Unix ms. */
  created: number
}

/** What is known of its topic is not the task's own. */
export type NewStoredTask = Omit<StoredTask, 'problem' | 'partitions' | 'maxMessageBytes'>

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
  Record<'status' | 'created', number> &
  Record<'partitions' | 'max_message_bytes', number | null> & { problem: string | null }
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
      CREATE TABLE IF NOT EXISTS targets (
        topic TEXT PRIMARY KEY, problem TEXT, partitions INTEGER, max_message_bytes INTEGER
      ) WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS credentials (
        secret_id TEXT PRIMARY KEY, sealed_keys TEXT NOT NULL, scopes TEXT NOT NULL, datahubs TEXT NOT NULL,
        disabled INTEGER NOT NULL, created INTEGER NOT NULL
      ) WITHOUT ROWID;
    `)
  }

  /** `id_taken`: draw another one. `too_many`: there are MAX_TASKS. */
  addTask(task: NewStoredTask): 'added' | 'name_taken' | 'id_taken' | 'too_many' {
    const named = this.#sql.exec('SELECT 1 FROM tasks WHERE name = ?', task.name)
    if (named.next().done !== true) return 'name_taken'
    const { n } = this.#sql.exec<{ n: number }>('SELECT count(*) AS n FROM tasks').one()
    if (n >= MAX_TASKS) return 'too_many'
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
    const [row] = this.#sql.exec<TaskRow>(`${SELECT_TASKS} WHERE datahub = ?`, datahub)
    return row ? taskOf(row) : null
  }

  /** Oldest first. */
  listTasks(): StoredTask[] {
    return this.#sql
      .exec<TaskRow>(`${SELECT_TASKS} ORDER BY created, datahub`)
      .toArray()
      .map(taskOf)
  }

  /** Which topic each datahub writes to. */
  taskTopics(): [datahub: string, topic: string][] {
    const rows = this.#sql.exec<TaskRow>('SELECT datahub, topic FROM tasks WHERE status <> 3')
    return rows.toArray().map(({ datahub, topic }) => [datahub, topic])
  }

  /** Every topic that a task writes to, once. */
  targetTopics(): string[] {
    return [...new Set(this.taskTopics().map(([, topic]) => topic))]
  }

  /**
   * What a relay found of target topics. A task that waits for its topic, or failed for it, runs from the moment that it is fit; one that
   * runs goes on, with the problem noted.
   */
  applyTargets(states: readonly TargetState[]): void {
    this.ctx.storage.transactionSync(() => {
      for (const state of states) {
        const isFit = state.status === 'fit'
        this.#sql.exec(
          'INSERT OR REPLACE INTO targets (topic, problem, partitions, max_message_bytes) VALUES (?, ?, ?, ?)',
          state.topic,
          isFit ? null : state.reason,
          isFit ? state.partitions : null,
          isFit ? (state.maxMessageBytes ?? null) : null,
        )
        const change = isFit
          ? 'UPDATE tasks SET status = 1 WHERE topic = ? AND status IN (-1, 0)'
          : 'UPDATE tasks SET status = -1 WHERE topic = ? AND status = 0'
        this.#sql.exec(change, state.topic)
      }
    })
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

const SELECT_TASKS = 'SELECT * FROM tasks LEFT JOIN targets USING (topic)'

function taskOf(row: TaskRow): StoredTask {
  const { task_id: taskId, status, problem, partitions, max_message_bytes, ...rest } = row
  return {
    ...rest,
    taskId,
    status: status as TaskStatus,
    ...(problem !== null && { problem: problem as TargetProblem }),
    ...(partitions !== null && { partitions }),
    ...(max_message_bytes !== null && { maxMessageBytes: max_message_bytes }),
  }
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
