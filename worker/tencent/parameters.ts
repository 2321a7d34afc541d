/**
 * The parameters of a call, whichever way they came: a JSON body, or the dotted names of a query or form (`Message.0.Body`). It builds the
 * tree and knows no action; which parameters there may be, and of which type, is the action's business.
 */
import type { Parsed } from '../parse.ts'
import { parseObject, type JsonObject } from './json-object.ts'
import { malformed, parsePairs, type Pair } from './pairs.ts'

export interface CallParameters {
  fields: JsonObject
  /** false: every leaf is a text, whatever the action wants there (query and form). */
  typed: boolean
}

/** Deeper than any parameter of the API. */
const MAX_PARTS = 16

/** Gaps are closed, so this bounds no memory, only nonsense. */
const MAX_INDEX = 9_999

/** An empty body has none. */
export function parametersOfJson(body: Uint8Array): Parsed<CallParameters> {
  const json = parseObject(body)
  if ('rejection' in json) return { status: 'rejected', rejection: json.rejection }
  return { status: 'ok', value: { fields: json.fields, typed: true } }
}

/** As in the request line, not decoded. */
export function parametersOfQuery(rawQuery: string): Parsed<CallParameters> {
  const pairs = parsePairs(rawQuery)
  return pairs.status === 'ok' ? parametersOfPairs(pairs.value) : pairs
}

/**
 * A part of digits alone is an index. They may have gaps: Go leaves out what is an empty text, and with it a message that has nothing
 * else. The gaps are closed, in the order of the indexes; so a later refusal counts what is there. What Go left out is then absent: an
 * empty Key is none anyway, an empty Body has to be sent as JSON.
 */
export function parametersOfPairs(pairs: readonly Pair[]): Parsed<CallParameters> {
  const root: Branch = new Map()
  for (const [name, text] of pairs) {
    const problem = plant(root, name, text)
    if (problem !== undefined) return malformed(name, problem)
  }
  const fields = objectOf(root, '')
  return fields.status === 'ok'
    ? { status: 'ok', value: { fields: fields.value, typed: false } }
    : fields
}

/** A map, not an object: a client may call a parameter `__proto__`. */
type Branch = Map<string, Branch | string>

/** What is wrong with the name, as a sentence. */
function plant(root: Branch, name: string, text: string): string | undefined {
  const parts = name.split('.', MAX_PARTS + 1)
  if (parts.length > MAX_PARTS) return `It has more than ${MAX_PARTS} parts.`
  if (parts.includes('')) return 'A part of its name is empty.'
  const last = parts.pop() ?? ''
  let branch = root
  for (const part of parts) {
    const next = branch.get(part) ?? new Map()
    if (typeof next === 'string') return `\`${part}\` has a value and can't have parts.`
    branch.set(part, next)
    branch = next
  }
  if (branch.has(last)) return "It has parts and can't have a value."
  branch.set(last, text)
  return undefined
}

/** As deep as a name has parts. */
function valueOf(node: Branch | string, path: string): Parsed<unknown> {
  if (typeof node === 'string') return { status: 'ok', value: node }
  const indexes = [...node.keys()].filter((part) => /^\d+$/.test(part))
  if (indexes.length === 0) return objectOf(node, `${path}.`)
  if (indexes.length < node.size) return malformed(path, 'It has both indexes and names.')
  const wrong = indexes.find((index) => Number(index) > MAX_INDEX || /^0\d/.test(index))
  if (wrong !== undefined) {
    return malformed(`${path}.${wrong}`, `An index is 0 to ${MAX_INDEX}, without leading zeros.`)
  }
  const items: unknown[] = []
  for (const index of indexes.sort((a, b) => Number(a) - Number(b))) {
    const item = valueOf(node.get(index) ?? '', `${path}.${index}`)
    if (item.status === 'rejected') return item
    items.push(item.value)
  }
  return { status: 'ok', value: items }
}

function objectOf(branch: Branch, prefix: string): Parsed<JsonObject> {
  const entries: [string, unknown][] = []
  for (const [part, node] of branch) {
    const value = valueOf(node, prefix + part)
    if (value.status === 'rejected') return value
    entries.push([part, value.value])
  }
  // Defines properties, and so takes `__proto__` for a name like any other.
  return { status: 'ok', value: Object.fromEntries(entries) }
}
