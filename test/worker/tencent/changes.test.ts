/**
 * Every change of one byte of a signed part of a captured request is refused. What the verification ignores on purpose is the list
 * IGNORED, with the reason; the test asserts that exactly these changes are accepted, and that no entry of the list is idle.
 */
import { describe, it } from 'vitest'
import type { SignedRequest } from '../../../worker/tencent/signed-request.ts'
import {
  captureOf,
  clockOf,
  headerOf,
  reasonOf,
  signedNames,
  signedRequestOf,
  tc3Names,
  verify,
  type Capture,
} from './captures.ts'

type Part =
  | 'method'
  | 'path'
  | 'query'
  | 'host'
  | 'content-type'
  | 'x-tc-timestamp'
  | 'authorization'
  | 'form'

interface Change {
  capture: Capture
  part: Part
  before: string
  after: string
}

interface Ignored {
  what: string
  why: string
  parts: Part[]
  covers: (change: Change) => boolean
}

const isV1 = ({ vector }: Capture) => vector.scheme !== 'TC3-HMAC-SHA256'
const isUnsigned = (capture: Capture) => headerOf(capture, 'x-tc-content-sha256') !== ''
const bareOf = (host: string) => host.replace(/:\d+$/, '')

const IGNORED: Ignored[] = [
  {
    what: 'letter case of the host and of the content type',
    why: 'both mean the same in any case, and hand-written clients sign lower case',
    parts: ['host', 'content-type'],
    covers: ({ capture, part, before, after }) =>
      !(isV1(capture) && part === 'content-type') && after.toLowerCase() === before.toLowerCase(),
  },
  {
    what: 'blanks around a header value',
    why: 'HTTP does not count them as part of the value (RFC 9110 section 5.5)',
    parts: ['host', 'content-type', 'x-tc-timestamp', 'authorization'],
    covers: ({ before, after }) => after.trim() === before,
  },
  {
    what: 'blanks after the algorithm and around the commas of Authorization',
    why: 'they are no part of what is signed; the form allows them',
    parts: ['authorization'],
    covers: ({ before, after }) => withoutBlanks(after) === withoutBlanks(before),
  },
  {
    what: 'the digits of the port, where the client signed the bare host name',
    why: 'Node signs no port, so none is protected',
    parts: ['host'],
    covers: ({ capture, before, after }) =>
      capture.signedHost === bareOf(before) && bareOf(after) === capture.signedHost,
  },
  {
    what: 'any byte of the host, where the client signed an alias',
    why: 'the apigw endpoint setting: the signed name is not the one it sends to',
    parts: ['host'],
    covers: ({ capture }) => capture.signedHost === 'ckafka.tencentcloudapi.com',
  },
  {
    what: 'the path, where the client signed `/`',
    why: 'Go signs `/` whatever the path of its endpoint',
    parts: ['path'],
    covers: ({ capture }) => capture.signedPath === '/',
  },
  {
    what: 'the query of a POST',
    why: 'it is no part of what is signed; nothing is read from it',
    parts: ['query'],
    covers: ({ capture }) => capture.method === 'POST',
  },
  {
    what: 'v1: the content type, as long as the parameters are found where they were',
    why: 'v1 signs parameters, not bytes; a GET has no body to have a type',
    parts: ['content-type'],
    covers: ({ capture, after }) =>
      isV1(capture) &&
      (capture.method === 'GET' ||
        /^application\/x-www-form-urlencoded *(;|$)/i.test(after.trim())),
  },
  {
    what: 'v1: another encoding of the same names and values',
    why: 'v1 signs them decoded: `%2F` is `%2f`, and a name without `=` has an empty value',
    parts: ['query', 'form'],
    covers: ({ capture, before, after }) => isV1(capture) && decoded(after) === decoded(before),
  },
]

/** By the platform's own reader. */
function decoded(form: string): string {
  return JSON.stringify([...new URLSearchParams(form)])
}

function withoutBlanks(authorization: string): string {
  return authorization
    .trim()
    .replace(/^TC3-HMAC-SHA256 +/, 'TC3-HMAC-SHA256 ')
    .replaceAll(/ *, */g, ',')
}

/** Each character replaced by two others, left out, and preceded by a blank. All parts are ASCII. */
function* changesOf(before: string): Generator<string> {
  for (let i = 0; i < before.length; i++) {
    const [head, code, tail] = [before.slice(0, i), before.charCodeAt(i), before.slice(i + 1)]
    yield `${head}${String.fromCharCode(code ^ 1)}${tail}`
    yield `${head}${String.fromCharCode(code ^ 0x20)}${tail}`
    yield head + tail
    yield `${head} ${before.slice(i)}`
  }
  yield `${before} `
}

function partOf(request: SignedRequest, part: Part): string {
  if (part === 'method') return request.method
  if (part === 'path') return request.rawPath
  if (part === 'query') return request.rawQuery
  if (part === 'form') return new TextDecoder().decode(request.body)
  return request.headers.get(part) ?? ''
}

/** undefined: HTTP can't carry it. */
function withPart(request: SignedRequest, part: Part, text: string): SignedRequest | undefined {
  if (part === 'method') return { ...request, method: text }
  if (part === 'path') return { ...request, rawPath: text }
  if (part === 'query') return { ...request, rawQuery: text }
  if (part === 'form') return { ...request, body: new TextEncoder().encode(text) }
  const headers = new Headers(request.headers)
  try {
    headers.set(part, text)
  } catch {
    return undefined
  }
  return { ...request, headers }
}

async function isAccepted(request: SignedRequest, now: number): Promise<boolean> {
  return reasonOf(await verify(request, { now })) === 'verified'
}

/** A header that was not sent is no part, but a query that was not sent is one. */
function partsOf(capture: Capture): Part[] {
  const headers = (['host', 'content-type', 'x-tc-timestamp', 'authorization'] as const).filter(
    (name) => headerOf(capture, name) !== '',
  )
  const isForm = isV1(capture) && capture.method === 'POST'
  return ['method', 'path', 'query', ...headers, ...(isForm ? (['form'] as const) : [])]
}

const used = new Set<Ignored>()

describe('a request with one byte changed', () => {
  it.for(signedNames)('%s: head, query and form', async (name, { expect }) => {
    const capture = captureOf(name)
    const request = signedRequestOf(capture)
    const now = clockOf(capture)
    const wrong: object[] = []
    let changes = 0
    for (const part of partsOf(capture)) {
      const before = partOf(request, part)
      for (const after of changesOf(before)) {
        const changed = withPart(request, part, after)
        if (after === before || !changed) continue
        changes++
        const accepted = await isAccepted(changed, now)
        const change = { capture, part, before, after }
        const rules = IGNORED.filter((r) => r.parts.includes(part) && r.covers(change))
        for (const rule of rules) used.add(rule)
        if (accepted !== rules.length > 0) wrong.push({ part, after, accepted })
      }
    }
    expect(wrong).toEqual([])
    const where = isV1(capture)
      ? decodeURIComponent(capture.target)
      : headerOf(capture, 'authorization')
    expect(changes).toBeGreaterThan(3 * where.length)
  })

  it.for(tc3Names)('%s: in the body, unless the client left it out', async (name, { expect }) => {
    const capture = captureOf(name)
    const request = signedRequestOf(capture)
    const now = clockOf(capture)
    const isIgnored = isUnsigned(capture)
    const bodies = [capture.body.slice(0, -1), new Uint8Array([...capture.body, 0x20])]
    for (const [i, byte] of capture.body.entries()) {
      const body = capture.body.slice()
      body[i] = byte ^ 1
      bodies.push(body)
    }
    const isGet = capture.method === 'GET'
    for (const body of isGet ? [] : bodies) {
      expect(await isAccepted({ ...request, body }, now)).toBe(isIgnored)
    }
    expect(await isAccepted(request, now)).toBe(true)
  })

  it('is accepted only by rules that are needed', ({ expect }) => {
    expect(IGNORED.filter((rule) => !used.has(rule)).map((rule) => rule.what)).toEqual([])
  })
})
