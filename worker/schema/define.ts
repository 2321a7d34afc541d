/**
 * What is wrong with a schema that its form (`form.ts`) does not see: names that are there twice, defaults that do not fit their types. A
 * default of a field that may not be missing is no mistake; it is never written.
 */
import type { SchemaField } from './form.ts'
import { defaultLiteral, literalProblem } from './literal.ts'

/** `path` is dotted with a zero-based index (`fields.2.default`); `problem` is a sentence. */
export interface SchemaProblem {
  path: string
  problem: string
}

/** The first one, or undefined. */
export function schemaProblem(fields: readonly SchemaField[]): SchemaProblem | undefined {
  const places = new Map<string, number>()
  for (const [index, field] of fields.entries()) {
    const earlier = places.get(field.name)
    if (earlier !== undefined) {
      const problem = `the name ${field.name} is that of fields.${earlier} already.`
      return { path: `fields.${index}.name`, problem }
    }
    places.set(field.name, index)
    const problem = defaultProblem(field)
    if (problem !== undefined) return { path: `fields.${index}.default`, problem }
  }
  return undefined
}

function defaultProblem({ type, default: value }: SchemaField): string | undefined {
  if (value === undefined) return undefined
  if (typeof value === 'string' && !value.isWellFormed()) return 'the text has a lone surrogate.'
  const literal = defaultLiteral(type, value)
  if (type === 'INT64' && typeof value === 'string' && literal !== value) {
    return 'an INT64 must be given as a number or, as text, in decimal digits.'
  }
  // Beyond 2^53 a number may have lost digits before we saw it, and what would be written is another one.
  if (type === 'INT64' && typeof value === 'number' && Math.abs(value) > Number.MAX_SAFE_INTEGER) {
    return 'an INT64 beyond 2^53 must be given as text, in decimal digits.'
  }
  const problem = literalProblem(type, literal)
  return problem && `it ${problem}.`
}
