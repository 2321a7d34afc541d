import { evictDurableObject, runInDurableObject } from 'cloudflare:test'
import { describe, it } from 'vitest'
import { ADMIN, drawnTask, fit, newRegistry, rejectionOf, valueOf } from './rig.ts'

/** The first layout, as it was. */
const LAYOUT_1 = `
  CREATE TABLE IF NOT EXISTS tasks (
    datahub TEXT PRIMARY KEY, task_id TEXT NOT NULL UNIQUE, name TEXT NOT NULL UNIQUE, instance TEXT NOT NULL,
    topic TEXT NOT NULL, status INTEGER NOT NULL, created INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS targets (
    topic TEXT PRIMARY KEY, problem TEXT, partitions INTEGER, max_message_bytes INTEGER
  ) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS credentials (
    secret_id TEXT PRIMARY KEY, sealed_keys TEXT NOT NULL, scopes TEXT NOT NULL, datahubs TEXT NOT NULL,
    disabled INTEGER NOT NULL, created INTEGER NOT NULL
  ) WITHOUT ROWID;
`

/** A registry whose storage is of the first layout, with these rows, and that looks at it for the first time. */
async function oldRegistry(rows: string) {
  const registry = newRegistry()
  await runInDurableObject(registry, (_, { storage: { sql } }) => {
    const names = sql
      .exec<{ name: string }>(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_%' ESCAPE '\\'",
      )
      .toArray()
    for (const { name } of names) if (!name.startsWith('sqlite_')) sql.exec(`DROP TABLE "${name}"`)
    sql.exec(LAYOUT_1 + rows)
  })
  await evictDurableObject(registry)
  return registry
}

const ROWS = `
  INSERT INTO tasks VALUES
    ('datahub-00000001', 'task-00000001', 'task1', 'ckafka-devlocal', 'topic1', 1, 100),
    ('datahub-00000002', 'task-00000002', 'task2', 'ckafka-devlocal', 'topic2', -1, 200),
    ('datahub-00000003', 'task-00000003', 'task3', 'ckafka-devlocal', 'topic3', 0, 300);
  INSERT INTO targets VALUES ('topic1', NULL, 12, 1048588), ('topic2', 'topic_not_found', NULL, NULL);
  INSERT INTO credentials VALUES
    ('AKIDa', '["sealed a"]', '["send","query"]', '"all"', 0, 100),
    ('AKIDb', '["new","old"]', '["send"]', '["datahub-00000001"]', 1, 200);
`

describe('a registry of the first layout', () => {
  it('keeps all that it held', async ({ expect }) => {
    const registry = await oldRegistry(ROWS)
    const common = { instance: 'ckafka-devlocal', description: '', qpsLimit: 2_000, revision: 1 }
    const taskOf = (n: number) => ({
      ...{ datahub: `datahub-0000000${n}`, taskId: `task-0000000${n}`, name: `task${n}` },
      ...{ topic: `topic${n}`, created: n * 100, changed: n * 100, targetType: 'KAFKA', ...common },
    })
    expect(valueOf(await registry.listTasks(ADMIN))).toEqual([
      { ...taskOf(1), status: 1, partitions: 12, maxMessageBytes: 1_048_588 },
      { ...taskOf(2), status: -1, problem: 'topic_not_found' },
      { ...taskOf(3), status: 0 },
    ])
    const credentials = { name: '', revision: 1 }
    expect(await registry.findCredential('AKIDa')).toEqual({
      ...{ secretId: 'AKIDa', sealedKeys: [{ sealed: 'sealed a' }], scopes: ['send', 'query'] },
      ...{ datahubs: 'all', disabled: false, created: 100, changed: 100, ...credentials },
    })
    expect(await registry.findCredential('AKIDb')).toEqual({
      ...{ secretId: 'AKIDb', sealedKeys: [{ sealed: 'new' }, { sealed: 'old' }] },
      ...{ scopes: ['send'], datahubs: ['datahub-00000001'], disabled: true },
      ...{ created: 200, changed: 200, ...credentials },
    })
  })

  it('works on as one of today, and is taken over once', async ({ expect }) => {
    const registry = await oldRegistry(ROWS)
    const ref = { datahub: 'datahub-00000001' }
    await registry.applyTargets([fit('topic3')])
    valueOf(await registry.changeTaskState(ADMIN, ref, 'delete', 1))
    const named = drawnTask(9, { name: 'task2' })
    expect(rejectionOf(await registry.createTask(ADMIN, named))).toMatchObject({ name: 'task2' })
    valueOf(await registry.createTask(ADMIN, drawnTask(9, { name: 'task1' })))
    const before = valueOf(await registry.listTasks(ADMIN))
    await evictDurableObject(registry)
    expect(valueOf(await registry.listTasks(ADMIN))).toEqual(before)
    expect(before.map(({ name, revision }) => [name, revision])).toEqual([
      ['task1', 2],
      ['task2', 1],
      ['task3', 2],
      ['task1', 1],
    ])
    const tables = await runInDurableObject(registry, (_, { storage: { sql } }) =>
      sql.exec("SELECT name FROM sqlite_master WHERE name LIKE '%\\_1' ESCAPE '\\'").toArray(),
    )
    expect(tables).toEqual([])
  })

  it('that is empty becomes an empty one', async ({ expect }) => {
    const registry = await oldRegistry('')
    expect(valueOf(await registry.listTasks(ADMIN))).toEqual([])
    valueOf(await registry.createTask(ADMIN, drawnTask(1)))
  })
})
