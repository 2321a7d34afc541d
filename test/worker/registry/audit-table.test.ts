import { runInDurableObject } from 'cloudflare:test'
import { afterEach, describe, it, vi } from 'vitest'
import { MAX_AUDIT_ENTRIES } from '../../../worker/registry/audit-table.ts'
import type { Registry } from '../../../worker/registry/registry.ts'
import {
  ADMIN,
  drawnCredential,
  drawnTask,
  fit,
  newRegistry,
  one,
  setClock,
  START,
  valueOf,
} from './rig.ts'

afterEach(() => void vi.useRealTimers())
afterEach(() => void vi.restoreAllMocks())

const two = { datahub: drawnTask(2).datahub }

describe('the audit log', () => {
  it('says who did what to what, and when, newest first', async ({ expect }) => {
    const registry = newRegistry()
    setClock(START)
    valueOf(await registry.createTask(ADMIN, drawnTask(1)))
    setClock(START + 1)
    await registry.applyTargets([fit('topic1')])
    setClock(START + 2)
    valueOf(await registry.modifyTask(ADMIN, one, { name: 'n', qpsLimit: 5 }, undefined))
    setClock(START + 3)
    valueOf(await registry.changeTaskState(ADMIN, one, 'pause', undefined))
    const entries = valueOf(await registry.auditLog(ADMIN, { limit: 10 }))
    const target = one.datahub
    const { taskId, name, topic, qpsLimit } = drawnTask(1)
    expect(entries.map(({ detail, ...entry }) => [entry, JSON.parse(detail)])).toEqual([
      [
        { id: 4, at: START + 3, by: ADMIN, action: 'task.pause', target },
        { from: 1, to: 5 },
      ],
      [
        { id: 3, at: START + 2, by: ADMIN, action: 'task.modify', target },
        { name: 'n', qpsLimit: 5 },
      ],
      [{ id: 2, at: START + 1, by: 'relay', action: 'task.run', target }, { topic }],
      [
        { id: 1, at: START, by: ADMIN, action: 'task.create', target },
        { taskId, name, topic, qpsLimit },
      ],
    ])
  })

  it('says nothing of what was refused or was so already', async ({ expect }) => {
    const registry = newRegistry()
    valueOf(await registry.createTask(ADMIN, drawnTask(1)))
    await registry.changeTaskState(ADMIN, one, 'pause', undefined)
    await registry.createTask(ADMIN, drawnTask(1))
    await registry.modifyTask(ADMIN, one, { name: 'task1' }, undefined)
    await registry.modifyTask(ADMIN, one, { name: 'other' }, 7)
    await registry.modifyTask(ADMIN, one, { schemaId: 'schema-x' }, undefined)
    expect(valueOf(await registry.auditLog(ADMIN, { limit: 10 }))).toHaveLength(1)
  })

  it('is in the log of the worker as well, a line an entry, none for what was refused or rolled back', async ({
    expect,
  }) => {
    const registry = newRegistry()
    const info = vi.spyOn(console, 'info').mockImplementation(() => {})
    valueOf(await registry.createTask(ADMIN, drawnTask(1)))
    await registry.applyTargets([fit('topic1'), fit('topic2')])
    await registry.modifyTask(ADMIN, one, { name: 'task1' }, undefined)
    await registry.modifyTask(ADMIN, one, { name: 'other' }, 7)
    const sealed = drawnCredential(1, { sealedToken: 'sealed token', expires: Date.now() + 9_999 })
    valueOf(await registry.createCredential(ADMIN, sealed))
    const entries = valueOf(await registry.auditLog(ADMIN, { limit: 10 })).reverse()
    expect(entries).toHaveLength(3)
    const lines = info.mock.calls.map(([line]) => String(line))
    expect(lines.map((line) => JSON.parse(line))).toEqual(
      entries.map((entry) => ({ level: 'info', message: 'Changed.', ...entry })),
    )
    expect(lines.join()).not.toContain('sealed')

    // The first change of the transaction is noted, the second one fails.
    info.mockClear()
    for (const n of [2, 3]) {
      valueOf(await registry.createTask(ADMIN, drawnTask(n, { topic: 'same' })))
    }
    await runInDurableObject(registry, (object: Registry, { storage: { sql } }) => {
      sql.exec(
        `CREATE TRIGGER broken BEFORE UPDATE ON tasks WHEN NEW.datahub = '${drawnTask(3).datahub}'
         BEGIN SELECT RAISE(ABORT, 'broken'); END`,
      )
      expect(() => object.applyTargets([fit('same')])).toThrow('broken')
      sql.exec('DROP TRIGGER broken')
    })
    valueOf(await registry.changeTaskState(ADMIN, one, 'pause', undefined))
    const later = info.mock.calls.map(([line]) => JSON.parse(String(line)) as { id: number })
    expect(later.map(({ id }) => id)).toEqual([4, 5, 6])
    expect(valueOf(await registry.auditLog(ADMIN, { limit: 10 }))[0]?.id).toBe(6)
  })

  it('is read page by page, and of one target', async ({ expect }) => {
    const registry = newRegistry()
    for (const n of [1, 2]) valueOf(await registry.createTask(ADMIN, drawnTask(n)))
    for (let i = 0; i < 4; i++) {
      const ref = i % 2 === 0 ? one : two
      valueOf(await registry.modifyTask(ADMIN, ref, { description: `${i}` }, undefined))
    }
    const ids = async (query: { before?: number; limit: number; target?: string }) =>
      valueOf(await registry.auditLog(ADMIN, query)).map(({ id }) => id)
    expect(await ids({ limit: 4 })).toEqual([6, 5, 4, 3])
    expect(await ids({ limit: 4, before: 3 })).toEqual([2, 1])
    expect(await ids({ limit: 2, target: two.datahub })).toEqual([6, 4])
    expect(await ids({ limit: 2, target: two.datahub, before: 4 })).toEqual([2])
  })

  it('keeps the newest ten thousand and counts on', async ({ expect }) => {
    const registry = newRegistry()
    valueOf(await registry.createTask(ADMIN, drawnTask(1)))
    await runInDurableObject(registry, (_, { storage: { sql } }) => {
      sql.exec(
        `WITH RECURSIVE n (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
         INSERT INTO audit_log SELECT i, 0, 'admin', 'a', 't', '{}' FROM n`,
        MAX_AUDIT_ENTRIES,
      )
    })
    for (let i = 0; i < 6; i++) {
      valueOf(await registry.modifyTask(ADMIN, one, { description: `${i}` }, undefined))
    }
    const limit = MAX_AUDIT_ENTRIES + 10
    const entries = valueOf(await registry.auditLog(ADMIN, { limit }))
    expect(entries).toHaveLength(MAX_AUDIT_ENTRIES)
    expect(entries[0]?.id).toBe(MAX_AUDIT_ENTRIES + 6)
    expect(entries.at(-1)?.id).toBe(7)
  })
})
