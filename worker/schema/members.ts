/**
 * The members of a JSON object as they stand in its text. A parsed number has lost what it was written as (9007199254740993 is ...992
 * then, 1.0 is 1), and a parsed object has lost all but the last of equal names. JSON.parse's reviver would show the sources, but calls a
 * function for each value and fails on deep ones; this goes over the text once, with a counter in place of a stack. It judges nothing
 * and expects text that JSON.parse takes and finds an object in.
 */

/** The sources of the members whose names are asked for, in order; more than one where the name is there more than once. */
export function memberSources(
  object: string,
  names: ReadonlySet<string>,
): ReadonlyMap<string, readonly string[]> {
  const sources = new Map<string, string[]>()
  let at = object.indexOf('{') + 1
  for (;;) {
    const nameStart = object.indexOf('"', at)
    // An object without members: after them the loop ends below.
    if (nameStart < 0) return sources
    const nameEnd = endOfText(object, nameStart)
    const start = object.indexOf(':', nameEnd) + 1
    const end = endOfValue(object, start)
    const name = nameOf(object.slice(nameStart, nameEnd))
    if (names.has(name)) {
      const source = object.slice(start, end).trim()
      const earlier = sources.get(name)
      if (earlier) earlier.push(source)
      else sources.set(name, [source])
    }
    if (object[end] === '}') return sources
    at = end + 1
  }
}

/** With its escapes resolved: `"\u0061"` is the name a. */
function nameOf(source: string): string {
  return source.includes('\\') ? String(JSON.parse(source)) : source.slice(1, -1)
}

/** Where the comma or the brace is that ends the value. */
function endOfValue(json: string, start: number): number {
  let depth = 0
  for (let at = start; at < json.length; at++) {
    switch (json[at]) {
      case '"':
        at = endOfText(json, at) - 1
        break
      case '{':
      case '[':
        depth++
        break
      case '}':
      case ']':
        if (depth === 0) return at
        depth--
        break
      case ',':
        if (depth === 0) return at
        break
      default:
    }
  }
  return json.length
}

/** After the closing quote of the text that opens at `start`. */
function endOfText(json: string, start: number): number {
  for (let at = start + 1; at < json.length; at++) {
    const quote = json.indexOf('"', at)
    if (quote < 0) break
    let backslashes = 0
    while (json[quote - 1 - backslashes] === '\\') backslashes++
    if (backslashes % 2 === 0) return quote + 1
    at = quote
  }
  return json.length
}
