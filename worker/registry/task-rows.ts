/**
 * A row of the registry's tasks, with what belongs to it of other tables, and what the control plane and the edges see of it. Pure.
 */
import type { TargetProblem } from '#contract'
import type { Schema, SchemaField } from '../schema/form.ts'
import type { ManagedTask, TargetType } from './control-plane.ts'
import type { Task, TaskStatus } from './directory.ts'
import type { CreateTopic } from './forms.ts'
import type { ChangeableTask } from './task-changes.ts'
import { statusAt } from './task-status.ts'

export interface StoredTask extends ChangeableTask {
  datahub: string
  taskId: string
  instance: string
  targetType: TargetType
  /** Unix ms. */
  statusSince: number
  revision: number
  created: number
  changed: number
}

export interface FoundTask {
  stored: StoredTask
  /** What the stored status is now. */
  status: TaskStatus
  managed: ManagedTask
}

export type TaskRow = Record<
  'datahub' | 'task_id' | 'name' | 'instance' | 'topic' | 'description' | 'target_type',
  string
> &
  Record<'status' | 'status_since' | 'qps_limit' | 'revision' | 'created' | 'changed', number> &
  Record<'partitions' | 'max_message_bytes', number | null> &
  Record<
    | 'schema_id'
    | 'next_topic'
    | 'create_topic'
    | 'problem'
    | 'next_problem'
    | 'schema_name'
    | 'schema_fields',
    string | null
  >

export const SELECT_TASKS = `
  SELECT tasks.*, own.problem, own.partitions, own.max_message_bytes, next.problem AS next_problem,
    schemas.name AS schema_name, schemas.fields AS schema_fields
  FROM tasks
    LEFT JOIN targets AS own ON own.topic = tasks.topic
    LEFT JOIN targets AS next ON next.topic = tasks.next_topic
    LEFT JOIN schemas ON schemas.schema_id = tasks.schema_id`

export function storedOf(row: TaskRow): StoredTask {
  const { datahub, name, instance, topic, description, revision, created, changed } = row
  return {
    ...{ datahub, name, instance, topic, description, revision, created, changed },
    taskId: row.task_id,
    targetType: row.target_type as TargetType,
    status: row.status as TaskStatus,
    statusSince: row.status_since,
    qpsLimit: row.qps_limit,
    schemaId: row.schema_id,
    nextTopic: row.next_topic,
    createTopic: row.create_topic === null ? null : (JSON.parse(row.create_topic) as CreateTopic),
  }
}

/** @param schemas those of the rows before: one that many tasks have is kept, and sent, once */
export function foundOf(
  row: TaskRow,
  now: number,
  schemas: Map<string, Schema> = new Map(),
): FoundTask {
  const stored = storedOf(row)
  const { statusSince, schemaId: _schema, nextTopic, createTopic, ...plain } = stored
  const status = statusAt(stored.status, statusSince, now)
  const schema = schemaOf(row, schemas)
  const managed: ManagedTask = {
    ...plain,
    status,
    ...(schema && { schema }),
    ...optional({
      problem: row.problem as TargetProblem | null,
      partitions: row.partitions,
      maxMessageBytes: row.max_message_bytes,
      nextTopic,
      nextProblem: row.next_problem as TargetProblem | null,
      createTopic,
    }),
  }
  return { stored, status, managed }
}

function schemaOf(row: TaskRow, schemas: Map<string, Schema>): Schema | undefined {
  const { schema_id: schemaId, schema_name: name, schema_fields: fields } = row
  if (schemaId === null || name === null || fields === null) return undefined
  const known = schemas.get(schemaId)
  const schema = known ?? { schemaId, name, fields: JSON.parse(fields) as SchemaField[] }
  schemas.set(schemaId, schema)
  return schema
}

/** Without what the control plane alone needs: an edge keeps thousands of them. */
export function taskOf(managed: ManagedTask): Task {
  const { datahub, taskId, name, instance, topic, status, qpsLimit } = managed
  const { schema = null, problem = null, partitions = null, maxMessageBytes = null } = managed
  return {
    ...{ datahub, taskId, name, instance, topic, status, qpsLimit },
    ...optional({ schema, problem, partitions, maxMessageBytes }),
  }
}

type Present<T> = { [K in keyof T]?: Exclude<T[K], null> }

/** What SQL says by NULL, a member says by being absent. */
export function optional<T extends object>(fields: T): Present<T> {
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== null),
  ) as Present<T>
}
