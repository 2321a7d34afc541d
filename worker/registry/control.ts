/**
 * The control plane's core: making and listing tasks and credentials. REST, Tencent's actions and the console are skins over it. Input
 * is checked by its schemas at the boundary; here ids are drawn and secrets sealed.
 */
import * as z from 'zod/mini'
import { DatahubId, InstanceId, isReservedTopic, MAX_TASKS, TopicName } from '#contract'
import type { Rejection } from '../rejection.ts'
import { withinMs } from '../time-limit.ts'
import { UnavailableError } from '../unavailable.ts'
import type { DirectoryKeys } from './cached-directory.ts'
import { SCOPES, type Task } from './directory.ts'
import { LOWERCASE_ALPHABET, MIXED_ALPHABET, randomText } from './random-text.ts'
import type { NewStoredTask, StoredCredential, StoredTask } from './registry.ts'
import { mintSecretId } from './secret-id.ts'
import { sealSecret } from './secret-vault.ts'

export const NewTask = z.strictObject({
  /** Tencent's TaskName. */
  name: z
    .string()
    .check(
      z.regex(
        /^[A-Za-z][A-Za-z0-9._-]{0,63}$/,
        'it starts with a letter and has at most 64 letters, digits, "-", "." and "_"',
      ),
    ),
  topic: TopicName.check(
    z.refine((t) => !isReservedTopic(t), 'topics edgehub-* and __* are reserved'),
  ),
  instance: z.optional(InstanceId),
})
export type NewTask = z.infer<typeof NewTask>

export const NewCredential = z.strictObject({
  scopes: z._default(z.array(z.enum(SCOPES)).check(z.minLength(1)), ['send']),
  datahubs: z._default(
    z.union([z.literal('all'), z.array(DatahubId).check(z.minLength(1), z.maxLength(1_000))]),
    'all',
  ),
})
export type NewCredential = z.infer<typeof NewCredential>

/** What the control plane asks of the registry object. */
export interface RegistryWriter {
  addTask: (task: NewStoredTask) => Promise<'added' | 'name_taken' | 'id_taken' | 'too_many'>
  listTasks: () => Promise<StoredTask[]>
  addCredential: (credential: StoredCredential) => Promise<void>
  listCredentials: () => Promise<StoredCredential[]>
}

export interface ControlDeps {
  instance: InstanceId
  registry: RegistryWriter
  keys: () => Promise<DirectoryKeys>
  now: () => number
  randomBytes: (length: number) => Uint8Array<ArrayBuffer>
  /** There is a target topic that no relay may have looked at. Never fails; nobody waits for it. */
  onNewTarget: () => void
}

export type CreatedTask =
  | { status: 'created'; task: Task }
  | { status: 'rejected'; rejection: Rejection }

export interface CreatedCredential {
  secretId: string
  /** Shown this once. */
  secretKey: string
  scopes: StoredCredential['scopes']
  datahubs: StoredCredential['datahubs']
}

export type ListedCredential = Omit<StoredCredential, 'sealedKeys'>

export interface Control {
  /** Its status is 0, creating, until a relay has looked at its topic; then 1, or -1 with the problem. */
  createTask: (input: NewTask) => Promise<CreatedTask>
  listTasks: () => Promise<StoredTask[]>
  createCredential: (input: NewCredential) => Promise<CreatedCredential>
  /** Without secrets, not even sealed ones. */
  listCredentials: () => Promise<ListedCredential[]>
}

const CALL_LIMIT_MS = 10_000

export function createControl(deps: ControlDeps): Control {
  const { randomBytes, now } = deps

  /** A registry that fails is away; whether it did what was asked is then not known. */
  async function reached<T>(ask: (registry: RegistryWriter) => Promise<T>): Promise<T> {
    try {
      return await withinMs(CALL_LIMIT_MS, ask(deps.registry))
    } catch (cause) {
      throw new UnavailableError('the registry can not be reached', { cause })
    }
  }

  return {
    async createTask({ name, topic, instance = deps.instance }) {
      if (instance !== deps.instance) {
        const problem = `this deployment serves ${deps.instance} only.`
        return {
          status: 'rejected',
          rejection: { reason: 'invalid_value', path: 'instance', problem },
        }
      }
      for (;;) {
        const datahub = `datahub-${randomText(LOWERCASE_ALPHABET, 8, randomBytes)}`
        const taskId = `task-${randomText(LOWERCASE_ALPHABET, 8, randomBytes)}`
        const task: Task = { datahub, taskId, name, instance, topic, status: 0 }
        const added = await reached((r) => r.addTask({ ...task, created: now() }))
        switch (added) {
          case 'added':
            deps.onNewTarget()
            return { status: 'created', task }
          case 'name_taken': {
            const problem = `There is a task named ${name} already.`
            return { status: 'rejected', rejection: { reason: 'conflict', problem } }
          }
          case 'too_many': {
            const problem = `There are ${MAX_TASKS} tasks, and that is the most.`
            return { status: 'rejected', rejection: { reason: 'conflict', problem } }
          }
          case 'id_taken':
            continue
        }
      }
    },

    listTasks: () => reached((r) => r.listTasks()),

    async createCredential({ scopes, datahubs }) {
      const { mac, encryption } = await deps.keys()
      const secretId = await mintSecretId(mac, randomBytes)
      const secretKey = randomText(MIXED_ALPHABET, 32, randomBytes)
      const sealedKeys = [await sealSecret(secretKey, secretId, encryption, randomBytes)]
      const created = now()
      const stored: StoredCredential = {
        secretId,
        sealedKeys,
        scopes,
        datahubs,
        disabled: false,
        created,
      }
      await reached((r) => r.addCredential(stored))
      return { secretId, secretKey, scopes, datahubs }
    },

    async listCredentials() {
      const stored = await reached((r) => r.listCredentials())
      return stored.map(({ secretId, scopes, datahubs, disabled, created }) => ({
        secretId,
        scopes,
        datahubs,
        disabled,
        created,
      }))
    },
  }
}
