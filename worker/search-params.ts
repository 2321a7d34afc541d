/**
 * The parameters of a REST address → checked values, or the first thing wrong. One that is not known or is there twice is refused, not
 * ignored: a list that a mistyped filter passed over would show what was to be left out. Pure.
 */
import * as z from 'zod/mini'
import { parseAs, type Parsed } from './parse.ts'
import { rejected } from './rejection.ts'

/** Each parameter is a text, or absent. */
export function parseSearch<T>(search: URLSearchParams, schema: z.ZodMiniType<T>): Parsed<T> {
  const names = [...search.keys()]
  const repeated = names.find((name, i) => names.indexOf(name) < i)
  if (repeated !== undefined) {
    return rejected({ reason: 'invalid_value', path: repeated, problem: 'it is there twice.' })
  }
  return parseAs(Object.fromEntries(search), schema)
}

/** A decimal number, both bounds included. */
export function whole(min: number, max: number): z.ZodMiniType<number> {
  const problem = `a whole number from ${min} to ${max} is expected`
  return z.pipe(
    z.pipe(z.string().check(z.regex(/^\d{1,10}$/, problem)), z.transform(Number)),
    z.number().check(z.minimum(min, problem), z.maximum(max, problem)),
  )
}
