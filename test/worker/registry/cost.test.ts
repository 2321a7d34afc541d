import { runInDurableObject } from 'cloudflare:test'
import { it } from 'vitest'
import { AuditTable } from '../../../worker/registry/audit-table.ts'
import type { Registry } from '../../../worker/registry/registry.ts'
import { ADMIN_RIGHTS } from '../../../worker/registry/rights.ts'
import { TasksTable } from '../../../worker/registry/tasks-table.ts'
import { ADMIN, drawnTask, newRegistry, valueOf } from './rig.ts'

const DELETED = 5_000

it('what is asked of tasks goes over those that are there, however many were deleted', async ({
  expect,
}) => {
  await runInDurableObject(newRegistry(), (registry: Registry, { storage: { sql } }) => {
    const schemaId = 'schema-00000001'
    const fields = [{ name: 'f', type: 'INT8' as const, allowNull: true }]
    valueOf(registry.createSchema(ADMIN, { schemaId, name: 's', fields }))
    valueOf(registry.createTask(ADMIN, drawnTask(1, { schemaId })))
    valueOf(registry.createTask(ADMIN, drawnTask(2)))
    valueOf(registry.changeTaskState(ADMIN, drawnTask(2), 'delete', undefined))
    sql.exec(
      `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
       INSERT INTO tasks (datahub, task_id, name, instance, topic, status, status_since, description, qps_limit, target_type, revision,
         created, changed) SELECT 'd' || i, 't' || i, 'n', 'i', 'topic', 2, 0, '', 1, 'KAFKA', 1, 0, 0 FROM n`,
      DELETED,
    )

    const asked: { rowsRead: number }[] = []
    const counted = {
      exec: (query: string, ...bindings: unknown[]) => {
        const cursor = sql.exec(query, ...bindings)
        asked.push(cursor)
        return cursor
      },
    } as SqlStorage
    const tasks = new TasksTable(counted, new AuditTable(counted, () => {}))
    expect(tasks.list(ADMIN_RIGHTS, Date.now()).map(({ status }) => status)).toEqual([0, 2])
    expect(tasks.boundTo(schemaId)).toEqual([drawnTask(1).datahub])
    expect(tasks.topics()).toHaveLength(1)
    expect(tasks.watched().topics).toHaveLength(1)
    expect(asked).toHaveLength(4)
    for (const { rowsRead } of asked) expect(rowsRead).toBeLessThan(50)
  })
})
