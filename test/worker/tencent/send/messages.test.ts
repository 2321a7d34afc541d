import { describe, it } from 'vitest'
import { MAX_REPORT_BYTES } from '#contract'
import { parametersOfJson, parametersOfQuery } from '../../../../worker/tencent/parameters.ts'
import { parseSendMessage } from '../../../../worker/tencent/send/messages.ts'

const parseBytes = (body: Uint8Array) => parseSendMessage(parametersOfJson(body))
const parseText = (json: string) => parseBytes(new TextEncoder().encode(json))
const parse = (json: unknown) => parseText(JSON.stringify(json))
const records = (...Message: unknown[]) => {
  const parsed = parse({ DataHubId: 'd', Message })
  return parsed.status === 'parsed' ? parsed.message.records : parsed.rejection
}

describe('a message', () => {
  it.for([
    ['without a key', { Body: 'b' }],
    ['with a null key', { Key: null, Body: 'b' }],
    ['with an empty key', { Key: '', Body: 'b' }],
    ['with an unknown field that is null', { Body: 'b', Extra: null }],
  ] as const)('%s has no key', ([, message], { expect }) => {
    expect(records(message)).toEqual([{ value: 'b' }])
  })

  it('with an empty body has an empty value', ({ expect }) => {
    expect(records({ Key: 'k', Body: '' })).toEqual([{ key: 'k', value: '' }])
  })

  it('may fill its limit exactly, key included, counted in UTF-8', ({ expect }) => {
    const key = 'é'
    const fits = 'a'.repeat(MAX_REPORT_BYTES - 2)
    expect(records({ Key: key, Body: fits })).toEqual([{ key, value: fits }])
    expect(records({ Key: key, Body: `${fits}a` })).toEqual({
      reason: 'body_too_large',
      limit: MAX_REPORT_BYTES,
      path: 'Message.0',
    })
  })

  it('with the name of a property that objects inherit is refused, not misread', ({ expect }) => {
    const text = '{"DataHubId":"d","Message":[{"Body":"b","__proto__":{"Key":"k"}}]}'
    const parsed = parseText(text)
    expect(parsed).toMatchObject({
      rejection: { reason: 'unknown_field', path: 'Message.0.__proto__' },
    })
    expect(records({ Body: 'b', constructor: 'c' })).toMatchObject({ reason: 'unknown_field' })
  })
})

describe('a call', () => {
  it('may hold 500 messages, in order', ({ expect }) => {
    const bodies = Array.from({ length: 500 }, (_, i) => `body ${i}`)
    const expected = bodies.map((value) => ({ value }))
    expect(records(...bodies.map((Body) => ({ Body })))).toEqual(expected)
  })

  it('may fill its limit exactly, counted in UTF-8', ({ expect }) => {
    const messages = [
      ...Array.from({ length: 5 }, () => ({ Body: 'é'.repeat(500_000) })),
      { Body: 'é'.repeat(121_440) },
    ]
    expect(records(...messages)).toHaveLength(6)
    expect(records(...messages, { Body: 'a' })).toEqual({
      reason: 'body_too_large',
      limit: 5_242_880,
      path: 'Message',
    })
  })

  it('may be larger than 5 MB of JSON when it decodes to less', ({ expect }) => {
    const body = String.raw`\u0061`.repeat(200_000)
    const message = `{"Body":"${body}"}`
    const text = `{"DataHubId":"d","Message":[${Array.from({ length: 5 }, () => message).join(',')}]}`
    expect(text.length).toBeGreaterThan(5_242_880)
    expect(parseText(text).status).toBe('parsed')
  })

  it.for([
    ['Key', String.raw`{"Key":"\udc00","Body":"b"}`, 'Message.0.Key'],
    ['Body', String.raw`{"Body":"a\ud83d"}`, 'Message.0.Body'],
  ] as const)('with half a surrogate pair in %s is refused', ([, message, path], { expect }) => {
    const text = `{"DataHubId":"d","Message":[${message}]}`
    expect(parseText(text)).toMatchObject({
      rejection: { reason: 'invalid_value', path },
    })
  })

  it('of any bytes or any JSON is answered, never thrown at', ({ expect }) => {
    const values = [null, true, 0, '', 'a', [], {}, [[]], { Body: [] }, { Key: {} }]
    for (const value of values) {
      expect(() => parse(value)).not.toThrow()
      expect(() => parse({ DataHubId: value })).not.toThrow()
      expect(() => parse({ DataHubId: 'd', Message: value })).not.toThrow()
      expect(() => parse({ DataHubId: 'd', Message: [value] })).not.toThrow()
      expect(() => parse({ DataHubId: 'd', Message: [{ Body: value, Key: value }] })).not.toThrow()
    }
    for (let byte = 0; byte < 256; byte++) {
      expect(parseBytes(new Uint8Array([byte])).status).toBe('rejected')
    }
  })
})

describe('a query or form', () => {
  it.for<[string, string, object]>([
    [
      'an empty Body is an empty value',
      'DataHubId=d&Message.0.Body=',
      { records: [{ value: '' }] },
    ],
    [
      'texts that look like numbers stay texts',
      'DataHubId=1&Message.0.Body=1&Message.0.Key=true',
      { datahub: '1', records: [{ key: 'true', value: '1' }] },
    ],
    [
      'gaps are closed, in the order of the indexes',
      'DataHubId=d&Message.12.Body=c&Message.3.Body=a&Message.4.Body=b',
      { records: [{ value: 'a' }, { value: 'b' }, { value: 'c' }] },
    ],
  ])('%s', ([, query, message], { expect }) => {
    expect(parseSendMessage(parametersOfQuery(query))).toMatchObject({ status: 'parsed', message })
  })

  it.for<[string, string, object]>([
    [
      'a Body that Go left out, because it was empty',
      'DataHubId=d&Message.0.Body=a&Message.1.Key=k',
      { reason: 'missing', path: 'Message.1.Body' },
    ],
    ['no message', 'DataHubId=d', { reason: 'missing', path: 'Message' }],
    [
      'a message that is a text',
      'DataHubId=d&Message.0=a',
      { reason: 'invalid_type', path: 'Message.0' },
    ],
    ['Message a text', 'DataHubId=d&Message=a', { reason: 'invalid_type', path: 'Message' }],
    [
      'names for indexes',
      'DataHubId=d&Message.a.Body=a',
      { reason: 'invalid_type', path: 'Message' },
    ],
    [
      'a Body with parts',
      'DataHubId=d&Message.0.Body.a=a',
      { reason: 'invalid_type', path: 'Message.0.Body' },
    ],
    [
      'an unknown field',
      'DataHubId=d&Message.0.Body=a&Message.0.Value=',
      { reason: 'unknown_field', path: 'Message.0.Value' },
    ],
    ['an unknown parameter', 'DatahubId=d', { reason: 'unknown_field', path: 'DatahubId' }],
    [
      'a common parameter of v1, where TC3 has none',
      'DataHubId=d&Message.0.Body=a&Action=SendMessage',
      { reason: 'unknown_field', path: 'Action' },
    ],
  ])('with %s is refused', ([, query, rejection], { expect }) => {
    expect(parseSendMessage(parametersOfQuery(query))).toMatchObject({
      status: 'rejected',
      rejection,
    })
  })
})
