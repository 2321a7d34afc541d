import { evictDurableObject, runInDurableObject } from 'cloudflare:test'
import { afterEach, beforeEach, describe, it, vi } from 'vitest'
import { MAX_TASKS } from '#contract'
import type { Registry } from '../../../worker/registry/registry.ts'
import { SPREAD_MS } from '../../../worker/registry/task-status.ts'
import {
  ADMIN,
  drawnTask,
  fit,
  logged,
  newRegistry,
  one,
  rejectionOf,
  setClock,
  START,
  unfit,
  valueOf,
  withRunning,
  withTask,
  type Stub,
} from './rig.ts'

beforeEach(() => setClock(START))
afterEach(() => void vi.useRealTimers())

const statusOf = async (registry: Stub): Promise<number> =>
  valueOf(await registry.readTask(ADMIN, one)).status

describe('a task', () => {
  it('is given back as it was made, also after an eviction, by each of its ids', async ({
    expect,
  }) => {
    const given = { createTopic: { partitions: 3 }, description: 'd', qpsLimit: 7 }
    const made = { ...given, targetType: 'TOPIC' } as const
    const registry = await withTask(made)
    const expected = {
      ...{ ...drawnTask(1, made), status: 0, revision: 1, created: START, changed: START },
    }
    await evictDurableObject(registry)
    expect(valueOf(await registry.readTask(ADMIN, one))).toEqual(expected)
    const { taskId } = drawnTask(1)
    expect(valueOf(await registry.readTask(ADMIN, { taskId }))).toEqual(expected)
    expect(valueOf(await registry.listTasks(ADMIN))).toEqual([expected])
  })

  it('is for the edges without what only the control plane needs', async ({ expect }) => {
    const registry = await withRunning({ createTopic: {}, description: 'd' })
    const { description: _, ...task } = drawnTask(1)
    const found = { partitions: 3, maxMessageBytes: 1_000 }
    expect(await registry.findTask(one.datahub)).toEqual({ ...task, status: 1, ...found })
    expect(await newRegistry().findTask(one.datahub)).toBeNull()
  })

  it('is not found by the id that it was asked for by', async ({ expect }) => {
    const registry = newRegistry()
    for (const ask of [
      (ref: typeof one | { taskId: string }) => registry.readTask(ADMIN, ref),
      (ref: typeof one | { taskId: string }) => registry.modifyTask(ADMIN, ref, {}, undefined),
      (ref: typeof one | { taskId: string }) =>
        registry.changeTaskState(ADMIN, ref, 'delete', undefined),
    ]) {
      expect(rejectionOf(await ask(one))).toEqual({ reason: 'datahub_not_found', ...one })
      const taskId = 'task-x'
      expect(rejectionOf(await ask({ taskId }))).toEqual({ reason: 'task_not_found', taskId })
    }
  })

  it('whose name is taken is told from one whose id is taken', async ({ expect }) => {
    const registry = await withTask()
    expect(rejectionOf(await registry.createTask(ADMIN, drawnTask(2, { name: 'task1' })))).toEqual({
      reason: 'name_taken',
      path: 'name',
      name: 'task1',
    })
    expect(await registry.createTask(ADMIN, drawnTask(1, { name: 'other' }))).toBe('id_taken')
    const { taskId } = drawnTask(1)
    expect(await registry.createTask(ADMIN, drawnTask(2, { taskId }))).toBe('id_taken')
    expect(valueOf(await registry.listTasks(ADMIN))).toHaveLength(1)
    expect(await logged(registry)).toHaveLength(1)
  })

  it('can not get the name of another, but its own', async ({ expect }) => {
    const registry = await withTask()
    valueOf(await registry.createTask(ADMIN, drawnTask(2)))
    const taken = await registry.modifyTask(ADMIN, one, { name: 'task2' }, undefined)
    expect(rejectionOf(taken)).toMatchObject({ reason: 'name_taken', name: 'task2' })
    valueOf(await registry.modifyTask(ADMIN, one, { name: 'task1', qpsLimit: 5 }, undefined))
  })

  it('there are no more of than can be watched; deleted ones do not count', async ({ expect }) => {
    const registry = newRegistry()
    await runInDurableObject(registry, async (object: Registry) => {
      for (let i = 0; i < MAX_TASKS; i++) object.createTask(ADMIN, drawnTask(i))
    })
    const more = drawnTask(MAX_TASKS)
    const limit = MAX_TASKS
    const quota = { reason: 'quota_exceeded', what: 'tasks', limit }
    expect(rejectionOf(await registry.createTask(ADMIN, more))).toEqual(quota)
    valueOf(await registry.changeTaskState(ADMIN, one, 'delete', undefined))
    expect(valueOf(await registry.createTask(ADMIN, more))).toMatchObject({ revision: 1 })
  })
})

describe('a state', () => {
  it('that ends by itself does so 15 s later, whatever else is changed meanwhile', async ({
    expect,
  }) => {
    const registry = await withRunning()
    for (const [change, during, after] of [
      ['pause', 5, 6],
      ['resume', 8, 1],
    ] as const) {
      const began = Date.now()
      valueOf(await registry.changeTaskState(ADMIN, one, change, undefined))
      setClock(began + SPREAD_MS - 1)
      valueOf(await registry.modifyTask(ADMIN, one, { description: change }, undefined))
      expect(await statusOf(registry)).toBe(during)
      expect(await registry.findTask(one.datahub)).toMatchObject({ status: during })
      setClock(began + SPREAD_MS)
      expect(await statusOf(registry)).toBe(after)
      expect(await registry.findTask(one.datahub)).toMatchObject({ status: after })
      // Wished again, it is done, and nothing begins anew.
      const again = await registry.changeTaskState(ADMIN, one, change, undefined)
      expect(valueOf(again).status).toBe(after)
    }
  })

  it('that does not allow a change refuses it by its status', async ({ expect }) => {
    const registry = await withTask()
    const pause = async () =>
      rejectionOf(await registry.changeTaskState(ADMIN, one, 'pause', undefined))
    const conflict = { reason: 'task_state_conflict', ...one, change: 'pause' }
    expect(await pause()).toEqual({ ...conflict, status: 0 })
    await registry.applyTargets([unfit('topic1')])
    expect(await pause()).toEqual({ ...conflict, status: -1 })
    valueOf(await registry.changeTaskState(ADMIN, one, 'delete', undefined))
    expect(await pause()).toEqual({ ...conflict, status: 2 })
    const modified = await registry.modifyTask(ADMIN, one, { name: 'x' }, undefined)
    expect(rejectionOf(modified)).toMatchObject({
      ...conflict,
      status: 2,
      change: 'a change',
    })
  })

  it('is that of a new task after a restart', async ({ expect }) => {
    const registry = await withRunning()
    valueOf(await registry.changeTaskState(ADMIN, one, 'pause', undefined))
    valueOf(await registry.changeTaskState(ADMIN, one, 'restart', undefined))
    expect(await statusOf(registry)).toBe(0)
    await registry.applyTargets([fit('topic1')])
    expect(await statusOf(registry)).toBe(1)
  })
})

describe('a deleted task', () => {
  it('is deleting, then gone for edges and lists, and still found by who asks for it', async ({
    expect,
  }) => {
    const registry = await withRunning()
    const deleted = await registry.changeTaskState(ADMIN, one, 'delete', undefined)
    expect(valueOf(deleted).status).toBe(2)
    const again = await registry.changeTaskState(ADMIN, one, 'delete', undefined)
    expect(valueOf(again)).toEqual(valueOf(deleted))
    expect(await registry.findTask(one.datahub)).toMatchObject({ status: 2 })
    expect(valueOf(await registry.listTasks(ADMIN))).toHaveLength(1)
    setClock(START + SPREAD_MS)
    expect(await registry.findTask(one.datahub)).toBeNull()
    expect(valueOf(await registry.listTasks(ADMIN))).toEqual([])
    expect(await statusOf(registry)).toBe(3)
    const once = await registry.changeTaskState(ADMIN, one, 'delete', undefined)
    expect(rejectionOf(once)).toMatchObject({ reason: 'datahub_not_found' })
  })

  it('leaves its name and its schema, but never its ids', async ({ expect }) => {
    const registry = newRegistry()
    const fields = [{ name: 'f', type: 'INT8', allowNull: true }] as const
    const schemaId = 'schema-aaaaaaaa'
    valueOf(await registry.createSchema(ADMIN, { schemaId, name: 's', fields: [...fields] }))
    valueOf(await registry.createTask(ADMIN, drawnTask(1, { schemaId })))
    const deleted = await registry.changeTaskState(ADMIN, one, 'delete', undefined)
    expect(valueOf(deleted)).not.toHaveProperty('schema')
    const { name, taskId } = drawnTask(1)
    for (const now of [START, START + SPREAD_MS, START + 400 * 86_400_000]) {
      setClock(now)
      expect(await registry.createTask(ADMIN, drawnTask(1, { taskId: 'task-x' }))).toBe('id_taken')
      expect(await registry.createTask(ADMIN, drawnTask(2, { taskId }))).toBe('id_taken')
    }
    valueOf(await registry.createTask(ADMIN, drawnTask(2, { name })))
    valueOf(await registry.deleteSchema(ADMIN, schemaId, undefined))
  })

  it('is watched and read no more', async ({ expect }) => {
    const registry = await withTask({ createTopic: {} })
    valueOf(await registry.changeTaskState(ADMIN, one, 'delete', undefined))
    expect(await registry.targetTopics()).toEqual({ topics: [], create: [] })
    expect(await registry.taskTopics()).toEqual([])
  })
})

describe('a change under a condition', () => {
  it('is made by exactly one of those who saw the same revision', async ({ expect }) => {
    const registry = await withRunning()
    const { revision } = valueOf(await registry.readTask(ADMIN, one))
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        registry.modifyTask(ADMIN, one, { description: `${i}` }, revision),
      ),
    )
    expect(results.filter(({ status }) => status === 'done')).toHaveLength(1)
    const current = revision + 1
    const lost = results.filter(({ status }) => status === 'rejected').map(rejectionOf)
    expect(new Set(lost.map((r) => JSON.stringify(r)))).toEqual(
      new Set([JSON.stringify({ reason: 'precondition_failed', current })]),
    )
  })

  it('is refused also where it would change nothing', async ({ expect }) => {
    const registry = await withRunning()
    const resume = await registry.changeTaskState(ADMIN, one, 'resume', 1)
    expect(rejectionOf(resume)).toEqual({ reason: 'precondition_failed', current: 2 })
  })

  it('of many at once without one is made by all, one after another', async ({ expect }) => {
    const registry = await withRunning()
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        registry.modifyTask(ADMIN, one, { description: `${i}` }, undefined),
      ),
    )
    const revisions = results.map((result) => valueOf(result).revision)
    expect(new Set(revisions).size).toBe(20)
    expect(Math.max(...revisions)).toBe(22)
  })
})
