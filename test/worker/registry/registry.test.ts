import { evictDurableObject, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { describe, it } from 'vitest'
import { MAX_TASKS } from '#contract'
import type { Registry, StoredCredential, StoredTask } from '../../../worker/registry/registry.ts'

const newRegistry = (): DurableObjectStub<Registry> => env.REGISTRY.getByName(crypto.randomUUID())

const task: StoredTask = {
  datahub: 'datahub-aaaaaaaa',
  taskId: 'task-aaaaaaaa',
  name: 'orders',
  instance: 'ckafka-devlocal',
  topic: 'orders',
  status: 1,
  created: 1,
}
const credential: StoredCredential = {
  secretId: 'AKIDa',
  sealedKeys: ['sealed'],
  scopes: ['send', 'query'],
  datahubs: ['datahub-aaaaaaaa'],
  disabled: false,
  created: 1,
}

describe('the registry', () => {
  it('gives back what it was given, also after an eviction', async ({ expect }) => {
    const registry = newRegistry()
    expect(await registry.addTask(task)).toBe('added')
    await registry.addCredential(credential)
    await evictDurableObject(registry)
    expect(await registry.findTask(task.datahub)).toEqual(task)
    expect(await registry.findCredential('AKIDa')).toEqual(credential)
    expect(await registry.listTasks()).toEqual([task])
    expect(await registry.listCredentials()).toEqual([credential])
  })

  it('does not find what is not there', async ({ expect }) => {
    expect(await newRegistry().findTask('datahub-aaaaaaaa')).toBeNull()
    expect(await newRegistry().findCredential('AKIDa')).toBeNull()
  })

  it('tells a name that is taken from an id that is taken', async ({ expect }) => {
    const registry = newRegistry()
    await registry.addTask(task)
    expect(await registry.addTask({ ...task, datahub: 'datahub-bbbbbbbb', taskId: 'task-b' })).toBe(
      'name_taken',
    )
    expect(await registry.addTask({ ...task, name: 'other' })).toBe('id_taken')
    expect(await registry.addTask({ ...task, name: 'other', datahub: 'datahub-bbbbbbbb' })).toBe(
      'id_taken',
    )
    expect(await registry.listTasks()).toHaveLength(1)
  })

  it('runs a waiting or failed task once its topic is fit, and notes later problems without stopping it', async ({
    expect,
  }) => {
    const registry = newRegistry()
    await registry.addTask({ ...task, status: 0 })
    await registry.addTask({ ...task, status: 6, name: 'paused', datahub: 'd2', taskId: 't2' })
    await registry.addTask({
      ...task,
      topic: 'other',
      name: 'o',
      datahub: 'd3',
      taskId: 't3',
      status: 0,
    })
    const found = async (): Promise<StoredTask | null> => registry.findTask(task.datahub)

    const gone = { topic: 'orders', status: 'unfit', reason: 'topic_not_found' } as const
    await registry.applyTargets([gone])
    expect(await found()).toEqual({ ...task, status: -1, problem: 'topic_not_found' })

    const fit = { topic: 'orders', status: 'fit', partitions: 6, maxMessageBytes: 1000 } as const
    await registry.applyTargets([fit])
    const running = { ...task, status: 1, partitions: 6, maxMessageBytes: 1000 }
    expect(await found()).toEqual(running)

    await registry.applyTargets([gone])
    expect(await found()).toEqual({ ...task, status: 1, problem: 'topic_not_found' })

    expect(await registry.findTask('d2')).toMatchObject({ status: 6 })
    expect(await registry.findTask('d3')).toMatchObject({ status: 0 })
  })

  it('knows which topics are written to, each once', async ({ expect }) => {
    const registry = newRegistry()
    await registry.addTask(task)
    await registry.addTask({ ...task, name: 'b', datahub: 'd2', taskId: 't2' })
    await registry.addTask({
      ...task,
      name: 'c',
      datahub: 'd3',
      taskId: 't3',
      status: 3,
      topic: 'x',
    })
    expect(await registry.targetTopics()).toEqual(['orders'])
    expect(await registry.taskTopics()).toEqual([
      ['d2', 'orders'],
      [task.datahub, 'orders'],
    ])
  })

  it('takes no more tasks than can be watched', async ({ expect }) => {
    const registry = newRegistry()
    await runInDurableObject(registry, async (object: Registry) => {
      for (let i = 0; i < MAX_TASKS; i++) {
        const n = String(i).padStart(8, '0')
        object.addTask({ ...task, name: n, datahub: `datahub-${n}`, taskId: `task-${n}` })
      }
      expect(object.addTask({ ...task, name: 'one more' })).toBe('too_many')
    })
  })
})
