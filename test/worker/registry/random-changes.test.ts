/** Random sequences of changes against one registry object, and what must hold after each of them. */
import { evictDurableObject, runInDurableObject } from 'cloudflare:test'
import * as fc from 'fast-check'
import { afterEach, describe, it, vi, type ExpectStatic } from 'vitest'
import type { ManagedTask } from '../../../worker/registry/control-plane.ts'
import type { TaskStatus } from '../../../worker/registry/directory.ts'
import type { TaskChanges } from '../../../worker/registry/forms.ts'
import type { Registry } from '../../../worker/registry/registry.ts'
import type { StateChange } from '../../../worker/registry/task-status.ts'
import {
  ADMIN,
  drawnCredential,
  drawnTask,
  fit,
  newRegistry,
  setClock,
  START,
  unfit,
  valueOf,
} from './rig.ts'

afterEach(() => void vi.useRealTimers())

const N = 4
const TOPICS = ['topic0', 'topic1', 'topic2', 'topic3']
const SCHEMAS = ['schema-00000000', 'schema-00000001']

type Step =
  | { op: 'wait'; ms: number }
  | { op: 'find'; topic: string; isFit: boolean }
  | { op: 'create'; n: number; name: string; schemaId: string | undefined }
  | { op: 'modify'; n: number; changes: TaskChanges; at: number | undefined }
  | { op: 'state'; n: number; change: StateChange; at: number | undefined }
  | { op: 'credential'; n: number; what: 'create' | 'disable' | 'rotate' | 'delete' }
  | { op: 'schema'; n: number; what: 'create' | 'rename' | 'delete' }

const n = fc.nat(N - 1)
const topic = fc.constantFrom(...TOPICS)
const name = fc.constantFrom('a', 'b', 'c')
const at = fc.option(fc.integer({ min: 1, max: 6 }), { nil: undefined, freq: 3 })
const schemaId = fc.constantFrom(...SCHEMAS)
const changes = fc.record(
  {
    name,
    topic,
    description: fc.constantFrom('', 'd'),
    createTopic: fc.constantFrom({}, { partitions: 2 }),
    schemaId: fc.option(schemaId),
  },
  { requiredKeys: [] },
)

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ op: fc.constant('wait' as const), ms: fc.constantFrom(1, 5_000, 14_999, 15_000) }),
  fc.record({ op: fc.constant('find' as const), topic, isFit: fc.boolean() }),
  fc.record({
    op: fc.constant('create' as const),
    ...{ n, name, schemaId: fc.option(schemaId, { nil: undefined, freq: 2 }) },
  }),
  fc.record({ op: fc.constant('modify' as const), n, changes, at }),
  fc.record({
    op: fc.constant('state' as const),
    ...{ n, change: fc.constantFrom<StateChange[]>('pause', 'resume', 'restart', 'delete'), at },
  }),
  fc.record({
    op: fc.constant('credential' as const),
    ...{ n, what: fc.constantFrom('create', 'disable', 'rotate', 'delete') },
  }),
  fc.record({
    op: fc.constant('schema' as const),
    ...{ n: fc.nat(1), what: fc.constantFrom('create', 'rename', 'delete') },
  }),
)

const datahubOf = (i: number): string => drawnTask(i).datahub

function run(registry: Registry, given: Step): unknown {
  switch (given.op) {
    case 'wait':
      return setClock(Date.now() + given.ms)
    case 'find':
      return registry.applyTargets([given.isFit ? fit(given.topic) : unfit(given.topic)])
    case 'create': {
      const more = { name: given.name, schemaId: given.schemaId }
      return registry.createTask(ADMIN, drawnTask(given.n, more))
    }
    case 'modify':
      return registry.modifyTask(ADMIN, { datahub: datahubOf(given.n) }, given.changes, given.at)
    case 'state':
      return registry.changeTaskState(
        ADMIN,
        { datahub: datahubOf(given.n) },
        given.change,
        given.at,
      )
    case 'credential': {
      const { secretId } = drawnCredential(given.n)
      const exists = registry.findCredential(secretId) !== null
      switch (given.what) {
        case 'create':
          return exists || registry.createCredential(ADMIN, drawnCredential(given.n))
        case 'disable':
          return registry.modifyCredential(ADMIN, secretId, { disabled: true }, undefined)
        case 'rotate': {
          const rotation = { sealedKey: 'next', keepMs: 5_000 }
          return registry.rotateCredential(ADMIN, secretId, rotation, undefined)
        }
        case 'delete':
          return registry.deleteCredential(ADMIN, secretId, undefined)
      }
    }
    case 'schema': {
      const id = SCHEMAS[given.n] ?? ''
      switch (given.what) {
        case 'create': {
          const fields = [{ name: 'f', type: 'INT8' as const, allowNull: true }]
          return registry.createSchema(ADMIN, { schemaId: id, name: id, fields })
        }
        case 'rename':
          return registry.modifySchema(ADMIN, id, { name: `${id}.` }, undefined)
        case 'delete':
          return registry.deleteSchema(ADMIN, id, undefined)
      }
    }
  }
}

interface Seen {
  tasks: Map<string, ManagedTask>
  /** Of all there is, by id. */
  revisions: Map<string, number>
  entries: number
}

function look(registry: Registry): Seen {
  const tasks = new Map<string, ManagedTask>()
  for (let i = 0; i < N; i++) {
    const found = registry.readTask(ADMIN, { datahub: datahubOf(i) })
    if (found.status === 'done') tasks.set(datahubOf(i), found.value)
  }
  const revisions = new Map<string, number>(Array.from(tasks, ([id, t]) => [id, t.revision]))
  for (const { secretId, revision } of valueOf(registry.listCredentials(ADMIN))) {
    revisions.set(secretId, revision)
  }
  for (const { schemaId, revision } of valueOf(registry.listSchemas(ADMIN))) {
    revisions.set(schemaId, revision)
  }
  const [newest] = valueOf(registry.auditLog(ADMIN, { limit: 1 }))
  return { tasks, revisions, entries: newest?.id ?? 0 }
}

/** What one change may do, and what time alone may. */
const BY_CHANGE: Record<number, TaskStatus[]> = {
  [-1]: [0, 1, 2],
  0: [-1, 1, 2],
  1: [0, 2, 5],
  5: [0, 2, 8],
  6: [0, 2, 8],
  8: [0, 2, 5],
}
const BY_TIME: Record<number, TaskStatus[]> = { 2: [3], 5: [6], 8: [1] }

/** What changes with its revision only: a state may end, and its topic and its schema have lives of their own. */
function ownOf({ name, description, topic, nextTopic, createTopic, qpsLimit }: ManagedTask) {
  return { name, description, topic, nextTopic, createTopic, qpsLimit }
}

function check(expect: ExpectStatic, given: Step, before: Seen, after: Seen): void {
  const arrows = given.op === 'wait' ? BY_TIME : BY_CHANGE
  for (const [id, task] of before.tasks) {
    const now = after.tasks.get(id)
    // Its ids are never free again, so it never goes.
    expect(now).toBeDefined()
    if (!now) continue
    if (now.status !== task.status) expect(arrows[task.status] ?? []).toContain(now.status)
    if (now.revision === task.revision) expect(ownOf(now)).toEqual(ownOf(task))
    expect(now.created).toBe(task.created)
  }

  let changes = 0
  for (const id of new Set([...before.revisions.keys(), ...after.revisions.keys()])) {
    const [was, is] = [before.revisions.get(id), after.revisions.get(id)]
    const delta = is === undefined ? 1 : is - (was ?? 0)
    expect(delta).toBeGreaterThanOrEqual(0)
    changes += delta
  }
  expect(after.entries - before.entries).toBe(changes)
  // Relays may find one topic for many tasks; whoever asks changes one thing.
  if (given.op !== 'find') expect(changes).toBeLessThanOrEqual(1)
  if (given.op === 'wait') expect(changes).toBe(0)

  const live = [...after.tasks.values()].filter(({ status }) => status !== 2 && status !== 3)
  expect(new Set(live.map((task) => task.name)).size).toBe(live.length)
}

describe('random changes', () => {
  it(
    'count revisions up, are each in the audit log, lead only along the arrows, and free no id',
    {
      timeout: 60_000,
    },
    async ({ expect }) => {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 60 }), async (steps) => {
          setClock(START)
          const stub = newRegistry()
          await runInDurableObject(stub, (registry: Registry) => {
            let before = look(registry)
            for (const given of steps) {
              run(registry, given)
              const after = look(registry)
              check(expect, given, before, after)
              before = after
              const watched = registry.targetTopics()
              for (const created of watched.create) expect(watched.topics).toContain(created.topic)
            }
          })
          const before = valueOf(await stub.listTasks(ADMIN))
          await evictDurableObject(stub)
          expect(valueOf(await stub.listTasks(ADMIN))).toEqual(before)
        }),
        { numRuns: 30 },
      )
    },
  )
})
