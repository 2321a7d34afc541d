/** `/v1/schemas` and `/v1/schemas/{schemaId}`: what reports of the datahubs that are bound to one must look like. */
import { refuse, type AppContext } from '../context.ts'
import type { Done, ManagedSchema, SchemaControl } from '../registry/control-plane.ts'
import { NewSchema, SchemaChanges } from '../registry/forms.ts'
import {
  answerDone,
  answerNothing,
  answerPage,
  answerUnlessKnown,
  answerWithTag,
  changeIf,
  readChanges,
  readNew,
} from './managed.ts'

export async function createSchema(c: AppContext): Promise<Response> {
  const input = await readNew(c, NewSchema)
  if (input.status === 'rejected') return refuse(c, input.rejection)
  const created = await schemasOf(c).create(c.get('manager'), input.value)
  return answerDone(c, created, (schema) =>
    answerWithTag(201, show(schema), { Location: `/v1/schemas/${schema.schemaId}` }),
  )
}

export function listSchemas(c: AppContext): Promise<Response> {
  return answerPage(c, 'schemas', () => schemasOf(c).list(c.get('manager')), {
    keyOf: ({ created, schemaId }) => [created, schemaId],
    show,
  })
}

export async function getSchema(c: AppContext): Promise<Response> {
  return answerDone(c, await find(c), (schema) => answerUnlessKnown(c, show(schema)))
}

export async function changeSchema(c: AppContext): Promise<Response> {
  const input = await readChanges(c, SchemaChanges)
  if (input.status === 'rejected') return refuse(c, input.rejection)
  return changeIf(
    c,
    () => find(c),
    (guard) => schemasOf(c).modify(c.get('manager'), idOf(c), input.value, guard),
    (schema) => answerWithTag(200, show(schema)),
  )
}

export function deleteSchema(c: AppContext): Promise<Response> {
  return changeIf(
    c,
    () => find(c),
    (guard) => schemasOf(c).delete(c.get('manager'), idOf(c), guard),
    answerNothing,
  )
}

function find(c: AppContext): Promise<Done<ManagedSchema>> {
  return schemasOf(c).find(c.get('manager'), idOf(c))
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
