import { afterEach, beforeEach, describe, it, vi } from 'vitest'
import { covers, type Rights } from '../../../worker/registry/rights.ts'
import {
  ADMIN,
  drawnCredential,
  drawnTask,
  logged,
  one,
  rejectionOf,
  setClock,
  START,
  valueOf,
  withRunning,
  type Stub,
} from './rig.ts'

beforeEach(() => setClock(START))
afterEach(() => void vi.useRealTimers())

const A = 'datahub-aaaaaaaa'
const B = 'datahub-bbbbbbbb'

describe('the rights of a credential', () => {
  const two = { datahub: drawnTask(2).datahub }
  async function withManager(more: Parameters<typeof drawnCredential>[1] = {}): Promise<Stub> {
    const registry = await withRunning()
    valueOf(await registry.createTask(ADMIN, drawnTask(2)))
    const drawn = drawnCredential(1, { scopes: ['manage'], datahubs: [one.datahub], ...more })
    valueOf(await registry.createCredential(ADMIN, drawn))
    return registry
  }

  it('that has one datahub reach it, and answer for the other like for none', async ({
    expect,
  }) => {
    const registry = await withManager()
    const by = 'AKID1'
    expect(valueOf(await registry.listTasks(by))).toMatchObject([one])
    valueOf(await registry.changeTaskState(by, one, 'pause', undefined))
    for (const ref of [two, { datahub: 'datahub-nowhere0' }]) {
      const notFound = { reason: 'datahub_not_found', ...ref }
      expect(rejectionOf(await registry.readTask(by, ref))).toEqual(notFound)
      expect(rejectionOf(await registry.modifyTask(by, ref, { name: 'x' }, 99))).toEqual(notFound)
      const paused = await registry.changeTaskState(by, ref, 'pause', 99)
      expect(rejectionOf(paused)).toEqual(notFound)
    }
    const { taskId } = drawnTask(2)
    expect(rejectionOf(await registry.readTask(by, { taskId }))).toMatchObject({ taskId })
    const created = await registry.createTask(by, drawnTask(3))
    expect(rejectionOf(created)).toMatchObject({ reason: 'forbidden' })
    expect((await logged(registry))[0]).toBe(`AKID1 task.pause ${one.datahub}`)
  })

  it('that has one datahub leave where it writes to and how much it takes as they are', async ({
    expect,
  }) => {
    const registry = await withManager({ scopes: ['manage', 'query'] })
    const { qpsLimit } = drawnTask(1)
    for (const changes of [
      { topic: 'payments' },
      { createTopic: {} },
      { qpsLimit: qpsLimit + 1 },
      { qpsLimit: qpsLimit - 1, description: 'less' },
    ]) {
      const modified = await registry.modifyTask('AKID1', one, changes, undefined)
      expect(rejectionOf(modified)).toMatchObject({ reason: 'forbidden' })
    }
    const same = { topic: drawnTask(1).topic, qpsLimit, description: 'd' }
    const described = valueOf(await registry.modifyTask('AKID1', one, same, undefined))
    expect(described).toMatchObject(same)
    expect(described).not.toHaveProperty('nextTopic')

    valueOf(await registry.modifyTask(ADMIN, one, { topic: 'next' }, undefined))
    const back = await registry.modifyTask('AKID1', one, { topic: same.topic }, undefined)
    expect(rejectionOf(back)).toMatchObject({ reason: 'forbidden' })
  })

  it('that expires outlive it in no way', async ({ expect }) => {
    const registry = await withManager({ datahubs: 'all', expires: START + 1_000 })
    valueOf(await registry.createCredential(ADMIN, drawnCredential(2, { scopes: ['manage'] })))
    const by = 'AKID1'
    const forbidden = { reason: 'forbidden' }
    for (const expires of [undefined, START + 1_001]) {
      const drawn = drawnCredential(3, { scopes: ['manage'], expires })
      expect(rejectionOf(await registry.createCredential(by, drawn))).toMatchObject(forbidden)
    }
    for (const expires of [null, START + 1_001]) {
      const modified = await registry.modifyCredential(by, by, { expires }, undefined)
      expect(rejectionOf(modified)).toMatchObject(forbidden)
    }
    const rotation = { sealedKey: 'known to AKID1', keepMs: 0 }
    const rotated = await registry.rotateCredential(by, 'AKID2', rotation, undefined)
    expect(rejectionOf(rotated)).toMatchObject({ reason: 'credential_not_found' })

    const short = drawnCredential(3, { scopes: ['manage'], expires: START + 1_000 })
    valueOf(await registry.createCredential(by, short))
    valueOf(await registry.modifyCredential(by, by, { expires: START + 999 }, undefined))
    expect(valueOf(await registry.listCredentials(by))).toMatchObject([{ secretId: by }])
  })

  it('that has all of them make another', async ({ expect }) => {
    const registry = await withManager({ datahubs: 'all' })
    expect(valueOf(await registry.createTask('AKID1', drawnTask(3)))).toMatchObject({ status: 0 })
    expect(valueOf(await registry.listTasks('AKID1'))).toHaveLength(3)
    const raised = await registry.modifyTask('AKID1', one, { qpsLimit: 9_000 }, undefined)
    expect(valueOf(raised)).toMatchObject({ qpsLimit: 9_000 })
  })

  it.for([
    ['has no scope manage', { scopes: ['send', 'query'] as const }, {}, 'forbidden'],
    ['is disabled', {}, { disabled: true }, 'unauthenticated'],
    ['has expired', { expires: START + 1_000 }, {}, 'unauthenticated'],
    ['was deleted', {}, 'delete', 'unauthenticated'],
  ] as const)('that %s are none', async ([, drawn, changes, reason], { expect }) => {
    const registry = await withManager({ datahubs: 'all', ...drawn })
    valueOf(
      changes === 'delete'
        ? await registry.deleteCredential(ADMIN, 'AKID1', undefined)
        : await registry.modifyCredential(ADMIN, 'AKID1', changes, undefined),
    )
    setClock(START + 1_000)
    const revision = valueOf(await registry.readTask(ADMIN, one)).revision
    for (const result of [
      await registry.listTasks('AKID1'),
      await registry.listSchemas('AKID1'),
      await registry.listCredentials('AKID1'),
      await registry.createTask('AKID1', drawnTask(3)),
      await registry.readTask('AKID1', one),
      await registry.changeTaskState('AKID1', one, 'pause', undefined),
      await registry.deleteCredential('AKID1', 'AKID1', undefined),
      await registry.auditLog('AKID1', { limit: 1 }),
    ]) {
      expect(rejectionOf(result)).toMatchObject({ reason })
    }
    expect(valueOf(await registry.readTask(ADMIN, one)).revision).toBe(revision)
  })
})

describe('what rights cover', () => {
  const rights = (scopes: Rights['scopes'], datahubs: Rights['datahubs']): Rights => ({
    ...{ by: 'x', scopes, datahubs },
  })
  it.for([
    [rights('all', 'all'), ['manage', 'query', 'send'], 'all', true],
    [rights(['manage', 'send'], 'all'), ['send'], 'all', true],
    [rights(['manage', 'send'], 'all'), ['query'], 'all', false],
    [rights(['manage', 'send'], [A, B]), ['send', 'manage'], [B], true],
    [rights(['manage', 'send'], [A]), ['send'], [A, B], false],
    [rights(['manage', 'send'], [A]), ['send'], 'all', false],
  ] as const)('%j, of %j and %j: %s', ([mine, scopes, datahubs, expected], { expect }) => {
    expect(covers(mine, { scopes, datahubs })).toBe(expected)
  })
})
