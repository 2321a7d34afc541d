import { describe, it } from 'vitest'
import { sha256Hex } from '../../../worker/hex.ts'
import type { CheckOptions } from '../../../worker/tencent/signature.ts'
import type { SignedRequest } from '../../../worker/tencent/signed-request.ts'
import { parseTc3Authorization } from '../../../worker/tencent/tc3-authorization.ts'
import type { Candidate } from '../../../worker/tencent/tc3-candidates.ts'
import { canonicalRequest, checkTc3Signature, stringToSign } from '../../../worker/tencent/tc3.ts'
import {
  captureOf,
  clockOf,
  headerOf,
  reasonOf,
  SECRET_ID,
  SECRET_KEY,
  signedRequestOf,
} from './captures.ts'

const utf8 = (text: string) => new TextEncoder().encode(text)

async function check(
  request: SignedRequest,
  now: number,
  options: Partial<CheckOptions> = {},
): ReturnType<typeof checkTc3Signature> {
  const authorization = parseTc3Authorization(request.headers.get('authorization') ?? '')
  if (!authorization) throw new Error('not the form of TC3')
  return checkTc3Signature(request, authorization, {
    secretKeys: [SECRET_KEY],
    now,
    hostAliases: [],
    unsignedPayload: 'allow',
    ...options,
  })
}

function changed(name: string, headers: Record<string, string | undefined>): SignedRequest {
  const request = signedRequestOf(captureOf(name))
  for (const [header, value] of Object.entries(headers)) {
    if (value === undefined) request.headers.delete(header)
    else request.headers.set(header, value)
  }
  return request
}

describe('candidates', () => {
  const now = clockOf(captureOf('node-tc3-post'))

  it('take a configured alias for the host, whatever the host', async ({ expect }) => {
    const request = changed('node-tc3-post', { host: 'gateway.example' })
    expect(reasonOf(await check(request, now))).toBe('signature_mismatch')
    expect(await check(request, now, { hostAliases: ['127.0.0.1'] })).toEqual({
      status: 'verified',
    })
  })

  it('are named to the operator when none fits', async ({ expect }) => {
    const result = await check(changed('node-tc3-post', { host: 'gateway.example' }), now)
    expect(result).toMatchObject({
      problem: {
        tried: [
          'gateway.example',
          'gateway.example:443',
          'gateway.example:80',
          'ckafka.tencentcloudapi.com',
          'ckafka.ap-guangzhou.tencentcloudapi.com',
          'ckafka.intl.tencentcloudapi.com',
          'gateway.example',
          'gateway.example:443',
          'gateway.example:80',
          'ckafka.tencentcloudapi.com',
          'ckafka.ap-guangzhou.tencentcloudapi.com',
          'ckafka.intl.tencentcloudapi.com',
        ].map((host) => ({ host })),
      },
    })
  })
})

describe('refusals', () => {
  const now = clockOf(captureOf('node-tc3-post'))
  const authorization = headerOf(captureOf('node-tc3-post'), 'authorization')

  it.for<[string, Record<string, string | undefined>, object]>([
    [
      'no timestamp',
      { 'x-tc-timestamp': undefined },
      { reason: 'timestamp_invalid', name: 'X-TC-Timestamp' },
    ],
    [
      'a timestamp in words',
      { 'x-tc-timestamp': 'now' },
      { reason: 'timestamp_invalid', name: 'X-TC-Timestamp' },
    ],
    [
      'a negative timestamp',
      { 'x-tc-timestamp': '-1704790596' },
      { reason: 'timestamp_invalid', name: 'X-TC-Timestamp' },
    ],
    [
      'a local date',
      { authorization: authorization.replace('2024-01-09', '2024-01-10') },
      { reason: 'date_mismatch', credentialDate: '2024-01-10', utcDate: '2024-01-09' },
    ],
    [
      'an unsigned host',
      { authorization: authorization.replace('content-type;host', 'content-type') },
      { reason: 'header_not_signed', header: 'host' },
    ],
    [
      'an unsigned content type',
      { authorization: authorization.replace('content-type;host', 'host') },
      { reason: 'header_not_signed', header: 'content-type' },
    ],
    [
      'a signed header that is not there',
      { authorization: authorization.replace(';host', ';host;x-tc-nothing') },
      { reason: 'signed_header_absent', header: 'x-tc-nothing' },
    ],
    [
      'no content type',
      { 'content-type': undefined },
      { reason: 'signed_header_absent', header: 'content-type' },
    ],
  ])('%s', async ([, headers, problem], { expect }) => {
    const result = await check(changed('node-tc3-post', headers), now)
    expect(result).toEqual({ status: 'refused', problem })
  })
})

describe('UNSIGNED-PAYLOAD', () => {
  const now = clockOf(captureOf('python-tc3-post'))
  const unsigned = signedRequestOf(captureOf('python-tc3-post-unsigned-payload'))

  it('leaves the body open, where that is allowed', async ({ expect }) => {
    const request = { ...unsigned, body: utf8('{}') }
    expect(await check(request, now)).toEqual({ status: 'verified' })
  })

  it('is refused, where it is not allowed, unless the body was signed after all', async ({
    expect,
  }) => {
    const options = { unsignedPayload: 'refuse' } as const
    expect(await check(unsigned, now, options)).toEqual({
      status: 'refused',
      problem: { reason: 'payload_not_signed' },
    })
    const headers = { 'x-tc-content-sha256': 'UNSIGNED-PAYLOAD' }
    const request = changed('python-tc3-post', headers)
    expect(await check(request, now, options)).toEqual({ status: 'verified' })
  })

  it('is what the header says, not what the signature fits', async ({ expect }) => {
    const without = new Headers(unsigned.headers)
    without.delete('x-tc-content-sha256')
    expect(reasonOf(await check({ ...unsigned, headers: without }, now))).toBe('signature_mismatch')
    const other = changed('python-tc3-post', { 'x-tc-content-sha256': 'STREAMING-PAYLOAD' })
    expect(reasonOf(await check(other, now))).toBe('verified')
  })
})

describe('Authorization', () => {
  const signature = '0123456789abcdef'.repeat(4)
  const credential = `Credential=${SECRET_ID}/2024-01-09/ckafka/tc3_request`
  const rest = `SignedHeaders=content-type;host, Signature=${signature}`

  it.for([
    ['in the form of the SDKs', `TC3-HMAC-SHA256 ${credential}, ${rest}`],
    ['without blanks', `TC3-HMAC-SHA256 ${credential},${rest.replace(', ', ',')}`],
    ['in another order', `TC3-HMAC-SHA256 ${rest}, ${credential}`],
    ['with more blanks', `  TC3-HMAC-SHA256   ${credential} ,  ${rest}  `],
  ] as const)('is read %s', ([, header], { expect }) => {
    expect(parseTc3Authorization(header)).toMatchObject({
      secretId: SECRET_ID,
      date: '2024-01-09',
      service: 'ckafka',
      signedHeaders: ['content-type', 'host'],
    })
  })

  it.for(['127', 'localhost:18180', 'localhost:1/gw', 'a/b/c'])(
    'takes the service %s from between date and end',
    (service, { expect }) => {
      const header = `TC3-HMAC-SHA256 ${credential.replace('ckafka', service)}, ${rest}`
      expect(parseTc3Authorization(header)?.service).toBe(service)
    },
  )

  it.for([
    '',
    'TC3-HMAC-SHA256',
    `TC3-HMAC-SHA256${credential}, ${rest}`,
    `AWS4-HMAC-SHA256 ${credential}, ${rest}`,
    `tc3-hmac-sha256 ${credential}, ${rest}`,
    `TC3-HMAC-SHA256 ${credential}`,
    `TC3-HMAC-SHA256 ${rest}`,
    `TC3-HMAC-SHA256 ${credential}, ${rest}, Signature=${signature}`,
    `TC3-HMAC-SHA256 ${credential}, ${rest}, Extra=1`,
    `TC3-HMAC-SHA256 ${credential}, ${rest},`,
    `TC3-HMAC-SHA256 ${credential}, ${rest}0`,
    `TC3-HMAC-SHA256 ${credential}, ${rest.toUpperCase()}`,
    `TC3-HMAC-SHA256 ${credential.replace('/ckafka', '')}, ${rest}`,
    `TC3-HMAC-SHA256 ${credential.replace('tc3_request', 'aws4_request')}, ${rest}`,
    `TC3-HMAC-SHA256 ${credential.replace('2024-01-09', '20240109')}, ${rest}`,
    `TC3-HMAC-SHA256 ${credential.replace(SECRET_ID, '')}, ${rest}`,
    `TC3-HMAC-SHA256 ${credential}, ${rest.replace('host', 'Host')}`,
    `TC3-HMAC-SHA256 ${credential}, ${rest.replace('host', `host${';x'.repeat(40)}`)}`,
  ])('is refused as %j', (header, { expect }) => {
    expect(parseTc3Authorization(header)).toBeUndefined()
  })
})

describe("vectors of Tencent's documentation", () => {
  const secretId = 'AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE'
  const secretKeys = ['Gu5t9xGARNpq86cd98joQYCN3EXAMPLE']
  const host = 'cvm.tencentcloudapi.com'
  const json = 'application/json; charset=utf-8'
  const body =
    '{"Limit": 1, "Filters": [{"Values": ["\\u672a\\u547d\\u540d"], "Name": "instance-name"}]}'

  it.for([
    {
      title: 'GET',
      method: 'GET',
      query: 'Limit=10&Offset=0',
      body: '',
      contentType: 'application/x-www-form-urlencoded',
      signedHeaders: 'content-type;host',
      timestamp: '1539084154',
      date: '2018-10-09',
      canonicalHash: '91c9c192c14460df6c1ffc69e34e6c5e90708de2a6d282cccf957dbf1aa7f3a7',
      signature: '5da7a33f6993f0614b047e5df4582db9e9bf4672ba50567dba16c6ccf174c474',
    },
    {
      title: 'POST',
      method: 'POST',
      query: '',
      body,
      contentType: json,
      signedHeaders: 'content-type;host',
      timestamp: '1551113065',
      date: '2019-02-25',
      canonicalHash: '5ffe6a04c0664d6b969fab9a13bdab201d63ee709638e2749d62a09ca18d7031',
      signature: '72e494ea809ad7a8c8f7a4507b9bddcbaa8e581f516e8da2f66e2c5a96525168',
    },
    {
      title: 'POST with a third header, whose value is signed in lower case',
      method: 'POST',
      query: '',
      body,
      contentType: json,
      signedHeaders: 'content-type;host;x-tc-action',
      timestamp: '1551113065',
      date: '2019-02-25',
      canonicalHash: '7019a55be8395899b900fb5564e4200d984910f34794a27cb3fb7d10ff6a1e84',
      signature: '644be983de9a8a3f00db8eadaba61467c3b429e2215758ba897b738ca469fd26',
    },
  ])('$title', async (v, { expect }) => {
    const headers = new Headers({
      Host: host,
      'Content-Type': v.contentType,
      'X-TC-Action': 'DescribeInstances',
      'X-TC-Timestamp': v.timestamp,
      Authorization: `TC3-HMAC-SHA256 Credential=${secretId}/${v.date}/cvm/tc3_request, SignedHeaders=${v.signedHeaders}, Signature=${v.signature}`,
    })
    const { method, query: rawQuery, contentType } = v
    const request = { method, rawPath: '/', rawQuery, headers, body: utf8(v.body) }
    const candidate: Candidate = { host, uri: '/', contentType, lowerCase: true }

    const payloadHash = await sha256Hex(request.body)
    const canonical = canonicalRequest(request, v.signedHeaders.split(';'), candidate, payloadHash)
    expect(await sha256Hex(utf8(canonical))).toBe(v.canonicalHash)
    expect(
      stringToSign(v.timestamp, { date: v.date, service: 'cvm' }, v.canonicalHash).split('\n'),
    ).toEqual(['TC3-HMAC-SHA256', v.timestamp, `${v.date}/cvm/tc3_request`, v.canonicalHash])
    const now = Number(v.timestamp) * 1000
    expect(await check(request, now, { secretKeys })).toEqual({ status: 'verified' })
  })

  it('print the canonical request as the documentation does', ({ expect }) => {
    const headers = new Headers()
    const candidate = { host, uri: '/', contentType: json, lowerCase: false }
    const request = { method: 'POST', rawQuery: '', headers }
    const hash = '35e9c5b0e3ae67532d3c9f17ead6c90222632e5b1ff7f6e89887f1398934f064'
    expect(canonicalRequest(request, ['content-type', 'host'], candidate, hash)).toBe(
      `POST\n/\n\ncontent-type:${json}\nhost:${host}\n\ncontent-type;host\n${hash}`,
    )
  })
})
