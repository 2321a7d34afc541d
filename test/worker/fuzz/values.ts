/**
 * Values that no parameter wants, and changes of good ones: a tree of JSON is changed at some of its places, then written as JSON or as the
 * dotted names of a query, and the text is changed once more. All of it is plain data until it is written, so a case can be printed.
 */
import * as fc from 'fast-check'

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json }

/** Written into the text as they are: JSON that JSON.stringify does not write, and some that is none. */
const RAW: readonly string[] = [
  `${'['.repeat(20_000)}${']'.repeat(20_000)}`,
  `${'{"a":'.repeat(5_000)}1${'}'.repeat(5_000)}`,
  '1e999',
  '-0',
  '123456789012345678901234567890',
  '9007199254740993',
  '{"a":1,"a":2}',
  '{"__proto__":{"a":1}}',
  'NaN',
  '01',
  '"\\ud800"',
  '"\\u0000"',
  'undefined',
]

const rawToken = (index: number): string => `@raw ${index}`

const LONG: readonly number[] = [129, 300, 5_000, 70_000]

const hostileText = fc.oneof(
  { weight: 6, arbitrary: fc.string({ unit: 'binary', maxLength: 20 }) },
  {
    weight: 6,
    arbitrary: fc.constantFrom(
      ...[
        '',
        ' ',
        '\0',
        '\ud800',
        'a\udfffb',
        '__proto__',
        'constructor',
        'toString',
        '../..',
        '%00',
        "'--",
        'true',
        '1',
      ],
      ...[
        '-1',
        '1.5',
        '1e3',
        '99999999999999999999',
        'null',
        'NaN',
        '\u202e',
        '\ufeff',
        'datahub-aaaaaaaa',
        'task-aaaaaaaa',
      ],
    ),
  },
  { weight: 1, arbitrary: fc.constantFrom(...LONG).map((length) => 'x'.repeat(length)) },
  { weight: 1, arbitrary: fc.constantFrom(...LONG).map((length) => '\u4e2d'.repeat(length)) },
  { weight: 3, arbitrary: fc.nat(RAW.length - 1).map(rawToken) },
)

const hostileNumber = fc.constantFrom(
  -1,
  0,
  1,
  2,
  1.5,
  -1.5,
  500,
  2 ** 31,
  2 ** 53,
  -(2 ** 53),
  1e21,
  1e308,
  5e-324,
)

export const hostileValue: fc.Arbitrary<Json> = fc.oneof(
  { weight: 6, arbitrary: hostileText },
  { weight: 4, arbitrary: hostileNumber },
  { weight: 2, arbitrary: fc.constantFrom<Json>(null, true, false, [], {}, [null], [[]], [{}]) },
  { weight: 2, arbitrary: fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<Json> },
)

export { hostileText }

export type Change =
  | { how: 'replace' | 'add'; at: number; name: string; value: Json }
  | { how: 'delete'; at: number }
  /** An item of a list, or a value as a list of itself. */
  | { how: 'repeat'; at: number; times: number }

const place = fc.nat(50)
export const changes: fc.Arbitrary<Change[]> = fc.oneof(
  { weight: 2, arbitrary: fc.constant<Change[]>([]) },
  {
    weight: 5,
    arbitrary: fc.array(
      fc.oneof(
        {
          weight: 6,
          arbitrary: fc.record({
            how: fc.constantFrom('replace' as const, 'add' as const),
            at: place,
            name: fc.oneof(
              fc.constantFrom('__proto__', 'x', '0', 'Message', 'Limit', 'a.b', 'a_b'),
              hostileText,
            ),
            value: hostileValue,
          }),
        },
        { weight: 1, arbitrary: fc.record({ how: fc.constant('delete' as const), at: place }) },
        {
          weight: 1,
          arbitrary: fc.record({
            how: fc.constant('repeat' as const),
            at: place,
            times: fc.constantFrom(2, 20, 501),
          }),
        },
      ),
      { minLength: 1, maxLength: 3 },
    ),
  },
)

export function changed(tree: Json, list: readonly Change[]): Json {
  const root: Json[] = [structuredClone(tree)]
  // Once: what was repeated and is repeated again would soon have no end.
  const repeat = list.find(({ how }) => how === 'repeat')
  for (const change of list) {
    if (change.how === 'repeat' && change !== repeat) continue
    const places = placesOf(root)
    const found = places[change.at % places.length]
    // A copy: two changes may have one value, and the second may go into the first.
    if (found) applyChange(found, structuredClone(change))
  }
  return root[0] ?? null
}

interface Place {
  parent: Json[] | { [name: string]: Json }
  name: string
}

function placesOf(parent: Json[] | { [name: string]: Json }): Place[] {
  return Object.entries(parent).flatMap(([name, value]): Place[] => {
    const own = { parent, name }
    return typeof value === 'object' && value !== null
      ? [own, ...placesOf(value).slice(0, 50)]
      : [own]
  })
}

/** More than any body may have, and less than what the isolate of the tests can hold a few times. */
const MAX_REPEATED_CHARS = 12_000_000

function applyChange({ parent, name }: Place, change: Change): void {
  const at = parent as Record<string, Json>
  switch (change.how) {
    case 'replace':
      define(at, name, change.value)
      return
    case 'add': {
      const value = at[name]
      const isBranch = typeof value === 'object' && value !== null && !Array.isArray(value)
      if (isBranch) define(value, change.name, change.value)
      else if (Array.isArray(value)) value.push(change.value)
      return
    }
    case 'delete':
      if (Array.isArray(parent)) parent.splice(Number(name), 1)
      else delete parent[name]
      return
    case 'repeat': {
      const value = at[name] ?? null
      const [item = value] = Array.isArray(value) ? value : [value]
      const most = Math.max(Math.floor(MAX_REPEATED_CHARS / jsonText(item).length), 2)
      const length = Math.min(change.times, most)
      define(
        at,
        name,
        Array.from({ length }, () => item),
      )
    }
  }
}

/** As a field, also when it is called `__proto__`. */
function define(object: object, name: string, value: Json): void {
  Object.defineProperty(object, name, {
    value,
    writable: true,
    enumerable: true,
    configurable: true,
  })
}

/** Placeholders are whole texts. */
export function named(tree: Json, names: Readonly<Record<string, string>>): Json {
  if (typeof tree === 'string') return names[tree] ?? tree
  if (Array.isArray(tree)) return tree.map((item) => named(item, names))
  if (typeof tree !== 'object' || tree === null) return tree
  return Object.fromEntries(
    Object.entries(tree).map(([name, value]) => [name, named(value, names)]),
  )
}

export function jsonText(tree: Json): string {
  return JSON.stringify(tree).replaceAll(
    /"@raw (\d+)"/g,
    (_, index: string) => RAW[Number(index)] ?? '',
  )
}

/** `a.0.b`: the leaves of a tree by their dotted names. Empty branches have none. */
export function dotted(tree: Json, prefix = ''): [name: string, text: string][] {
  if (typeof tree !== 'object') {
    const raw = /^@raw (\d+)$/.exec(String(tree))?.[1]
    return [[prefix, raw === undefined ? String(tree) : (RAW[Number(raw)] ?? '')]]
  }
  if (tree === null) return []
  return Object.entries(tree).flatMap(([name, value]) =>
    dotted(value, prefix === '' ? name : `${prefix}.${name}`),
  )
}

export type TextChange =
  | { how: 'none' }
  | { how: 'cut'; at: number }
  | { how: 'insert'; at: number; bytes: readonly number[] }
  | { how: 'before' | 'after'; text: string }
  | { how: 'byte'; at: number; byte: number }

const where = fc.nat(10_000)
export const textChange: fc.Arbitrary<TextChange> = fc.oneof(
  { weight: 12, arbitrary: fc.constant<TextChange>({ how: 'none' }) },
  { weight: 1, arbitrary: fc.record({ how: fc.constant('cut' as const), at: where }) },
  {
    weight: 2,
    arbitrary: fc.record({
      how: fc.constant('insert' as const),
      at: where,
      bytes: fc.oneof(
        fc.constantFrom<readonly number[]>(
          [0xff],
          [0xc0, 0x80],
          [0xed, 0xa0, 0x80],
          [0xf0, 0x9f],
          [0x25, 0x7a, 0x7a],
          [0x25],
          [0x26, 0x26],
          [0x3d],
        ),
        fc.array(fc.nat(255), { minLength: 1, maxLength: 4 }),
      ),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      how: fc.constantFrom('before' as const, 'after' as const),
      text: fc.constantFrom(
        '\ufeff',
        ' \n',
        '{"DataHubId":1,',
        '}',
        '[',
        '&DataHubId=x&DataHubId=y',
        '&Action=x',
        '\0',
        '\u2028',
      ),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ how: fc.constant('byte' as const), at: where, byte: fc.nat(255) }),
  },
)

export function withTextChange(
  bytes: Uint8Array<ArrayBuffer>,
  change: TextChange,
): Uint8Array<ArrayBuffer> {
  const at = 'at' in change ? change.at % (bytes.length + 1) : 0
  switch (change.how) {
    case 'none':
      return bytes
    case 'cut':
      return bytes.slice(0, at)
    case 'insert':
      return joined(bytes.subarray(0, at), Uint8Array.from(change.bytes), bytes.subarray(at))
    case 'before':
      return joined(utf8(change.text), bytes)
    case 'after':
      return joined(bytes, utf8(change.text))
    case 'byte': {
      const copy = bytes.slice()
      if (copy.length > 0) copy[at % copy.length] = change.byte
      return copy
    }
  }
}

export function utf8(text: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new TextEncoder().encode(text))
}

function joined(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}
