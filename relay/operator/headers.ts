/** Headers of a record as text. */
import type { IHeaders } from 'kafkajs'

/**
 * kafkajs gathers headers in a plain object and makes an array of what is there already, so that a header named like a method of all
 * objects (`toString`, `constructor`) comes as that method and the value.
 */
export function headerText(value: IHeaders[string]): string {
  const values = (Array.isArray(value) ? value : [value]) as unknown[]
  const last = values.findLast((v) => Buffer.isBuffer(v) || typeof v === 'string')
  return last === undefined ? '' : String(last)
}

/** The last of this name; undefined when there is none. */
export function headerOf(headers: IHeaders | undefined, name: string): string | undefined {
  return headers && Object.hasOwn(headers, name) ? headerText(headers[name]) : undefined
}
