// A schema of given fields, as the directory hands it out.
import type { Schema, SchemaField } from '../../../worker/schema/form.ts'

export type FieldOf = Pick<SchemaField, 'name' | 'type'> & Partial<SchemaField>

export function schemaOf(...fields: FieldOf[]): Schema {
  return {
    schemaId: 'schema-abcdefgh',
    name: 'orders',
    fields: fields.map((field) => ({ allowNull: true, ...field })),
  }
}
