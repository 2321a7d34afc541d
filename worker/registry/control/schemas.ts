/** Schemas in the control plane: draws ids, and refuses fields that contradict each other or themselves. */
import { rejected, type Rejection } from '../../rejection.ts'
import { schemaProblem } from '../../schema/define.ts'
import type { SchemaField } from '../../schema/form.ts'
import type { Done, ManagedSchema, SchemaControl } from '../control-plane.ts'
import type { NewSchema, SchemaChanges } from '../forms.ts'
import { LOWERCASE_ALPHABET, randomText } from '../random-text.ts'
import { nameOf, reached } from './reached.ts'

/** What it asks of the registry object. */
export interface SchemaRegistry {
  createSchema: (
    by: string,
    schema: NewSchema & { schemaId: string },
  ) => Promise<Done<ManagedSchema> | 'id_taken'>
  readSchema: (by: string, schemaId: string) => Promise<Done<ManagedSchema>>
  listSchemas: (by: string) => Promise<Done<ManagedSchema[]>>
  modifySchema: (
    by: string,
    schemaId: string,
    changes: SchemaChanges,
    ifRevision: number | undefined,
  ) => Promise<Done<ManagedSchema>>
  deleteSchema: (
    by: string,
    schemaId: string,
    ifRevision: number | undefined,
  ) => Promise<Done<ManagedSchema>>
}

export interface SchemaControlDeps {
  registry: SchemaRegistry
  randomBytes: (length: number) => Uint8Array<ArrayBuffer>
}

export function createSchemaControl({ registry, randomBytes }: SchemaControlDeps): SchemaControl {
  return {
    async create(by, input) {
      const wrong = wrongWith(input.fields)
      if (wrong) return rejected(wrong)
      for (;;) {
        const schemaId = `schema-${randomText(LOWERCASE_ALPHABET, 8, randomBytes)}`
        const created = await reached(registry.createSchema(nameOf(by), { ...input, schemaId }))
        if (created !== 'id_taken') return created
      }
    },

    find: (by, schemaId) => reached(registry.readSchema(nameOf(by), schemaId)),
    list: (by) => reached(registry.listSchemas(nameOf(by))),

    async modify(by, schemaId, changes, guard) {
      const wrong = changes.fields && wrongWith(changes.fields)
      if (wrong) return rejected(wrong)
      return reached(registry.modifySchema(nameOf(by), schemaId, changes, guard?.ifRevision))
    },

    delete: (by, schemaId, guard) =>
      reached(registry.deleteSchema(nameOf(by), schemaId, guard?.ifRevision)),
  }
}

/** So that a list of all schemas, or of all tasks with theirs, fits one RPC (32 MiB) and the object's memory. */
const MAX_SCHEMA_BYTES = 24_000

function wrongWith(fields: readonly SchemaField[]): Rejection | undefined {
  if (new TextEncoder().encode(JSON.stringify(fields)).length > MAX_SCHEMA_BYTES) {
    const problem = `as JSON they have at most ${MAX_SCHEMA_BYTES} bytes.`
    return { reason: 'invalid_value', path: 'fields', problem }
  }
  const problem = schemaProblem(fields)
  return problem && { reason: 'invalid_value', ...problem }
}
