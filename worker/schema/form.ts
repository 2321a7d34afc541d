/**
 * Schemas: what the value of a report must look like, a JSON object with typed fields. This file is their form at the boundary and in
 * storage; checking a value is `check.ts`.
 */
import * as z from 'zod/mini'

export const FIELD_TYPES = [
  'BOOLEAN',
  'INT8',
  'INT16',
  'INT32',
  'INT64',
  'FLOAT32',
  'FLOAT64',
  'STRING',
] as const
export type FieldType = (typeof FIELD_TYPES)[number]

/** As Tencent documents for a schema. */
export const MAX_SCHEMA_FIELDS = 100

export const SchemaField = z.strictObject({
  name: z
    .string()
    .check(z.regex(/^[A-Za-z0-9_.-]{1,128}$/, 'it has 1 to 128 letters, digits, "_", "-" and "."')),
  type: z.enum(FIELD_TYPES),
  /** Whether the field may be missing or null. */
  allowNull: z._default(z.boolean(), true),
  /** What is written where the field is missing. An INT64 beyond 2^53 is given as text. */
  default: z.optional(z.union([z.string().check(z.maxLength(1_024)), z.number(), z.boolean()])),
})
export type SchemaField = z.infer<typeof SchemaField>

export interface Schema {
  schemaId: string
  name: string
  fields: readonly SchemaField[]
}
