/**
 * The registry's tables, and how those of an earlier layout become them. Runs before anything else touches the storage, in one transaction:
 * a registry has one layout or the other, never half of each. Deletes nothing that was stored.
 */
import { DEFAULT_QPS_LIMIT } from './forms.ts'

/** 1: tasks and credentials without revisions. 2: as below. */
const LAYOUT = 2

/** A deleted task stays as a row, so that its ids are never used again; its name is free. */
const TABLES = `
  CREATE TABLE tasks (
    datahub TEXT PRIMARY KEY, task_id TEXT NOT NULL UNIQUE, name TEXT NOT NULL, instance TEXT NOT NULL, topic TEXT NOT NULL,
    status INTEGER NOT NULL, status_since INTEGER NOT NULL, description TEXT NOT NULL, qps_limit INTEGER NOT NULL, schema_id TEXT,
    target_type TEXT NOT NULL, next_topic TEXT, create_topic TEXT, revision INTEGER NOT NULL, created INTEGER NOT NULL, changed INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE UNIQUE INDEX task_names ON tasks (name) WHERE status NOT IN (2, 3);
  CREATE INDEX task_deletions ON tasks (status_since) WHERE status = 2;
  CREATE INDEX task_schemas ON tasks (schema_id) WHERE schema_id IS NOT NULL;
  CREATE TABLE IF NOT EXISTS targets (
    topic TEXT PRIMARY KEY, problem TEXT, partitions INTEGER, max_message_bytes INTEGER
  ) WITHOUT ROWID;
  CREATE TABLE credentials (
    secret_id TEXT PRIMARY KEY, name TEXT NOT NULL, sealed_keys TEXT NOT NULL, sealed_token TEXT, scopes TEXT NOT NULL,
    datahubs TEXT NOT NULL, disabled INTEGER NOT NULL, expires INTEGER, revision INTEGER NOT NULL, created INTEGER NOT NULL,
    changed INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE TABLE schemas (
    schema_id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, fields TEXT NOT NULL, revision INTEGER NOT NULL, created INTEGER NOT NULL,
    changed INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE TABLE audit_log (
    id INTEGER PRIMARY KEY, at INTEGER NOT NULL, by_whom TEXT NOT NULL, action TEXT NOT NULL, target TEXT NOT NULL, detail TEXT NOT NULL
  );
`

export function prepareTables(sql: SqlStorage, transactionSync: (run: () => void) => void): void {
  transactionSync(() => {
    sql.exec('CREATE TABLE IF NOT EXISTS layout (version INTEGER NOT NULL)')
    const [known] = sql.exec<{ version: number }>('SELECT version FROM layout')
    if (known) return
    const hasOld = sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'tasks'").next().done !== true
    if (hasOld) {
      sql.exec(
        'ALTER TABLE tasks RENAME TO tasks_1; ALTER TABLE credentials RENAME TO credentials_1',
      )
    }
    sql.exec(TABLES)
    if (hasOld) takeOver(sql)
    sql.exec('INSERT INTO layout (version) VALUES (?)', LAYOUT)
  })
}

/** A sealed key was a bare text; now it can have an end as well. */
function takeOver(sql: SqlStorage): void {
  sql.exec(
    `INSERT INTO tasks (datahub, task_id, name, instance, topic, status, status_since, description, qps_limit, target_type, revision,
       created, changed)
     SELECT datahub, task_id, name, instance, topic, status, created, '', ?, 'KAFKA', 1, created, created FROM tasks_1`,
    DEFAULT_QPS_LIMIT,
  )
  sql.exec(
    `INSERT INTO credentials (secret_id, name, sealed_keys, scopes, datahubs, disabled, revision, created, changed)
     SELECT secret_id, '', (SELECT json_group_array(json_object('sealed', value)) FROM json_each(sealed_keys)), scopes, datahubs, disabled,
       1, created, created FROM credentials_1`,
  )
  sql.exec('DROP TABLE tasks_1; DROP TABLE credentials_1')
}
