import { evictDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { describe, it } from 'vitest'
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
})
