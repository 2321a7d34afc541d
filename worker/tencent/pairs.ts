/**
 * The text of a query or a form (`application/x-www-form-urlencoded`) → decoded names and values in their order. Strict: what one reader
 * could take for one thing and another for something else is refused. It gives names no meaning.
 */
import type { Parsed } from '../parse.ts'

export type Pair = readonly [name: string, text: string]

/** Of one call, with the common ones: 500 messages with key and body are about 1,000. */
export const MAX_PARAMETERS = 2_048

/** A name that occurs twice is refused: neither a signature nor a reader can say which of the values counts. */
export function parsePairs(raw: string): Parsed<Pair[]> {
  const parts = raw.split('&', MAX_PARAMETERS + 1)
  if (parts.length > MAX_PARAMETERS) {
    return malformed('', `The request has more than ${MAX_PARAMETERS} parameters.`)
  }
  const pairs: Pair[] = []
  const names = new Set<string>()
  for (const part of parts) {
    if (part === '') continue
    const [rawName = ''] = part.split('=', 1)
    const name = decode(rawName)
    const text = decode(part.slice(rawName.length + 1))
    if (name === undefined || text === undefined) {
      return malformed(name ?? rawName, 'It is not the percent-encoding of UTF-8.')
    }
    if (names.has(name)) return malformed(name, 'It occurs more than once.')
    names.add(name)
    pairs.push([name, text])
  }
  return { status: 'ok', value: pairs }
}

/** A blank is `%20` from Node and `+` from all other SDKs. */
function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    return undefined
  }
}

/** The client's name of a parameter, or '' for all of them, and a sentence. */
export function malformed(path: string, problem: string): Parsed<never> {
  return { status: 'rejected', rejection: { reason: 'malformed_parameter', path, problem } }
}
