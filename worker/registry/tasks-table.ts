/**
 * The registry's tasks, and what relays found of their topics. Each change looks at the task, changes it, counts its revision up and notes
 * it in the audit log; the caller runs it in one transaction. Makes no id and asks nobody.
 */
import { MAX_TASKS, type TargetState } from '#contract'
import { rejected, type Rejection } from '../rejection.ts'
import type { Schema } from '../schema/form.ts'
import type { AuditTable } from './audit-table.ts'
import type { Done, ManagedTask, TargetType, TaskRef } from './control-plane.ts'
import type { Task, TaskStatus } from './directory.ts'
import { done } from './done.ts'
import type { CreateTopic, TaskChanges } from './forms.ts'
import { reaches, type Rights } from './rights.ts'
import { fieldsChanged, type ChangeableTask } from './task-changes.ts'
import {
  foundOf,
  optional,
  SELECT_TASKS,
  storedOf,
  taskOf,
  type FoundTask,
  type StoredTask,
  type TaskRow,
} from './task-rows.ts'
import { afterChange, SPREAD_MS, type StateChange } from './task-status.ts'

/** A task as it is made: its ids drawn, nothing known of its topic. */
export interface DrawnTask {
  datahub: string
  taskId: string
  name: string
  instance: string
  topic: string
  description: string
  qpsLimit: number
  targetType?: TargetType
  schemaId?: string | undefined
  createTopic?: CreateTopic | undefined
}

/** What relays have to look at, and which of it they may create. What is in `create` is in `topics` too. */
export interface WatchedTopics {
  topics: string[]
  create: { topic: string; partitions?: number }[]
}

/** Of a task that was deleted nothing but its row is left: it has no topic and no schema, and its name is free. */
const LIVE = 'tasks.status NOT IN (2, 3)'

const BY_RELAY = 'relay'

/**
 * What only those change who make datahubs. A target may be any topic of the cluster, and whoever has the datahub sends to it and reads it;
 * a limit that its user could raise would be none.
 */
const FOR_MAKERS = ['topic', 'nextTopic', 'createTopic', 'qpsLimit'] as const

export class TasksTable {
  readonly #sql: SqlStorage
  readonly #audit: AuditTable

  constructor(sql: SqlStorage, audit: AuditTable) {
    this.#sql = sql
    this.#audit = audit
  }

  /** For the directory: nothing of one that is deleted. */
  findForUse(datahub: string, now: number): Task | null {
    const found = this.#find({ datahub }, now)
    return found && found.status !== 3 ? taskOf(found.managed) : null
  }

  find(rights: Rights, ref: TaskRef, now: number): Done<ManagedTask> {
    const found = this.#reached(rights, ref, now)
    return found ? done(found.managed) : rejected(notFound(ref))
  }

  /** Oldest first, without deleted ones. */
  list(rights: Rights, now: number): ManagedTask[] {
    // Each condition has its index: those that were ever deleted are many more one day, and must not be gone over.
    const rows = this.#sql.exec<TaskRow>(
      `${SELECT_TASKS} WHERE ${LIVE}
       UNION ALL ${SELECT_TASKS} WHERE tasks.status = 2 AND tasks.status_since > ? ORDER BY created, datahub`,
      now - SPREAD_MS,
    )
    const schemas = new Map<string, Schema>()
    return Array.from(rows, (row) => foundOf(row, now, schemas).managed).filter(({ datahub }) =>
      reaches(rights, datahub),
    )
  }

  /** `id_taken`: draw others. */
  create(rights: Rights, task: DrawnTask, now: number): Done<ManagedTask> | 'id_taken' {
    if (rights.datahubs !== 'all') {
      const problem = 'Only who may manage all datahubs may make one.'
      return rejected({ reason: 'forbidden', problem })
    }
    const { datahub, taskId, schemaId = null, createTopic = null } = task
    const wrong = this.#wrongWith({ name: task.name, schemaId }, datahub)
    if (wrong) return rejected(wrong)
    const { n } = this.#sql
      .exec<{ n: number }>(`SELECT count(*) AS n FROM tasks WHERE ${LIVE}`)
      .one()
    if (n >= MAX_TASKS) {
      return rejected({ reason: 'quota_exceeded', what: 'tasks', limit: MAX_TASKS })
    }
    const inserted = this.#sql.exec(
      `INSERT OR IGNORE INTO tasks (datahub, task_id, name, instance, topic, status, status_since, description, qps_limit, schema_id,
         target_type, create_topic, revision, created, changed) VALUES (?, ?, ?, ?, ?, 0, ?, ?, ?, ?, ?, ?, 1, ?, ?)`,
      datahub,
      taskId,
      task.name,
      task.instance,
      task.topic,
      now,
      task.description,
      task.qpsLimit,
      schemaId,
      task.targetType ?? 'KAFKA',
      createTopic && JSON.stringify(createTopic),
      now,
      now,
    )
    if (inserted.rowsWritten === 0) return 'id_taken'
    const { name, topic, qpsLimit } = task
    const detail = { taskId, name, topic, qpsLimit, ...optional({ schemaId, createTopic }) }
    this.#audit.add({ at: now, by: rights.by, action: 'task.create', target: datahub, detail })
    return this.find(rights, { datahub }, now)
  }

  modify(
    rights: Rights,
    ref: TaskRef,
    changes: TaskChanges,
    ifRevision: number | undefined,
    now: number,
  ): Done<ManagedTask> {
    const found = this.#forChange(rights, ref, ifRevision, now)
    if ('reason' in found) return rejected(found)
    const { stored, status, managed } = found
    if (status === 2) return rejected(conflict(stored, status, 'a change'))
    const fields = fieldsChanged(stored, status, changes)
    if (Object.keys(fields).length === 0) return done(managed)
    if (rights.datahubs !== 'all' && FOR_MAKERS.some((field) => field in fields)) {
      const problem =
        'Only who may manage all datahubs may change where one writes to, and how much it takes.'
      return rejected({ reason: 'forbidden', problem })
    }
    const wrong = this.#wrongWith(fields, stored.datahub)
    if (wrong) return rejected(wrong)
    this.#change(stored, fields, { at: now, by: rights.by, action: 'task.modify', detail: fields })
    return this.find(rights, ref, now)
  }

  changeState(
    rights: Rights,
    ref: TaskRef,
    change: StateChange,
    ifRevision: number | undefined,
    now: number,
  ): Done<ManagedTask> {
    const found = this.#forChange(rights, ref, ifRevision, now)
    if ('reason' in found) return rejected(found)
    const { stored, status, managed } = found
    const next = afterChange(change, status)
    if (next === 'unchanged') return done(managed)
    if (next === 'refused') return rejected(conflict(stored, status, change))
    const fields = {
      status: next,
      ...(next === 2 && { schemaId: null, nextTopic: null, createTopic: null }),
    }
    const detail = { from: status, to: next }
    this.#change(stored, fields, { at: now, by: rights.by, action: `task.${change}`, detail })
    return this.find(rights, ref, now)
  }

  /** Which topic each datahub writes to. */
  topics(): [datahub: string, topic: string][] {
    const rows = this.#sql.exec<{ datahub: string; topic: string }>(
      `SELECT datahub, topic FROM tasks WHERE ${LIVE}`,
    )
    return rows.toArray().map(({ datahub, topic }) => [datahub, topic])
  }

  /**
   * A topic that a running task had already is not created again by itself: that it is gone is for people to see. A restart asks for the
   * topic anew, so from then on it may be created again.
   */
  watched(): WatchedTopics {
    const topics = new Set<string>()
    const create = new Map<string, CreateTopic>()
    const query = `${SELECT_TASKS} WHERE ${LIVE} ORDER BY tasks.created, tasks.datahub`
    for (const row of this.#sql.exec<TaskRow>(query)) {
      const { topic, nextTopic, status, createTopic } = storedOf(row)
      topics.add(topic)
      if (nextTopic !== null) topics.add(nextTopic)
      const awaited = nextTopic ?? (status === 0 || status === -1 ? topic : undefined)
      if (awaited === undefined || !createTopic || create.has(awaited)) continue
      create.set(awaited, createTopic)
    }
    return {
      topics: [...topics],
      create: Array.from(create, ([topic, { partitions }]) => ({
        topic,
        ...(partitions !== undefined && { partitions }),
      })),
    }
  }

  /**
   * What a relay found of target topics. A task that waits for its topic, or failed for it, runs from the moment that it is fit; one that
   * runs goes on, with the problem noted; one that waits for its next topic goes over to it once it is fit.
   */
  applyTargets(states: readonly TargetState[], now: number): void {
    for (const state of states) {
      const isFit = state.status === 'fit'
      this.#sql.exec(
        'INSERT OR REPLACE INTO targets (topic, problem, partitions, max_message_bytes) VALUES (?, ?, ?, ?)',
        state.topic,
        isFit ? null : state.reason,
        isFit ? state.partitions : null,
        isFit ? (state.maxMessageBytes ?? null) : null,
      )
      const { topic } = state
      const concerned = isFit
        ? `${LIVE} AND (tasks.next_topic = ?1 OR tasks.topic = ?1 AND tasks.status IN (-1, 0))`
        : 'tasks.topic = ?1 AND tasks.status = 0'
      const rows = this.#sql.exec<TaskRow>(`${SELECT_TASKS} WHERE ${concerned}`, topic).toArray()
      for (const stored of rows.map(storedOf)) {
        const entry = { at: now, by: BY_RELAY }
        const starts = stored.status === 0 || stored.status === -1
        if (!isFit) {
          const detail = { topic, problem: state.reason }
          this.#change(stored, { status: -1 }, { ...entry, action: 'task.fail', detail })
        } else if (stored.nextTopic === topic) {
          const fields = { topic, nextTopic: null, ...(starts && { status: 1 as const }) }
          const detail = { from: stored.topic, to: topic, ...(starts && { status: 1 }) }
          this.#change(stored, fields, { ...entry, action: 'task.retarget', detail })
        } else {
          this.#change(stored, { status: 1 }, { ...entry, action: 'task.run', detail: { topic } })
        }
      }
    }
  }

  /** The live datahubs that each schema is bound to. */
  boundTo(schemaId: string): string[] {
    const query = `SELECT datahub FROM tasks WHERE schema_id = ? AND ${LIVE} ORDER BY created, datahub`
    const rows = this.#sql.exec<{ datahub: string }>(query, schemaId)
    return rows.toArray().map(({ datahub }) => datahub)
  }

  #find(ref: TaskRef, now: number): FoundTask | undefined {
    const [column, id] = 'taskId' in ref ? ['task_id', ref.taskId] : ['datahub', ref.datahub]
    const [row] = this.#sql.exec<TaskRow>(`${SELECT_TASKS} WHERE tasks.${column} = ?`, id)
    return row && foundOf(row, now)
  }

  #reached(rights: Rights, ref: TaskRef, now: number): FoundTask | undefined {
    const found = this.#find(ref, now)
    return found && reaches(rights, found.stored.datahub) ? found : undefined
  }

  #forChange(
    rights: Rights,
    ref: TaskRef,
    ifRevision: number | undefined,
    now: number,
  ): FoundTask | Rejection {
    const found = this.#reached(rights, ref, now)
    if (!found || found.status === 3) return notFound(ref)
    const current = found.stored.revision
    if (ifRevision !== undefined && ifRevision !== current) {
      return { reason: 'precondition_failed', current }
    }
    return found
  }

  #wrongWith(
    { name, schemaId = null }: Partial<ChangeableTask>,
    datahub: string,
  ): Rejection | undefined {
    if (name !== undefined) {
      const query = `SELECT 1 FROM tasks WHERE name = ? AND datahub <> ? AND ${LIVE}`
      const isTaken = this.#sql.exec(query, name, datahub).next().done !== true
      if (isTaken) return { reason: 'name_taken', path: 'name', name }
    }
    if (schemaId !== null) {
      const known = this.#sql.exec('SELECT 1 FROM schemas WHERE schema_id = ?', schemaId)
      if (known.next().done === true) return { reason: 'schema_not_found', schemaId }
    }
    return undefined
  }

  #change(
    before: StoredTask,
    fields: Partial<ChangeableTask>,
    entry: { at: number; by: string; action: string; detail: Record<string, unknown> },
  ): void {
    const after = { ...before, ...fields }
    this.#sql.exec(
      `UPDATE tasks SET name = ?, topic = ?, status = ?, status_since = ?, description = ?, qps_limit = ?, schema_id = ?, next_topic = ?,
         create_topic = ?, revision = revision + 1, changed = ? WHERE datahub = ?`,
      after.name,
      after.topic,
      after.status,
      // Renaming must not start the clock of a pause again.
      after.status === before.status ? before.statusSince : entry.at,
      after.description,
      after.qpsLimit,
      after.schemaId,
      after.nextTopic,
      after.createTopic && JSON.stringify(after.createTopic),
      entry.at,
      before.datahub,
    )
    this.#audit.add({ ...entry, target: before.datahub })
  }
}

function notFound(ref: TaskRef): Rejection {
  return 'taskId' in ref
    ? { reason: 'task_not_found', taskId: ref.taskId }
    : { reason: 'datahub_not_found', datahub: ref.datahub }
}

function conflict({ datahub }: StoredTask, status: TaskStatus, change: string): Rejection {
  return { reason: 'task_state_conflict', datahub, status, change }
}
