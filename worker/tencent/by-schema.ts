/**
 * Makes of a call's parameters what their schema expects to be given: a null is an absent parameter at every depth, and a text that came in
 * a query or form becomes the number or boolean that belongs there. It checks nothing: what does not convert stays as it is, for the schema
 * to refuse. It goes as deep as the schema does, so no nesting of the client's can exhaust the stack.
 */
import * as z from 'zod/mini'
import { isObject } from './json-object.ts'

/** `true` and `false` from Node, Go and Java, with capitals from Python, `1` and `0` from PHP. */
const BOOLEANS = new Map([
  ['true', true],
  ['True', true],
  ['1', true],
  ['false', false],
  ['False', false],
  ['0', false],
])

/** `typed`: the leaves have their types already, as in JSON. */
export function fitToSchema(schema: z.core.$ZodType, value: unknown, typed: boolean): unknown {
  const { def } = (schema as z.core.$ZodTypes)._zod
  switch (def.type) {
    case 'optional':
    case 'nullable':
    case 'default':
    case 'prefault':
    case 'nonoptional':
    case 'readonly':
      return fitToSchema(def.innerType, value, typed)
    case 'pipe':
      return fitToSchema(def.in, value, typed)
    case 'object':
      return isObject(value) ? fitObject(def.shape, value, typed) : value
    case 'array':
      return Array.isArray(value)
        ? value.map((item) => fitToSchema(def.element, item, typed))
        : value
    case 'union':
      return fitUnion(def.options, value, typed)
    case 'number':
      return !typed && typeof value === 'string' && NUMBER.test(value) ? Number(value) : value
    case 'boolean':
      return !typed && typeof value === 'string' ? (BOOLEANS.get(value) ?? value) : value
    case 'literal':
      return typed ? value : (def.values.find((known) => String(known) === value) ?? value)
    default:
      return value
  }
}

/** Decimal; whether it may have a fraction is for the schema to say. */
const NUMBER = /^-?\d{1,20}(\.\d{1,20})?$/

/** An unknown field is kept for the schema to refuse, unless it is null. */
function fitObject(
  shape: Readonly<Record<string, z.core.$ZodType>>,
  fields: Record<string, unknown>,
  typed: boolean,
): Record<string, unknown> {
  const given = Object.entries(fields).filter(([, value]) => value !== null)
  return Object.fromEntries(
    given.map(([name, value]) => {
      const schema = Object.hasOwn(shape, name) ? shape[name] : undefined
      return [name, schema ? fitToSchema(schema, value, typed) : value]
    }),
  )
}

/** The first option that takes it; if none does, the first one's words are the refusal's. */
function fitUnion(options: readonly z.core.$ZodType[], value: unknown, typed: boolean): unknown {
  const fits = options.map((option) => fitToSchema(option, value, typed))
  const found = options.findIndex((option, i) => z.safeParse(option, fits[i]).success)
  return fits[Math.max(found, 0)]
}
