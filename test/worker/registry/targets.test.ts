import { afterEach, beforeEach, describe, it, vi } from 'vitest'
import {
  ADMIN,
  drawnTask,
  fit,
  logged,
  one,
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

describe('what relays find', () => {
  it('runs a waiting or failed task once its topic is fit, and notes later problems without stopping it', async ({
    expect,
  }) => {
    const registry = await withTask()
    const found = async () => valueOf(await registry.readTask(ADMIN, one))
    await registry.applyTargets([unfit('topic1')])
    expect(await found()).toMatchObject({ status: -1, problem: 'topic_not_found', revision: 2 })
    await registry.applyTargets([fit('topic1', 6)])
    const running = await found()
    expect(running).toMatchObject({ status: 1, partitions: 6, maxMessageBytes: 1_000, revision: 3 })
    expect(running).not.toHaveProperty('problem')
    await registry.applyTargets([unfit('topic1')])
    expect(await found()).toMatchObject({ status: 1, problem: 'topic_not_found', revision: 3 })
    expect(await logged(registry)).toEqual([
      `relay task.run ${one.datahub}`,
      `relay task.fail ${one.datahub}`,
      `admin task.create ${one.datahub}`,
    ])
  })

  it('starts no task that is paused or deleted, and none of another topic', async ({ expect }) => {
    const registry = await withRunning()
    valueOf(await registry.createTask(ADMIN, drawnTask(2, { topic: 'topic1' })))
    valueOf(await registry.createTask(ADMIN, drawnTask(3)))
    valueOf(await registry.changeTaskState(ADMIN, one, 'pause', undefined))
    const two = { datahub: drawnTask(2).datahub }
    valueOf(await registry.changeTaskState(ADMIN, two, 'delete', undefined))
    await registry.applyTargets([fit('topic1'), unfit('topic1'), fit('topic1')])
    const statuses = valueOf(await registry.listTasks(ADMIN)).map(({ status }) => status)
    expect(statuses).toEqual([5, 2, 0])
  })
})

describe('a change of the target topic', () => {
  it('is pending until the new topic is fit; until then reports go to the old one', async ({
    expect,
  }) => {
    const registry = await withRunning()
    valueOf(await registry.modifyTask(ADMIN, one, { topic: 'new' }, undefined))
    expect((await registry.targetTopics()).topics).toEqual(['topic1', 'new'])
    await registry.applyTargets([fit('topic1'), unfit('new')])
    expect(valueOf(await registry.readTask(ADMIN, one))).toMatchObject({
      ...{ topic: 'topic1', status: 1, nextTopic: 'new', nextProblem: 'topic_not_found' },
    })
    expect(await registry.findTask(one.datahub)).toMatchObject({ topic: 'topic1', status: 1 })
    expect(await registry.taskTopics()).toEqual([[one.datahub, 'topic1']])
    await registry.applyTargets([fit('new', 9)])
    const moved = valueOf(await registry.readTask(ADMIN, one))
    expect(moved).toMatchObject({ topic: 'new', status: 1, partitions: 9, revision: 4 })
    expect(moved).not.toHaveProperty('nextTopic')
    expect(await registry.targetTopics()).toEqual({ topics: ['new'], create: [] })
    const [entry] = valueOf(await registry.auditLog(ADMIN, { limit: 1 }))
    expect(entry).toMatchObject({ by: 'relay', action: 'task.retarget' })
    expect(JSON.parse(entry?.detail ?? '')).toEqual({ from: 'topic1', to: 'new' })
  })

  it('does not resume a paused task', async ({ expect }) => {
    const registry = await withRunning()
    valueOf(await registry.changeTaskState(ADMIN, one, 'pause', undefined))
    valueOf(await registry.modifyTask(ADMIN, one, { topic: 'new' }, undefined))
    await registry.applyTargets([fit('new')])
    expect(valueOf(await registry.readTask(ADMIN, one))).toMatchObject({ topic: 'new', status: 5 })
  })

  it('that was taken back does not happen', async ({ expect }) => {
    const registry = await withRunning()
    valueOf(await registry.modifyTask(ADMIN, one, { topic: 'new' }, undefined))
    valueOf(await registry.modifyTask(ADMIN, one, { topic: 'topic1' }, undefined))
    await registry.applyTargets([fit('new')])
    const task = valueOf(await registry.readTask(ADMIN, one))
    expect(task.topic).toBe('topic1')
    expect(task).not.toHaveProperty('nextTopic')
  })

  it('starts a restarted task by whichever topic is fit first', async ({ expect }) => {
    const registry = await withRunning()
    valueOf(await registry.modifyTask(ADMIN, one, { topic: 'new' }, undefined))
    valueOf(await registry.changeTaskState(ADMIN, one, 'restart', undefined))
    await registry.applyTargets([unfit('topic1'), fit('new')])
    expect(valueOf(await registry.readTask(ADMIN, one))).toMatchObject({ topic: 'new', status: 1 })
  })

  it('of a failed task happens at once', async ({ expect }) => {
    const registry = await withTask()
    await registry.applyTargets([unfit('topic1')])
    const moved = await registry.modifyTask(ADMIN, one, { topic: 'new' }, undefined)
    expect(valueOf(moved)).toMatchObject({ topic: 'new', status: 0 })
    expect((await registry.targetTopics()).topics).toEqual(['new'])
  })
})

describe('a topic to create', () => {
  const create = async (registry: Stub): Promise<unknown> => (await registry.targetTopics()).create

  it('is one that is waited for, no longer once its task runs, even if it vanishes, and again after a restart', async ({
    expect,
  }) => {
    const registry = await withTask({ createTopic: { partitions: 4 } })
    expect(await create(registry)).toEqual([{ topic: 'topic1', partitions: 4 }])
    await registry.applyTargets([unfit('topic1')])
    expect(await create(registry)).toEqual([{ topic: 'topic1', partitions: 4 }])
    await registry.applyTargets([fit('topic1')])
    expect(await create(registry)).toEqual([])
    await registry.applyTargets([unfit('topic1')])
    expect(await create(registry)).toEqual([])
    valueOf(await registry.changeTaskState(ADMIN, one, 'restart', undefined))
    expect(await create(registry)).toEqual([{ topic: 'topic1', partitions: 4 }])
  })

  it('is the next one, not the present one', async ({ expect }) => {
    const registry = await withRunning()
    const changes = { topic: 'new', createTopic: {} }
    valueOf(await registry.modifyTask(ADMIN, one, changes, undefined))
    expect(await create(registry)).toEqual([{ topic: 'new' }])
    valueOf(await registry.changeTaskState(ADMIN, one, 'restart', undefined))
    expect(await create(registry)).toEqual([{ topic: 'new' }])
  })

  it('is named once, as the oldest task wants it', async ({ expect }) => {
    const registry = await withTask({ topic: 'same', createTopic: { partitions: 4 } })
    setClock(START + 1)
    const second = drawnTask(0, { topic: 'same', createTopic: { partitions: 5 } })
    valueOf(await registry.createTask(ADMIN, second))
    const topics = ['same']
    const wanted = [{ topic: 'same', partitions: 4 }]
    expect(await registry.targetTopics()).toEqual({ topics, create: wanted })
  })
})
