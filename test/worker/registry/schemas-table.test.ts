import { evictDurableObject, runInDurableObject } from 'cloudflare:test'
import { afterEach, beforeEach, describe, it, vi } from 'vitest'
import type { Registry } from '../../../worker/registry/registry.ts'
import { MAX_SCHEMAS } from '../../../worker/registry/schemas-table.ts'
import type { SchemaField } from '../../../worker/schema/form.ts'
import {
  ADMIN,
  drawnCredential,
  drawnTask,
  newRegistry,
  one,
  rejectionOf,
  setClock,
  START,
  valueOf,
  type Stub,
} from './rig.ts'

const fields: SchemaField[] = [{ name: 'f', type: 'INT64', allowNull: false, default: '9' }]
const schemaId = 'schema-00000001'
const schema = { schemaId, name: 's1', fields }
const two = { datahub: drawnTask(2).datahub }

beforeEach(() => setClock(START))
afterEach(() => void vi.useRealTimers())

/** Two tasks; the schema is bound to the first. */
async function withBound(): Promise<Stub> {
  const registry = newRegistry()
  valueOf(await registry.createSchema(ADMIN, schema))
  valueOf(await registry.createTask(ADMIN, drawnTask(1, { schemaId })))
  valueOf(await registry.createTask(ADMIN, drawnTask(2)))
  return registry
}

describe('a schema', () => {
  it('is given back as it was made, also after an eviction', async ({ expect }) => {
    const registry = newRegistry()
    valueOf(await registry.createSchema(ADMIN, schema))
    await evictDurableObject(registry)
    const shown = { ...schema, revision: 1, created: START, changed: START, datahubs: [] }
    expect(valueOf(await registry.readSchema(ADMIN, schemaId))).toEqual(shown)
    expect(valueOf(await registry.listSchemas(ADMIN))).toEqual([shown])
    const nowhere = { reason: 'schema_not_found', schemaId: 'schema-x' }
    expect(rejectionOf(await registry.readSchema(ADMIN, 'schema-x'))).toEqual(nowhere)
  })

  it('comes to the edges with its task, as it is now', async ({ expect }) => {
    const registry = await withBound()
    expect((await registry.findTask(one.datahub))?.schema).toEqual(schema)
    expect(await registry.findTask(two.datahub)).not.toHaveProperty('schema')
    const other: SchemaField[] = [{ name: 'g', type: 'BOOLEAN', allowNull: true }]
    const changed = await registry.modifySchema(ADMIN, schemaId, { fields: other }, 1)
    expect(valueOf(changed)).toMatchObject({ revision: 2, datahubs: [one.datahub] })
    expect((await registry.findTask(one.datahub))?.schema).toEqual({ ...schema, fields: other })
  })

  it('is bound and unbound by its task, and has to exist', async ({ expect }) => {
    const registry = await withBound()
    const bound = async () => valueOf(await registry.readSchema(ADMIN, schemaId)).datahubs
    valueOf(await registry.modifyTask(ADMIN, two, { schemaId }, undefined))
    expect(await bound()).toEqual([one.datahub, two.datahub])
    valueOf(await registry.modifyTask(ADMIN, one, { schemaId: null }, undefined))
    expect(await bound()).toEqual([two.datahub])
    expect(await registry.findTask(one.datahub)).not.toHaveProperty('schema')
    const notFound = { reason: 'schema_not_found', schemaId: 'schema-x' }
    const created = await registry.createTask(ADMIN, drawnTask(3, { schemaId: 'schema-x' }))
    expect(rejectionOf(created)).toEqual(notFound)
    const modified = await registry.modifyTask(ADMIN, one, { schemaId: 'schema-x' }, undefined)
    expect(rejectionOf(modified)).toEqual(notFound)
  })

  it('is not deleted while it is bound', async ({ expect }) => {
    const registry = await withBound()
    const refused = rejectionOf(await registry.deleteSchema(ADMIN, schemaId, undefined))
    expect(refused).toEqual({ reason: 'schema_in_use', schemaId, datahubs: [one.datahub] })
    valueOf(await registry.modifyTask(ADMIN, one, { schemaId: null }, undefined))
    valueOf(await registry.deleteSchema(ADMIN, schemaId, 1))
    expect(valueOf(await registry.listSchemas(ADMIN))).toEqual([])
  })

  it('has a name and an id of its own', async ({ expect }) => {
    const registry = newRegistry()
    valueOf(await registry.createSchema(ADMIN, schema))
    const taken = { reason: 'name_taken', path: 'name', name: 's1' }
    const second = { ...schema, schemaId: 'schema-00000002' }
    expect(rejectionOf(await registry.createSchema(ADMIN, second))).toEqual(taken)
    expect(await registry.createSchema(ADMIN, { ...schema, name: 's2' })).toBe('id_taken')
    valueOf(await registry.createSchema(ADMIN, { ...second, name: 's2' }))
    const renamed = await registry.modifySchema(ADMIN, second.schemaId, { name: 's1' }, undefined)
    expect(rejectionOf(renamed)).toEqual(taken)
    const own = await registry.modifySchema(ADMIN, schemaId, { name: 's1', fields }, undefined)
    expect(valueOf(own).revision).toBe(1)
  })

  it('there are so many of, and no more', async ({ expect }) => {
    const registry = newRegistry()
    await runInDurableObject(registry, async (object: Registry) => {
      for (let i = 0; i < MAX_SCHEMAS; i++) {
        object.createSchema(ADMIN, { schemaId: `schema-${i}`, name: `s${i}`, fields })
      }
    })
    const more = await registry.createSchema(ADMIN, { ...schema, name: 'more' })
    expect(rejectionOf(more)).toMatchObject({ reason: 'quota_exceeded', limit: MAX_SCHEMAS })
  })

  it('is changed by exactly one of those who saw the same revision', async ({ expect }) => {
    const registry = await withBound()
    const results = await Promise.all(
      Array.from({ length: 10 }, (_, i) =>
        registry.modifySchema(ADMIN, schemaId, { name: `n${i}` }, 1),
      ),
    )
    expect(results.filter(({ status }) => status === 'done')).toHaveLength(1)
  })

  it('that is bound beyond what a credential may manage is not for it to change', async ({
    expect,
  }) => {
    const registry = await withBound()
    const datahubs = [one.datahub]
    const manager = drawnCredential(1, { scopes: ['manage'], datahubs })
    valueOf(await registry.createCredential(ADMIN, manager))
    const modify = async (name: string) =>
      registry.modifySchema('AKID1', schemaId, { name }, undefined)
    expect(valueOf(await modify('mine'))).toMatchObject({ name: 'mine', datahubs })

    valueOf(await registry.modifyTask(ADMIN, two, { schemaId }, undefined))
    expect(rejectionOf(await modify('other'))).toMatchObject({ reason: 'forbidden' })
    const deleted = await registry.deleteSchema('AKID1', schemaId, undefined)
    expect(rejectionOf(deleted)).toMatchObject({ reason: 'forbidden' })
    // What it is told names no datahub but its own.
    expect(JSON.stringify([await modify('other'), deleted])).not.toContain(two.datahub)
    expect(valueOf(await registry.readSchema('AKID1', schemaId)).datahubs).toEqual(datahubs)
    expect(valueOf(await registry.listSchemas('AKID1'))).toMatchObject([{ datahubs }])
  })
})
