/**
 * What the data plane knows of tasks and credentials. The directory answers from an isolate cache over the registry object: an entry is
 * fresh for 5 s, refreshed in the background after that, and never served when older than 15 s; a task that takes no reports is fresh for
 * 1 s, and not served when older.
 */
import type { DatahubId, InstanceId, TargetProblem, TopicName } from '#contract'
import type { Schema } from '../schema/form.ts'

export const SCOPES = ['send', 'query', 'manage'] as const
export type Scope = (typeof SCOPES)[number]

export interface Credential {
  secretId: string
  /** Live secrets, plain; more than one only while a secret is being rotated. Never logged. */
  secretKeys: readonly string[]
  scopes: readonly Scope[]
  datahubs: 'all' | readonly DatahubId[]
  /** Of a temporary credential: what the caller must send besides its signature. Never logged. */
  sessionToken?: string
}

/**
 * Tencent's task states: -1 create failed, 0 creating, 1 running, 2 deleting, 3 deleted, 4 delete failed, 5 pausing, 6 paused, 7 pause
 * failed, 8 resuming, 9 resume failed. 4, 7 and 9 do not occur here: a change is stored or refused.
 */
export type TaskStatus = -1 | 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9

/** A word for each status, as REST has it. */
export const STATES: Readonly<Record<TaskStatus, string>> = {
  [-1]: 'failed',
  0: 'creating',
  1: 'running',
  2: 'deleting',
  3: 'deleted',
  4: 'delete_failed',
  5: 'pausing',
  6: 'paused',
  7: 'pause_failed',
  8: 'resuming',
  9: 'resume_failed',
}

export interface Task {
  datahub: DatahubId
  taskId: string
  name: string
  instance: InstanceId
  topic: TopicName
  status: TaskStatus
  /** POSTs a second that its datahub takes. */
  qpsLimit: number
  /** What its reports must look like. */
  schema?: Schema
  /** Why a relay can't write to its topic: what made it fail, or what came up since it runs. */
  problem?: TargetProblem
  /** As a relay found them last. */
  partitions?: number
  maxMessageBytes?: number
}

export interface Directory {
  /**
   * undefined: forged (refused by its MAC, before any look-up), unknown, disabled, or expired. `notOlderThanMs`: as it is stored, or was
   * less than that ago.
   */
  findCredential(secretId: string, notOlderThanMs?: number): Promise<Credential | undefined>
  findTask(datahub: string): Promise<Task | undefined>
  /** The topics that these datahubs write to. */
  topicsOf(datahubs: Credential['datahubs']): Promise<ReadonlySet<TopicName>>
}

/** A scope is for all of the credential's datahubs alike. */
export function mayUse(credential: Credential, scope: Scope, datahub: DatahubId): boolean {
  return (
    credential.scopes.includes(scope) &&
    (credential.datahubs === 'all' || credential.datahubs.includes(datahub))
  )
}
