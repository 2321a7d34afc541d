import * as fc from 'fast-check'
import { describe, it } from 'vitest'
import type { Pair } from '../../../worker/tencent/pairs.ts'
import type { CheckOptions } from '../../../worker/tencent/signature.ts'
import { checkV1Signature, compareUtf8, parametersText } from '../../../worker/tencent/v1.ts'
import {
  captureOf,
  clockOf,
  reasonOf,
  SECRET_KEY,
  signedRequestOf,
  verify,
  v1Names,
} from './captures.ts'

describe("the vector of Tencent's documentation", () => {
  const parameters = {
    Action: 'DescribeInstances',
    'InstanceIds.0': 'ins-09dx96dg',
    Limit: '20',
    Nonce: '11886',
    Offset: '0',
    Region: 'ap-guangzhou',
    SecretId: 'AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE',
    Timestamp: '1465185768',
    Version: '2017-03-12',
  }
  const secretKeys = ['Gu5t9xGARNpq86cd98joQYCN3EXAMPLE']
  const pairs: Pair[] = [
    ...Object.entries(parameters).reverse(),
    ['Signature', 'EliP9YW3pW28FpsEdkXt/+WcGeI='],
  ]
  const headers = new Headers({ host: 'cvm.tencentcloudapi.com' })
  const request = { method: 'GET', rawPath: '/', headers }
  const check = (changed: Pair[], options: Partial<CheckOptions> = {}) =>
    checkV1Signature(request, changed, {
      secretKeys,
      now: 1_465_185_768_000,
      hostAliases: [],
      ...options,
    })

  it('has the documented text', ({ expect }) => {
    expect(`GETcvm.tencentcloudapi.com/?${parametersText(pairs, false)}`).toBe(
      'GETcvm.tencentcloudapi.com/?Action=DescribeInstances&InstanceIds.0=ins-09dx96dg&Limit=20&Nonce=11886&Offset=0&Region=ap-guangzhou&SecretId=AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE&Timestamp=1465185768&Version=2017-03-12',
    )
  })

  it('verifies without a SignatureMethod, and with any order of its parameters', async ({
    expect,
  }) => {
    expect(await check(pairs)).toEqual({ status: 'verified' })
    expect(await check([...pairs].reverse())).toEqual({ status: 'verified' })
  })

  it('is for one method, one host and one time', async ({ expect }) => {
    const options = { secretKeys, now: 1_465_185_768_000, hostAliases: [] }
    const other = (change: object) => checkV1Signature({ ...request, ...change }, pairs, options)
    expect(reasonOf(await other({ method: 'POST' }))).toBe('signature_mismatch')
    const elsewhere = new Headers({ host: 'cvm.example' })
    expect(reasonOf(await other({ headers: elsewhere }))).toBe('signature_mismatch')
    expect(reasonOf(await other({ rawPath: '/gw/' }))).toBe('verified')
    expect(await check(pairs, { now: 1_465_186_069_000 })).toEqual({
      status: 'refused',
      problem: {
        reason: 'expired',
        requestSeconds: 1_465_185_768,
        serverSeconds: 1_465_186_069,
      },
    })
  })

  it('says which of its candidates were tried, to the operator', async ({ expect }) => {
    const result = await check([...pairs, ['X', '1']])
    expect(result).toMatchObject({
      problem: {
        tried: [
          'cvm.tencentcloudapi.com',
          'cvm.tencentcloudapi.com:443',
          'cvm.tencentcloudapi.com:80',
          'ckafka.tencentcloudapi.com',
          'ckafka.ap-guangzhou.tencentcloudapi.com',
          'ckafka.intl.tencentcloudapi.com',
        ].map((host) => ({ host, uri: '/', dotted: false })),
      },
    })
  })

  const wrong = (text: string): Pair[] => [...pairs.slice(0, -1), ['Signature', text]]

  it.for<[string, string]>([
    ['empty', ''],
    ['no base64', 'EliP9YW3pW28FpsEdkXt/+WcGe!='],
    [
      'a blank for the plus, as it comes from an URL that was not encoded',
      'EliP9YW3pW28FpsEdkXt/ WcGeI=',
    ],
    ['unpadded', 'EliP9YW3pW28FpsEdkXt/+WcGeI'],
    ['padded too much', 'EliP9YW3pW28FpsEdkXt/+WcGeI=='],
    ['with bits that decode to nothing', 'EliP9YW3pW28FpsEdkXt/+WcGeJ='],
    ['URL-safe', 'EliP9YW3pW28FpsEdkXt_-WcGeI='],
    ['that of HmacSHA256', 'KESabQ4BDxZT69/Vs0N80+rmqorW+c4LD99V17CpABI='],
    ['with a line break', 'EliP9YW3pW28FpsEdkXt/+WcGeI=\n'],
  ])('a signature that is %s is malformed', async ([, text], { expect }) => {
    expect(await check(wrong(text))).toEqual({
      status: 'refused',
      problem: { reason: 'signature_malformed', method: 'HmacSHA1', bytes: 20 },
    })
  })

  it('has 20 bytes, or with HmacSHA256 32', async ({ expect }) => {
    expect(reasonOf(await check(wrong(`${'A'.repeat(27)}=`)))).toBe('signature_mismatch')
    const other: Pair = ['SignatureMethod', 'HmacSHA256']
    expect(await check([other, ...wrong(`${'A'.repeat(27)}=`)])).toMatchObject({
      problem: { reason: 'signature_malformed', method: 'HmacSHA256', bytes: 32 },
    })
    const long = `${'A'.repeat(43)}=`
    expect(reasonOf(await check([other, ...wrong(long)]))).toBe('signature_mismatch')
  })

  it.for(['', 'now', '-1465185768', '1465185768.0', '123456789012'])(
    'with the time %j is refused',
    async (text, { expect }) => {
      const changed = pairs.map(([name, value]): Pair => [
        name,
        name === 'Timestamp' ? text : value,
      ])
      expect(await check(changed)).toEqual({
        status: 'refused',
        problem: { reason: 'timestamp_invalid', name: 'Timestamp' },
      })
    },
  )
})

describe('names', () => {
  it('with `_` verify signed as they are, and with `.` in its place, as Java and Python do', async ({
    expect,
  }) => {
    const names = ['A_b_c', 'A.a', 'B', 'A_a']
    const common: Pair[] = [['Timestamp', '1704790596']]
    const unsigned: Pair[] = [...names.map((name): Pair => [name, 'v']), ...common]
    const results = []
    for (const text of [
      'A.a=v&A_a=v&A_b_c=v&B=v&Timestamp=1704790596',
      'A.a=v&A.a=v&A.b.c=v&B=v&Timestamp=1704790596',
      'A.a=v&A_a=v&A.b.c=v&B=v&Timestamp=1704790596',
    ]) {
      const signature = await sha1(`POSTh.example/?${text}`)
      const pairs: Pair[] = [...unsigned, ['Signature', signature]]
      const request = { method: 'POST', rawPath: '/', headers: new Headers({ host: 'h.example' }) }
      const options = { secretKeys: [SECRET_KEY], now: 1_704_790_596_000, hostAliases: [] }
      results.push(reasonOf(await checkV1Signature(request, pairs, options)))
    }
    expect(results).toEqual(['verified', 'verified', 'signature_mismatch'])
  })

  it('stand in the order of their bytes: 10 before 2, and U+FFFF before U+10000', ({ expect }) => {
    const names = [
      'B',
      'a',
      'Message.2.Body',
      'Message.10.Body',
      '\u{10000}',
      '\uffff',
      '',
      'Message',
    ]
    expect([...names].sort(compareUtf8)).toEqual([
      '',
      'B',
      'Message',
      'Message.10.Body',
      'Message.2.Body',
      'a',
      '\uffff',
      '\u{10000}',
    ])
  })

  it('of any ends of ranges stand in the order of their bytes', ({ expect }) => {
    const ends = [
      '\0',
      '.',
      '_',
      'a',
      '\u07ff',
      '\ud7ff',
      '\ue000',
      '\uffff',
      '\u{10000}',
      '\u{10ffff}',
    ]
    const text = fc.string({ unit: fc.constantFrom(...ends), maxLength: 6 })
    fc.assert(
      fc.property(text, text, (a, b) => {
        const [x, y] = [a, b].map(hex)
        const expected = x === y ? 0 : (x ?? '') < (y ?? '') ? -1 : 1
        expect(Math.sign(compareUtf8(a, b))).toBe(expected)
      }),
    )
  })
})

describe('a captured form', () => {
  it.for(v1Names)(
    '%s: with a name twice is refused, before anything else',
    async (name, { expect }) => {
      const capture = captureOf(name)
      const request = signedRequestOf(capture)
      const again = '&Action=SendMessage'
      const changed =
        capture.method === 'GET'
          ? { ...request, rawQuery: request.rawQuery + again }
          : { ...request, body: utf8(new TextDecoder().decode(request.body) + again) }
      expect(await verify(changed, { now: clockOf(capture) })).toEqual({
        status: 'rejected',
        rejection: {
          reason: 'malformed_parameter',
          path: 'Action',
          problem: 'It occurs more than once.',
        },
      })
    },
  )
})

function utf8(text: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new TextEncoder().encode(text))
}

/** Hexadecimal of UTF-8, whose text has the order of the bytes. */
function hex(text: string): string {
  return Array.from(utf8(text), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

async function sha1(text: string): Promise<string> {
  const algorithm = { name: 'HMAC', hash: 'SHA-1' }
  const key = await crypto.subtle.importKey('raw', utf8(SECRET_KEY), algorithm, false, ['sign'])
  const mac = new Uint8Array(await crypto.subtle.sign('HMAC', key, utf8(text)))
  return btoa(String.fromCharCode(...mac))
}
