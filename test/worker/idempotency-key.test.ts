import * as fc from 'fast-check'
import { describe, it } from 'vitest'
import { parseIdempotencyKey } from '../../worker/idempotency-key.ts'

/** What the header's value is after the platform has read it. */
function read(value: string): string | null {
  return new Headers({ 'Idempotency-Key': value }).get('Idempotency-Key')
}

function problemOf(header: string | null): string {
  const parsed = parseIdempotencyKey(header)
  if (parsed.status === 'ok') return `taken as ${parsed.value}`
  return 'problem' in parsed.rejection ? parsed.rejection.problem : ''
}

describe('Idempotency-Key', () => {
  it.for([
    ['abc', 'abc'],
    ['"abc"', 'abc'],
    ['  "abc"\t', 'abc'],
    ['8e03978e-40d5-43dd-bc93-6894a57f9324', '8e03978e-40d5-43dd-bc93-6894a57f9324'],
    ['"8e03978e-40d5-43dd-bc93-6894a57f9324"', '8e03978e-40d5-43dd-bc93-6894a57f9324'],
    ['"a b, c; d=1"', 'a b, c; d=1'],
    [String.raw`"say \"hi\" \\ bye"`, String.raw`say "hi" \ bye`],
    ["!#$%&'*+-.^_`|~9Az", "!#$%&'*+-.^_`|~9Az"],
    ['urn:order/7', 'urn:order/7'],
    ['" "', ' '],
    ['x'.repeat(255), 'x'.repeat(255)],
    [`"${'\\"'.repeat(255)}"`, '"'.repeat(255)],
  ] as const)('%s is the key %s', ([value, key], { expect }) => {
    expect(parseIdempotencyKey(read(value))).toEqual({ status: 'ok', value: key })
  })

  it('may be left out', ({ expect }) => {
    expect(parseIdempotencyKey(null)).toEqual({ status: 'ok', value: undefined })
  })

  it.for([
    ['an empty value', '', 'it is empty'],
    ['an empty string', '""', '1 to 255 characters are expected, not 0'],
    ['256 characters', 'x'.repeat(256), 'not 256'],
    ['256 characters in quotes', `"${'x'.repeat(256)}"`, 'not 256'],
    ['no closing quote', '"abc', 'not closed'],
    ['an escaped closing quote', String.raw`"abc\"`, 'not closed'],
    ['another escape', String.raw`"a\n"`, 'backslash'],
    ['a quote alone', '"', 'not closed'],
    ['text after the string', '"abc"d', 'one key'],
    ['a parameter', '"abc";x=1', 'without parameters'],
    ['a parameter of a token', 'abc;x', 'without parameters'],
    ['two strings', '"a", "b"', 'one key'],
    ['two tokens', 'a, b', 'one key'],
    ['a token with a space', 'a b', 'in double quotes'],
    ['a token with a quote', 'a"b', 'in double quotes'],
    ['a token with a backslash', String.raw`a\b`, 'in double quotes'],
    ['base64 with padding', 'YWJj==', 'in double quotes'],
    ['a byte sequence', ':YWJj:', 'in double quotes'],
    ['a list in parentheses', '("a" "b")', 'in double quotes'],
    ['an umlaut', 'ü', 'ASCII'],
    ['an umlaut in quotes', '"ü"', 'ASCII'],
    ['a tab in quotes', '"a\tb"', 'ASCII'],
  ] as const)('is refused with %s', ([, value, problem], { expect }) => {
    expect(problemOf(read(value))).toContain(problem)
  })

  it('is refused when the header comes twice', ({ expect }) => {
    for (const value of ['abc', '"abc"']) {
      const headers = new Headers({ 'Idempotency-Key': value })
      headers.append('Idempotency-Key', value)
      expect(problemOf(headers.get('Idempotency-Key'))).toContain('one key')
    }
  })

  it('of any printable ASCII comes back from its quoted form as it was', ({ expect }) => {
    const printable = fc.integer({ min: 0x20, max: 0x7e }).map((c) => String.fromCharCode(c))
    fc.assert(
      fc.property(fc.string({ unit: printable, minLength: 1, maxLength: 255 }), (key) => {
        const header = `"${key.replaceAll(/["\\]/g, String.raw`\$&`)}"`
        expect(parseIdempotencyKey(read(header))).toEqual({ status: 'ok', value: key })
      }),
    )
  })

  it('is read in one way or refused, whatever the header is', ({ expect }) => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary-ascii' }), (header) => {
        const parsed = parseIdempotencyKey(header)
        if (parsed.status === 'rejected') return
        expect(parsed.value).toMatch(/^[\x20-\x7e]{1,255}$/)
        if (!header.startsWith('"')) expect(parsed.value).toBe(header)
      }),
    )
  })
})
