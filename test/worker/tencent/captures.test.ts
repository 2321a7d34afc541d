/** Every captured request of the official SDKs, whichever transport and signature: verified, and read as what was sent. */
import { describe, it } from 'vitest'
import { sha256Hex } from '../../../worker/hex.ts'
import { handleTencentRequest } from '../../../worker/tencent/api.ts'
import { readHead } from '../../../worker/tencent/call-head.ts'
import { parsePairs } from '../../../worker/tencent/pairs.ts'
import { hostCandidates } from '../../../worker/tencent/signed-request.ts'
import { parseTc3Authorization } from '../../../worker/tencent/tc3-authorization.ts'
import { candidatesOf } from '../../../worker/tencent/tc3-candidates.ts'
import { canonicalRequest, stringToSign } from '../../../worker/tencent/tc3.ts'
import { parametersText } from '../../../worker/tencent/v1.ts'
import { answerOf } from './answer-of.ts'
import {
  captureOf,
  captures,
  clockOf,
  headerOf,
  httpRequestOf,
  reasonOf,
  signedNames,
  signedRequestOf,
  skipNames,
  tc3Names,
  v1Names,
  vectors,
  verify,
} from './captures.ts'
import { DATAHUB, fakeDeps } from './fake-deps.ts'

const utf8 = (text: string) => new TextEncoder().encode(text)
const UNSIGNED_PAYLOAD_HASH = '438d4109ef0d676b8c2c7ed13cdfcb418e494d53b843d4634ce3b1085f07bb96'

describe('captured requests', () => {
  it('are all there, byte for byte', ({ expect }) => {
    expect(captures).toHaveLength(43)
    expect(captures.map((c) => c.name).sort()).toEqual(vectors.map((v) => v.name).sort())
    expect([tc3Names.length, v1Names.length, skipNames.length]).toEqual([27, 14, 2])
    for (const { vector, method, target, headers, body } of captures) {
      expect(`${method} ${target} HTTP/1.1`).toBe(vector.requestLine)
      expect(headers).toEqual(vector.headers)
      expect(body).toEqual(Uint8Array.from(atob(vector.bodyBase64), (c) => c.charCodeAt(0)))
    }
  })

  it.for(signedNames)('%s verifies under its own clock', async (name, { expect }) => {
    const capture = captureOf(name)
    const now = clockOf(capture)
    expect(await verify(signedRequestOf(capture), { now })).toEqual({ status: 'verified' })
  })

  it.for(signedNames)(
    '%s verifies up to 300 s away from it, and no more',
    async (name, { expect }) => {
      const capture = captureOf(name)
      const request = signedRequestOf(capture)
      const clock = clockOf(capture)
      for (const seconds of [-300, 300]) {
        expect(reasonOf(await verify(request, { now: clock + seconds * 1000 }))).toBe('verified')
      }
      for (const seconds of [-301, 301]) {
        const requestSeconds = clock / 1000
        const serverSeconds = requestSeconds + seconds
        expect(await verify(request, { now: serverSeconds * 1000 })).toEqual({
          status: 'refused',
          problem: { reason: 'expired', requestSeconds, serverSeconds },
        })
      }
    },
  )

  it.for(signedNames)(
    '%s is for its own host, unless it signed an alias',
    async (name, { expect }) => {
      const capture = captureOf(name)
      const request = signedRequestOf(capture)
      request.headers.set('host', 'elsewhere.example')
      const now = clockOf(capture)
      const isAlias = capture.signedHost === 'ckafka.tencentcloudapi.com'
      const reason = isAlias ? 'verified' : 'signature_mismatch'
      expect(reasonOf(await verify(request, { now }))).toBe(reason)
      const hostAliases = [capture.signedHost]
      expect(reasonOf(await verify(request, { now, hostAliases }))).toBe('verified')
    },
  )

  it.for(signedNames)(
    '%s verifies with either of two secrets, and with no other',
    async (name, { expect }) => {
      const capture = captureOf(name)
      const now = clockOf(capture)
      const right = 'exampleSecretKeyForTestsOnly0000'
      const check = async (secretKeys: string[]) =>
        reasonOf(await verify(signedRequestOf(capture), { now, secretKeys }))
      expect(await check([right, 'other'])).toBe('verified')
      expect(await check(['other', right])).toBe('verified')
      expect(await check(['other'])).toBe('signature_mismatch')
      expect(await check([])).toBe('signature_mismatch')
    },
  )

  it.for(skipNames)('%s is refused', async (name, { expect }) => {
    const { deps, asked } = fakeDeps()
    const request = httpRequestOf(captureOf(name))
    const answer = await answerOf(await handleTencentRequest(request, deps), expect)
    expect(answer.Error?.Code).toBe('AuthFailure.UnauthorizedOperation')
    expect(asked).toEqual([])
  })
})

describe('what is signed', () => {
  it.for(tc3Names)(
    '%s: canonical request and text are those of the vector',
    async (name, { expect }) => {
      const { vector, signedHost, ...capture } = captureOf(name)
      const request = signedRequestOf(captureOf(name))
      const authorization = parseTc3Authorization(headerOf(captureOf(name), 'authorization'))
      if (!authorization) throw new Error('not TC3')
      const [candidate] = candidatesOf(request, authorization, []).filter(
        ({ host }) => host === signedHost,
      )
      if (!candidate) throw new Error('no candidate has the host')
      const isUnsigned = headerOf(captureOf(name), 'x-tc-content-sha256') === 'UNSIGNED-PAYLOAD'
      const hash = isUnsigned ? UNSIGNED_PAYLOAD_HASH : await sha256Hex(capture.body)
      const canonical = canonicalRequest(request, authorization.signedHeaders, candidate, hash)
      expect(canonical).toBe(vector.canonicalRequest)
      expect(authorization.service).toBe(vector.service)
      const timestamp = headerOf(captureOf(name), 'x-tc-timestamp')
      const text = stringToSign(timestamp, authorization, await sha256Hex(utf8(canonical)))
      expect(text).toBe(vector.stringToSign)
    },
  )

  it.for(v1Names)('%s: the text is that of the vector', (name, { expect }) => {
    const { vector, method, signedHost, body } = captureOf(name)
    const request = signedRequestOf(captureOf(name))
    const pairs = parsePairs(method === 'GET' ? request.rawQuery : new TextDecoder().decode(body))
    if (pairs.status === 'rejected') throw new Error(pairs.rejection.reason)
    const text = `${method}${signedHost}/?${parametersText(pairs.value, false)}`
    expect(text).toBe(vector.stringToSign)
    expect([...hostCandidates(request.headers, '', [])][0]).toBe(signedHost)
  })
})

describe('what was sent', () => {
  const special = '\u4e2d\u6587 \u00e9\ud83d\ude00 ~!*\'()+&=%/?#;:@,"\\\n\t<end>'
  const ORDINARY = [
    { Key: 'key1', Body: 'hello world' },
    { Key: 'key2', Body: '{"a":1,"b":"x y"}' },
  ]
  const SPECIAL = [{ Body: special }, { Key: '', Body: '' }]
  const OTHERS: Record<string, object[]> = {
    'python-tc3-post-requestclient': [{ Body: 'hello' }],
    'python-tc3-post-apigw-endpoint': [{ Body: 'hello' }],
    'node-tc3-post-special': [...SPECIAL, { Body: 'nullkey' }],
    'node-hmacsha1-get-special': [...SPECIAL, { Body: 'nullkey' }],
    'node-hmacsha256-post-special': [...SPECIAL, { Body: 'nullkey' }],
  }
  const isRaw = (name: string) => name.endsWith('-multipart') || name.endsWith('-octet-stream')
  const isSend = (name: string) => !isRaw(name) && !name.endsWith('-datahubtask-create')
  const messagesOf = (name: string) =>
    OTHERS[name] ?? (name.endsWith('-special') ? SPECIAL : ORDINARY)

  it.for(signedNames.filter(isSend))('%s: the parameters, on any transport', (name, { expect }) => {
    const request = signedRequestOf(captureOf(name))
    const head = readHead(request, request.body)
    if (head.status !== 'read') throw new Error(reasonOf(head))
    const parameters = head.parameters(request.body)
    const fields = parameters.status === 'ok' ? parameters.value.fields : parameters
    expect(fields).toEqual({ DataHubId: DATAHUB, Message: messagesOf(name) })
  })

  it.for(signedNames.filter(isSend))(
    '%s: is accepted as its messages',
    async (name, { expect }) => {
      const { deps, accepted } = fakeDeps({ now: () => clockOf(captureOf(name)) })
      const request = httpRequestOf(captureOf(name))
      const answer = await answerOf(await handleTencentRequest(request, deps), expect)
      const sent = messagesOf(name).map((message) => {
        const { Key, Body: value } = message as { Key?: string; Body: string }
        return Key ? { key: Key, value } : { value }
      })
      expect(answer.MessageId).toHaveLength(sent.length)
      expect(accepted.map((input) => input.records)).toEqual([sent])
    },
  )

  it.for(signedNames.filter(isRaw))(
    '%s: is not supported, whoever signed it',
    async (name, { expect }) => {
      const request = httpRequestOf(captureOf(name))
      const { deps, accepted, asked } = fakeDeps()
      const answer = await answerOf(await handleTencentRequest(request, deps), expect)
      expect(answer.Error?.Code).toBe('UnsupportedOperation')
      expect(answer.Error?.Message).toContain('use `application/json`')
      expect(asked).toHaveLength(1)
      expect(accepted).toEqual([])
    },
  )

  it.for(signedNames.filter(isRaw))(
    '%s: with another secret fails by its signature',
    async (name, { expect }) => {
      const request = httpRequestOf(captureOf(name))
      const { deps } = fakeDeps({ credential: { secretKeys: ['other'] } })
      const answer = await answerOf(await handleTencentRequest(request, deps), expect)
      expect(answer.Error?.Code).toBe('AuthFailure.SignatureFailure')
    },
  )
})
