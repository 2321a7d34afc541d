/**
 * Every change of one byte of a signed part is refused. What the verification ignores on purpose is the list
 * IGNORED, with the reason; the test asserts that exactly these changes are accepted, and that no entry of the list is idle.
 */
import { describe, it } from 'vitest'
import { parseTc3Authorization } from '../../../worker/tencent/tc3-authorization.ts'
import type { SignedRequest } from '../../../worker/tencent/tc3-candidates.ts'
import { checkTc3Signature } from '../../../worker/tencent/tc3.ts'
import {
  captureNames,
  captureOf,
  clockOf,
  headerOf,
  SECRET_ID,
  SECRET_KEY,
  signedRequestOf,
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

const bareOf = (host: string) => host.replace(/:\d+$/, '')

const IGNORED: Ignored[] = [
  {
    what: 'letter case of the host and of the content type',
    why: 'both mean the same in any case, and hand-written clients sign lower case',
    parts: ['host', 'content-type'],
    covers: ({ before, after }) => after.toLowerCase() === before.toLowerCase(),
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
    why: 'it is no part of the canonical request; nothing is read from it',
    parts: ['query'],
    covers: () => true,
  },
]

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
  return request.headers.get(part) ?? ''
}

/** undefined: HTTP can't carry it. */
function withPart(request: SignedRequest, part: Part, text: string): SignedRequest | undefined {
  if (part === 'method') return { ...request, method: text }
  if (part === 'path') return { ...request, rawPath: text }
  if (part === 'query') return { ...request, rawQuery: text }
  const headers = new Headers(request.headers)
  try {
    headers.set(part, text)
  } catch {
    return undefined
  }
  return { ...request, headers }
}

async function isAccepted(request: SignedRequest | undefined, now: number): Promise<boolean> {
  const authorization = request && parseTc3Authorization(request.headers.get('authorization') ?? '')
  if (!authorization || authorization.secretId !== SECRET_ID) return false
  const options = { secretKeys: [SECRET_KEY], now, hostAliases: [] }
  return (await checkTc3Signature(request, authorization, options)).status === 'verified'
}

const PARTS: Part[] = [
  'method',
  'path',
  'query',
  'host',
  'content-type',
  'x-tc-timestamp',
  'authorization',
]

const used = new Set<Ignored>()

describe('a request with one byte changed', () => {
  it.for(captureNames)('%s: outside the body', async (name, { expect }) => {
    const capture = captureOf(name)
    const request = signedRequestOf(capture)
    const now = clockOf(capture)
    const wrong: object[] = []
    let changes = 0
    for (const part of PARTS) {
      const before = partOf(request, part)
      for (const after of changesOf(before)) {
        if (after === before) continue
        changes++
        const accepted = await isAccepted(withPart(request, part, after), now)
        const change = { capture, part, before, after }
        const rules = IGNORED.filter((r) => r.parts.includes(part) && r.covers(change))
        for (const rule of rules) used.add(rule)
        if (accepted !== rules.length > 0) wrong.push({ part, after, accepted })
      }
    }
    expect(wrong).toEqual([])
    expect(changes).toBeGreaterThan(4 * headerOf(capture, 'authorization').length)
  })

  it.for(captureNames)('%s: in the body', async (name, { expect }) => {
    const capture = captureOf(name)
    const request = signedRequestOf(capture)
    const now = clockOf(capture)
    for (const [i, byte] of capture.body.entries()) {
      const body = capture.body.slice()
      body[i] = byte ^ 1
      expect(await isAccepted({ ...request, body }, now), `byte ${i}`).toBe(false)
    }
    const shorter = { ...request, body: capture.body.slice(0, -1) }
    const longer = { ...request, body: new Uint8Array([...capture.body, 0x20]) }
    expect(await isAccepted(shorter, now)).toBe(false)
    expect(await isAccepted(longer, now)).toBe(false)
    expect(await isAccepted(request, now)).toBe(true)
  })

  it('is accepted only by rules that are needed', ({ expect }) => {
    expect(IGNORED.filter((rule) => !used.has(rule)).map((rule) => rule.what)).toEqual([])
  })
})
