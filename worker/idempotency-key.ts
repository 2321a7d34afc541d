/**
 * The header `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header) → the key, or what is wrong with it. The draft's form is a
 * quoted string (RFC 9651 section 3.3.3); a bare token is taken too, because many clients send one, and names the same key. Pure.
 * Anything else is refused: a key that is read in another way than it was meant would merge what is not the same, or double what is.
 */
import type { Parsed } from './parse.ts'
import { rejected } from './rejection.ts'

const MAX_KEY_CHARS = 255

/** undefined without the header. */
export function parseIdempotencyKey(header: string | null): Parsed<string | undefined> {
  if (header === null) return { status: 'ok', value: undefined }
  if (header === '') return invalid('it is empty.')
  if (/[^\x20-\x7e]/.test(header)) return invalid('only printable ASCII is allowed.')
  return header.startsWith('"') ? quoted(header) : bare(header)
}

function quoted(header: string): Parsed<string> {
  const [, inside = '', rest] = /^"((?:[^"\\]|\\["\\])*)"(.*)$/.exec(header) ?? []
  if (rest === undefined) {
    return invalid('the quotes are not closed, or a backslash stands before anything but " and \\.')
  }
  if (rest !== '') return invalid('one key without parameters is expected.')
  return ofLength(inside.replaceAll(/\\(.)/g, '$1'))
}

/** A token of RFC 9110 section 5.6.2, after its first character also with ":" and "/", as RFC 9651 section 3.3.4 has it. */
function bare(header: string): Parsed<string> {
  if (/^[\w!#$%&'*+\-.^`|~][\w!#$%&'*+\-.^`|~:/]*$/.test(header)) return ofLength(header)
  return invalid('one key without parameters is expected, in double quotes if it is no token.')
}

function ofLength(key: string): Parsed<string> {
  if (key.length > 0 && key.length <= MAX_KEY_CHARS) return { status: 'ok', value: key }
  return invalid(`1 to ${MAX_KEY_CHARS} characters are expected, not ${key.length}.`)
}

function invalid(problem: string): Parsed<never> {
  return rejected({ reason: 'invalid_header', header: 'Idempotency-Key', problem })
}
