import { describe, it } from 'vitest'
import { MAX_REPORT_BYTES } from '#contract'
import { parseSendMessage } from '../../../worker/tencent/send-message.ts'

const parse = (json: unknown) => parseSendMessage(new TextEncoder().encode(JSON.stringify(json)))
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
    const parsed = parseSendMessage(new TextEncoder().encode(text))
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

  it('may be larger than 5 MB of JSON when it decodes to less', ({ expect }) => {
    const body = String.raw`\u0061`.repeat(200_000)
    const message = `{"Body":"${body}"}`
    const text = `{"DataHubId":"d","Message":[${Array.from({ length: 5 }, () => message).join(',')}]}`
    expect(text.length).toBeGreaterThan(5_242_880)
    expect(parseSendMessage(new TextEncoder().encode(text)).status).toBe('parsed')
  })

  it.for([
    ['Key', String.raw`{"Key":"\udc00","Body":"b"}`, 'Message.0.Key'],
    ['Body', String.raw`{"Body":"a\ud83d"}`, 'Message.0.Body'],
  ] as const)('with half a surrogate pair in %s is refused', ([, message, path], { expect }) => {
    const text = `{"DataHubId":"d","Message":[${message}]}`
    expect(parseSendMessage(new TextEncoder().encode(text))).toMatchObject({
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
      expect(parseSendMessage(new Uint8Array([byte])).status).toBe('rejected')
    }
  })
})
