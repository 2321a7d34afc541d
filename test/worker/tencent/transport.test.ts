/** Which way a call is signed and how large it may be, and in which order its faults are named. */
import { describe, it } from 'vitest'
import { handleTencentRequest } from '../../../worker/tencent/api.ts'
import { answerOf, type Answer } from './answer-of.ts'
import { DATAHUB, fakeDeps } from './fake-deps.ts'
import { NOW_SECONDS, signedCall, signedQuery, signedV1Call, type V1Options } from './sign.ts'

const MESSAGE = { DataHubId: DATAHUB, 'Message.0.Body': 'hello' }
const QUERY = `DataHubId=${DATAHUB}&Message.0.Body=hello`
const BODY = JSON.stringify({ DataHubId: DATAHUB, Message: [{ Body: 'hello' }] })
const FORM = 'application/x-www-form-urlencoded'

/** Of a form, which `text()` would warn of. */
async function textOf(request: Request): Promise<string> {
  return new TextDecoder().decode(await request.arrayBuffer())
}

type Expect = Parameters<typeof answerOf>[1]

async function call(
  request: Request,
  expect: Expect,
  overrides: Parameters<typeof fakeDeps>[0] = {},
): Promise<Answer & { accepted: number; asked: readonly string[] }> {
  const { deps, accepted, asked } = fakeDeps(overrides)
  const answer = await answerOf(await handleTencentRequest(request, deps), expect)
  return { ...answer, accepted: accepted.length, asked }
}

describe('what is not signed', () => {
  it.for<[string, string, Record<string, string>, string, string | undefined, string]>([
    ['GET', '', { authorization: 'SKIP' }, 'AuthFailure.UnauthorizedOperation', undefined, 'SKIP'],
    ['POST', '', { authorization: 'SKIP' }, 'AuthFailure.UnauthorizedOperation', '{}', 'SKIP'],
    ['GET', '', {}, 'MissingParameter', undefined, '`Timestamp`'],
    ['POST', '', {}, 'MissingParameter', '', '`Timestamp`'],
    ['POST', '', {}, 'MissingParameter', '{}', '`Timestamp`'],
    ['GET', '?Action=SendMessage', {}, 'MissingParameter', undefined, '`Timestamp`'],
    ['POST', '', { 'content-type': FORM }, 'MissingParameter', 'Action=SendMessage', '`Timestamp`'],
    [
      'GET',
      '',
      { 'x-tc-timestamp': '1', 'x-tc-action': 'a' },
      'MissingParameter',
      undefined,
      '`Version`',
    ],
    ['GET', '?Signature=x&Action=a', {}, 'MissingParameter', undefined, '`Timestamp`'],
    [
      'GET',
      '?Timestamp=1&Action=a&Version=2019-08-19&Signature=x&Nonce=1',
      {},
      'MissingParameter',
      undefined,
      '`SecretId`',
    ],
    [
      'POST',
      '',
      { 'content-type': FORM },
      'MissingParameter',
      'Timestamp=1&Action=a&Version=2019-08-19&Signature=x&SecretId=s&Nonce=',
      '`Nonce`',
    ],
    [
      'GET',
      '?Timestamp=1&Action=a&Version=2019-08-19&SecretId=s&Nonce=1',
      {},
      'MissingParameter',
      undefined,
      '`Signature`',
    ],
    [
      'GET',
      '',
      { authorization: 'TC3-HMAC-SHA256 x' },
      'MissingParameter',
      undefined,
      '`Timestamp`',
    ],
    ['POST', '?Signature=x', {}, 'UnsupportedOperation', 'a', `use \`${FORM}\``],
    ['POST', '?Signature=x', { 'content-type': FORM }, 'MissingParameter', '', '`Timestamp`'],
    [
      'GET',
      '?Signature=%',
      {},
      'InvalidParameter',
      undefined,
      '`Signature` is not valid. It is not the percent-encoding of UTF-8.',
    ],
    ['PUT', '', {}, 'UnsupportedProtocol', 'a', '`PUT` is not supported; use GET or POST'],
    ['DELETE', '', {}, 'UnsupportedProtocol', undefined, '`DELETE`'],
  ])('%s /%s %o: %s', async ([method, query, headers, code, body, words], { expect }) => {
    const request = new Request(`https://edgehub.test/${query}`, {
      method,
      headers,
      ...(body !== undefined && { body }),
    })
    const { Error, asked } = await call(request, expect)
    expect(Error?.Code).toBe(code)
    expect(Error?.Message).toContain(words)
    expect(asked).toEqual([])
  })

  it('a form that is no UTF-8 is refused before its sender is looked up', async ({ expect }) => {
    const init = { method: 'POST', headers: { 'content-type': FORM } }
    const body = new Uint8Array([...new TextEncoder().encode('Signature='), 0xff])
    const { Error, asked } = await call(
      new Request('https://edgehub.test/', { ...init, body }),
      expect,
    )
    expect(Error?.Code).toBe('InvalidParameter')
    expect(Error?.Message).toBe('The request body is not valid UTF-8.')
    expect(asked).toEqual([])
  })

  it('HEAD is no way around a GET', async ({ expect }) => {
    const { url, headers } = await signedQuery(QUERY)
    const { Error, accepted } = await call(new Request(url, { method: 'HEAD', headers }), expect)
    expect(Error?.Code).toBe('UnsupportedProtocol')
    expect(accepted).toBe(0)
  })
})

describe('what is signed', () => {
  it('in the headers is that, whatever the parameters say', async ({ expect }) => {
    const query = `${QUERY}&Signature=x`
    const { Error } = await call(await signedQuery(query), expect)
    expect(Error?.Message).toBe('The parameter `Signature` is not recognized.')
  })

  it.for(['', 'application/json', FORM, 'text/plain'])(
    'as GET has the content type %j, if it is signed',
    async (contentType, { expect }) => {
      const request = await signedQuery(QUERY, { contentType: contentType || FORM })
      if (contentType === '') request.headers.delete('content-type')
      const { Error, accepted } = await call(request, expect)
      expect(accepted).toBe(contentType === '' ? 0 : 1)
      expect(Error?.Code).toBe(contentType === '' ? 'AuthFailure.SignatureFailure' : undefined)
    },
  )

  it.for([`${FORM};charset=UTF-8`, FORM.toUpperCase(), `${FORM} ; x`])(
    'as a form has the content type %j',
    async (contentType, { expect }) => {
      const request = await signedV1Call(MESSAGE, { headers: { 'Content-Type': contentType } })
      expect((await call(request, expect)).accepted).toBe(1)
    },
  )

  it('with v1 takes a parameter only once, and none from the query of a POST', async ({
    expect,
  }) => {
    const form = await textOf(await signedV1Call(MESSAGE))
    const post = (body: string, query = '') => {
      const headers = { 'content-type': FORM }
      return new Request(`https://edgehub.test/${query}`, { method: 'POST', headers, body })
    }
    const twice = await call(post(`${form}&Nonce=11886`), expect)
    expect(twice.Error).toEqual({
      Code: 'InvalidParameter',
      Message: 'The parameter `Nonce` is not valid. It occurs more than once.',
    })
    expect(twice.asked).toEqual([])
    expect((await call(post(form, '?DataHubId=other&Message.0.Key=k'), expect)).accepted).toBe(1)
  })

  it('with v1 knows its common parameters from those of the action', async ({ expect }) => {
    const common = { Language: 'en-US', RequestClient: 'SDK_X_1', Token: 'ignored', Region: '' }
    expect((await call(await signedV1Call(MESSAGE, { common }), expect)).accepted).toBe(1)
    const { Error } = await call(await signedV1Call({ ...MESSAGE, Extra: '' }), expect)
    expect(Error).toEqual({
      Code: 'UnknownParameter',
      Message: 'The parameter `Extra` is not recognized.',
    })
  })

  it.for<[string, V1Options]>([
    ['absent', { signatureMethod: 'HmacSHA1', common: { SignatureMethod: undefined } }],
    ['unknown', { signatureMethod: 'HmacSHA512' }],
    ['in other letters', { signatureMethod: 'hmacsha256' }],
  ])('with v1 by a method that is %s is HmacSHA1', async ([, options], { expect }) => {
    expect((await call(await signedV1Call(MESSAGE, options), expect)).accepted).toBe(1)
  })

  it('with v1 and a plus that the client did not encode says so', async ({ expect }) => {
    const garble = (signature: string) => signature.replaceAll(/[+/]/g, ' ').replace(/^./, ' ')
    const { Error } = await call(await signedV1Call(MESSAGE, { garble }), expect)
    expect(Error?.Code).toBe('AuthFailure.SignatureFailure')
    expect(Error?.Message).toContain('encode it for the URL, `+` as `%2B`.')
  })

  it('without its payload is refused where this is set', async ({ expect }) => {
    const request = () => signedCall(BODY, { unsignedPayload: true })
    expect((await call(await request(), expect)).accepted).toBe(1)
    const { Error, accepted } = await call(await request(), expect, { unsignedPayload: 'refuse' })
    expect(accepted).toBe(0)
    expect(Error?.Code).toBe('AuthFailure.SignatureFailure')
    expect(Error?.Message).toContain(
      'UNSIGNED-PAYLOAD is not supported: sign the SHA-256 of the request body.',
    )
  })
})

describe('the size', () => {
  const filler = (bytes: number, used: number) => 'a'.repeat(bytes - used)

  it('of a GET is 32768 bytes of query at most, by TC3', async ({ expect }) => {
    const base = `${QUERY}&X=`
    const fits = await call(await signedQuery(base + filler(32_768, base.length)), expect)
    expect(fits.Error?.Code).toBe('UnknownParameter')
    const over = await call(await signedQuery(base + filler(32_769, base.length)), expect)
    expect(over.Error).toEqual({
      Code: 'RequestSizeLimitExceeded',
      Message: 'The query is 32769 bytes; the limit is 32768 bytes. Use POST.',
    })
    expect(over.asked).toEqual([])
  })

  it('of a GET is that also by v1', async ({ expect }) => {
    const sizes: number[] = []
    for (let n = 32_300; n < 32_700; n += 20) {
      const parameters = { ...MESSAGE, 'Message.0.Body': 'a'.repeat(n) }
      const request = await signedV1Call(parameters, { method: 'GET' })
      const size = request.url.length - 'https://edgehub.test/?'.length
      const { Error } = await call(request, expect)
      expect(Error?.Code).toBe(size > 32_768 ? 'RequestSizeLimitExceeded' : undefined)
      sizes.push(size)
    }
    expect(sizes.some((size) => size > 32_768)).toBe(true)
    expect(sizes.some((size) => size <= 32_768)).toBe(true)
  })

  it('of a v1 form is 1048576 bytes at most, and TC3 is named', async ({ expect }) => {
    const post = (body: BodyInit, headers: Record<string, string> = {}) =>
      new Request('https://edgehub.test/', {
        method: 'POST',
        headers: { 'content-type': FORM, ...headers },
        body,
      })
    const base = 'Signature=x&X='
    const fits = await call(post(base + filler(1_048_576, base.length)), expect)
    expect(fits.Error?.Code).toBe('MissingParameter')
    const known = await call(
      post(base + filler(1_048_577, base.length), { 'content-length': '1048577' }),
      expect,
    )
    const more = 'With TC3-HMAC-SHA256 the limit is 10485760 bytes; use it.'
    expect(known.Error).toEqual({
      Code: 'RequestSizeLimitExceeded',
      Message: `The request body is 1048577 bytes; the limit is 1048576 bytes. ${more}`,
    })
    const unknown = await call(post(base + filler(1_048_577, base.length)), expect)
    expect(unknown.Error?.Message).toBe(`The request body has more than 1048576 bytes. ${more}`)
    expect([known.asked, unknown.asked]).toEqual([[], []])
  })

  it('of a v1 form of 900 KB in 1,000 parameters is no problem', async ({ expect }) => {
    const parameters: Record<string, string> = { DataHubId: DATAHUB }
    for (let i = 0; i < 500; i++) {
      parameters[`Message.${i}.Key`] = `key ${i}`
      parameters[`Message.${i}.Body`] = 'a'.repeat(1_700)
    }
    const { accepted, MessageId } = await call(await signedV1Call(parameters), expect)
    expect(accepted).toBe(1)
    expect(MessageId).toHaveLength(500)
  })

  it('of a TC3 body is 10485760 bytes at most, whatever its content type', async ({ expect }) => {
    for (const contentType of ['application/json', FORM]) {
      const request = await signedCall(' '.repeat(10_485_761), { contentType })
      const { Error } = await call(request, expect)
      expect(Error).toEqual({
        Code: 'RequestSizeLimitExceeded',
        Message: 'The request body has more than 10485760 bytes.',
      })
    }
    const fits = await call(await signedCall(' '.repeat(10_485_760)), expect)
    expect(fits.Error?.Message).toContain('not valid JSON')
  })
})

describe('of several faults the first one is named in this order', () => {
  const ORDER = [
    'RequestSizeLimitExceeded',
    'InvalidParameter',
    'MissingParameter',
    'NoSuchVersion',
    'InvalidAction',
    'AuthFailure.SecretIdNotFound',
    'AuthFailure.SignatureExpire',
    'AuthFailure.SignatureFailure',
    'AuthFailure.TokenFailure',
    'RequestLimitExceeded',
    'UnknownParameter',
    'ResourceNotFound',
    'FailedOperation',
    undefined,
  ]
  /** How many of the faults are mended. */
  const steps = ORDER.map((code, mended) => [mended, code] as const)
  const overrides = (mended: number) => ({
    credential: mended > 8 ? {} : { sessionToken: 'token' },
    rateLimit: { take: () => mended > 9 },
    ...(mended <= 12 && {
      accept: async () => ({
        status: 'rejected' as const,
        rejection: { reason: 'task_not_running', datahub: DATAHUB, status: 6 } as const,
      }),
    }),
  })

  it.for(steps)('v1 form, %i mended: %s', async ([mended, code], { expect }) => {
    const parameters = {
      DataHubId: mended > 11 ? DATAHUB : 'datahub-nothing0',
      'Message.0.Body': 'a',
      ...(mended <= 10 && { Extra: 'x' }),
      ...(mended <= 0 && { 'Message.1.Body': 'a'.repeat(1_048_576) }),
    }
    const signed = await signedV1Call(parameters, {
      action: mended > 4 ? 'SendMessage' : 'sendMessage',
      secretId: mended > 5 ? 'AKIDEXAMPLEONLY00000000000000000000' : 'AKIDother',
      timestamp: mended > 6 ? NOW_SECONDS : NOW_SECONDS - 301,
      ...(mended <= 7 && { secretKey: 'wrong' }),
      common: {
        ...(mended <= 2 && { Nonce: undefined }),
        ...(mended <= 3 && { Version: '2017-03-12' }),
      },
    })
    const form = await textOf(signed)
    const body = mended > 1 ? form : `${form}&Broken=%`
    const { headers, url } = signed
    const request = new Request(url, { method: 'POST', headers, body })
    const { Error } = await call(request, expect, overrides(mended))
    expect(Error?.Code).toBe(code)
  })

  // What is wrong with JSON or a query is found where the parameters are checked: TC3 has the common parameters in its headers.
  const tc3Steps = steps.filter(([mended]) => mended !== 1)

  it.for(tc3Steps)('TC3 JSON, %i mended: %s', async ([mended, code], { expect }) => {
    const parameters = {
      DataHubId: mended > 11 ? DATAHUB : 'datahub-nothing0',
      Message: [{ Body: 'a' }],
      ...(mended <= 10 && { Extra: 'x' }),
    }
    const text = JSON.stringify(parameters)
    const request = await signedCall(mended > 0 ? text : text.padEnd(10_485_761), {
      secretId: mended > 5 ? 'AKIDEXAMPLEONLY00000000000000000000' : 'AKIDother',
      timestamp: mended > 6 ? NOW_SECONDS : NOW_SECONDS - 301,
      ...(mended <= 7 && { secretKey: 'wrong' }),
      headers: {
        ...(mended <= 0 && { 'content-length': '10485761' }),
        ...(mended <= 2 && { 'x-tc-timestamp': undefined }),
        ...(mended <= 3 && { 'x-tc-version': '2017-03-12' }),
        ...(mended <= 4 && { 'x-tc-action': 'sendMessage' }),
      },
    })
    const { Error } = await call(request, expect, overrides(mended))
    expect(Error?.Code).toBe(code)
  })
})
