/** `/v1/schemas` and `/v1/schemas/{schemaId}`: what reports of the datahubs that are bound to one must look like. */
import { refuse, type AppContext } from '../context.ts'
import type { ManagedSchema, SchemaControl } from '../registry/control-plane.ts'
import { NewSchema, SchemaChanges } from '../registry/forms.ts'
import { answerDone, answerNothing, answerWithTag, readNew, routesOf } from './managed.ts'

export async function createSchema(c: AppContext): Promise<Response> {
  const input = await readNew(c, NewSchema)
  if (input.status === 'rejected') return refuse(c, input.rejection)
  const created = await schemasOf(c).create(c.get('manager'), input.value)
  return answerDone(c, created, (schema) =>
    answerWithTag(201, show(schema), { Location: `/v1/schemas/${schema.schemaId}` }),
  )
}

const schemas = routesOf({
  list: 'schemas',
  changes: SchemaChanges,
  keyOf: ({ created, schemaId }) => [created, schemaId],
  show,
  all: (c) => schemasOf(c).list(c.get('manager')),
  find: (c) => schemasOf(c).find(c.get('manager'), idOf(c)),
  modify: (c, changes, guard) => schemasOf(c).modify(c.get('manager'), idOf(c), changes, guard),
})

export const { list: listSchemas, get: getSchema, change: changeSchema } = schemas

export function deleteSchema(c: AppContext): Promise<Response> {
  const remove = (guard: { ifRevision?: number }) =>
    schemasOf(c).delete(c.get('manager'), idOf(c), guard)
  return schemas.act(c, remove, answerNothing)
}

function schemasOf(c: AppContext): SchemaControl {
  return c.get('services').control.schemas
}

function idOf(c: AppContext): string {
  return c.req.param('schemaId') ?? ''
}

function show({ schemaId, name, fields, datahubs, created, changed, revision }: ManagedSchema) {
  return { schemaId, name, fields, datahubs, created, changed, revision }
}
