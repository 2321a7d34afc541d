/**
 * The control plane: what is done with tasks, credentials and schemas, and who may. REST, Tencent's actions and the console are skins over
 * it. Input is checked by its forms at the boundary; here ids are drawn and secrets sealed. The registry object looks up what the manager may
 * at that moment, makes each change whole or not at all, one after another, and notes it in the audit log. A wish for what is so already is
 * done, and changes nothing: no revision, no entry.
 */
import type { Rejected } from '../rejection.ts'
import type { Schema } from '../schema/form.ts'
import type { Credential, Scope, Task } from './directory.ts'
import type {
  CreateTopic,
  CredentialChanges,
  NewCredential,
  NewSchema,
  NewTask,
  Rotation,
  SchemaChanges,
  TaskChanges,
} from './forms.ts'

/** Who asks: the admin, or a credential with the scope `manage`. */
export type Manager = Credential | 'admin'

export type Done<T> = { status: 'done'; value: T } | Rejected

/** What every managed thing carries. */
interface Managed {
  /** Counts its changes; what an ETag is made of. */
  revision: number
  /** Unix ms. */
  created: number
  changed: number
}

/** Which of Tencent's two kinds of target its maker named its topic as; both are a topic of the instance. */
export type TargetType = 'KAFKA' | 'TOPIC'

export interface ManagedTask extends Task, Managed {
  targetType: TargetType
  description: string
  /** Where its reports will go once a relay has found it fit, and what is wrong with it so far. */
  nextTopic?: string
  nextProblem?: Task['problem']
  createTopic?: CreateTopic
}

/** Without secrets, not even sealed ones. */
export interface ManagedCredential extends Managed {
  secretId: string
  name: string
  scopes: readonly Scope[]
  datahubs: Credential['datahubs']
  disabled: boolean
  /** Unix ms. */
  expires?: number
  /** Whether calls need its session token. */
  temporary: boolean
  /** Until when each older secret is good too, Unix ms; newest first. */
  olderSecrets: readonly number[]
}

/** Shown this once. */
export interface CredentialSecrets {
  secretKey: string
  sessionToken?: string
}

export interface ManagedSchema extends Schema, Managed {
  /** The datahubs that it is bound to. */
  datahubs: readonly string[]
}

export interface AuditEntry {
  /** Ascending, without gaps. */
  id: number
  /** Unix ms. */
  at: number
  /** `admin`, a SecretId, `relay` for what one found, or `edgehub` for what has expired. */
  by: string
  /** Such as `task.pause`, `credential.rotate`, `schema.create`. */
  action: string
  /** The id of what was changed. */
  target: string
  /** What changed, without secrets: JSON. */
  detail: Record<string, unknown>
}

/** How a task is named: REST by its datahub, Tencent by its TaskId. */
export type TaskRef = { datahub: string } | { taskId: string }

/** `ifRevision`: refuse (`precondition_failed`) when it has another one. */
interface Guarded {
  ifRevision?: number | undefined
}

/**
 * A datahub, credential or schema that the manager may not know of is answered like one that does not exist. A credential that was a manager
 * when it was looked up, but was deleted or disabled or has expired since, gets `unauthenticated`. All of them
 * @throws UnavailableError when the registry can not be reached; whether a change was made is then not known.
 */
export interface TaskControl {
  /** Its status is 0 until a relay has looked at its topic; then 1, or -1 with the problem. Needs all datahubs. */
  create: (by: Manager, input: NewTask & { targetType?: TargetType }) => Promise<Done<ManagedTask>>
  /** Deleted ones too, with status 3. */
  find: (by: Manager, ref: TaskRef) => Promise<Done<ManagedTask>>
  /** Oldest first, without deleted ones. */
  list: (by: Manager) => Promise<Done<ManagedTask[]>>
  modify: (
    by: Manager,
    ref: TaskRef,
    changes: TaskChanges,
    guard?: Guarded,
  ) => Promise<Done<ManagedTask>>
  /** Running → pausing; done when it is pausing or paused already. Refused in the states -1, 0, 2, 3. */
  pause: (by: Manager, ref: TaskRef, guard?: Guarded) => Promise<Done<ManagedTask>>
  /** Paused → resuming; done when it is resuming or running already. Refused in the states -1, 0, 2, 3. */
  resume: (by: Manager, ref: TaskRef, guard?: Guarded) => Promise<Done<ManagedTask>>
  /** From any state but 2 and 3 back through 0: a relay looks at the topic anew. */
  restart: (by: Manager, ref: TaskRef, guard?: Guarded) => Promise<Done<ManagedTask>>
  /** For good; its ids are never used again, its name may be. What was accepted is still delivered. */
  delete: (by: Manager, ref: TaskRef, guard?: Guarded) => Promise<Done<ManagedTask>>
}

/** A credential with `manage` gives no more than it has, and sees those that have no more. */
export interface CredentialControl {
  create: (
    by: Manager,
    input: NewCredential,
  ) => Promise<Done<{ credential: ManagedCredential; secrets: CredentialSecrets }>>
  find: (by: Manager, secretId: string) => Promise<Done<ManagedCredential>>
  list: (by: Manager) => Promise<Done<ManagedCredential[]>>
  modify: (
    by: Manager,
    secretId: string,
    changes: CredentialChanges,
    guard?: Guarded,
  ) => Promise<Done<ManagedCredential>>
  /** A new secret; the newest of before stays good for a while, older ones end now. So at most two are live. */
  rotate: (
    by: Manager,
    secretId: string,
    rotation: Rotation,
    guard?: Guarded,
  ) => Promise<Done<{ credential: ManagedCredential; secrets: CredentialSecrets }>>
  delete: (by: Manager, secretId: string, guard?: Guarded) => Promise<Done<ManagedCredential>>
  /** Seals all secrets under the current MASTER_KEY that are sealed under the one of before. Admin only. */
  reseal: (by: Manager) => Promise<Done<{ resealed: number; total: number }>>
}

/** Schemas belong to all managers; one that is bound is changed only by who may manage all datahubs that it is bound to. */
export interface SchemaControl {
  create: (by: Manager, input: NewSchema) => Promise<Done<ManagedSchema>>
  find: (by: Manager, schemaId: string) => Promise<Done<ManagedSchema>>
  list: (by: Manager) => Promise<Done<ManagedSchema[]>>
  modify: (
    by: Manager,
    schemaId: string,
    changes: SchemaChanges,
    guard?: Guarded,
  ) => Promise<Done<ManagedSchema>>
  /** Refused while it is bound. */
  delete: (by: Manager, schemaId: string, guard?: Guarded) => Promise<Done<ManagedSchema>>
}

export interface AuditQuery {
  /** Entries before this id; absent: the newest. */
  before?: number | undefined
  limit: number
  target?: string | undefined
}

export interface Control {
  tasks: TaskControl
  credentials: CredentialControl
  schemas: SchemaControl
  /** Newest first. Admin only; others get `forbidden`. */
  auditLog: (by: Manager, query: AuditQuery) => Promise<Done<AuditEntry[]>>
}
