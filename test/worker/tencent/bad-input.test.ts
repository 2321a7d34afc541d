import { describe, it } from 'vitest'
import { handleTencentRequest } from '../../../worker/tencent/api.ts'
import { answerOf } from './answer-of.ts'
import { DATAHUB, fakeDeps } from './fake-deps.ts'
import { NOW_SECONDS, signedCall, type CallOptions } from './sign.ts'

const messages = (...list: unknown[]): string =>
  JSON.stringify({ DataHubId: DATAHUB, Message: list })
const GOOD = messages({ Key: 'k', Body: 'hello' })

describe('bad input is refused with its place, and never accepted', () => {
  const many = (n: number) => messages(...Array.from({ length: n }, () => ({ Body: 'a' })))
  const deep = '['.repeat(20_000) + ']'.repeat(20_000)
  const megabyte = 'a'.repeat(999_000)
  const lone = String.raw`{"DataHubId":"${DATAHUB}","Message":[{"Body":"\ud800"}]}`
  type Row = [string, string | Uint8Array<ArrayBuffer>, CallOptions, string, string]

  it.for<Row>([
    [
      'wrong signature',
      GOOD,
      { secretKey: 'wrong' },
      'AuthFailure.SignatureFailure',
      'The provided credentials could not be validated. Please check your signature is correct.',
    ],
    [
      'expired time',
      GOOD,
      { timestamp: NOW_SECONDS - 604 },
      'AuthFailure.SignatureExpire',
      'The signature has expired: request time 1704789992, server time 1704790596, difference 604 s, allowed 300 s.',
    ],
    [
      'unknown key',
      GOOD,
      { secretId: 'AKIDother' },
      'AuthFailure.SecretIdNotFound',
      'The SecretId is not found, please ensure that your SecretId is correct.',
    ],
    [
      'unknown datahub',
      GOOD.replace(DATAHUB, 'datahub-00000000'),
      {},
      'ResourceNotFound',
      'The DataHub access point `datahub-00000000` does not exist.',
    ],
    [
      'no datahub id',
      GOOD.replace(DATAHUB, 'x'.repeat(1000)),
      {},
      'ResourceNotFound',
      `The DataHub access point \`${'x'.repeat(128)}…\` does not exist.`,
    ],
    [
      '0 messages',
      messages(),
      {},
      'InvalidParameterValue',
      '`Message` is not valid. It must hold 1 to 500 messages, not 0.',
    ],
    [
      '501 messages',
      many(501),
      {},
      'InvalidParameterValue',
      '`Message` is not valid. It must hold 1 to 500 messages, not 501.',
    ],
    [
      'Body an object',
      messages({ Body: 'a' }, { Body: { a: 1 } }),
      {},
      'InvalidParameter',
      'The value type of parameter `Message.1.Body` is not valid, input type should be `string`. Body must be a string; JSON.stringify it.',
    ],
    [
      'Body a number',
      messages({ Body: 1 }),
      {},
      'InvalidParameter',
      'The value type of parameter `Message.0.Body` is not valid, input type should be `string`. Body must be a string; JSON.stringify it.',
    ],
    [
      'Key a number',
      messages({ Body: 'a', Key: 1 }),
      {},
      'InvalidParameter',
      'parameter `Message.0.Key` is not valid',
    ],
    [
      'message a string',
      messages('a'),
      {},
      'InvalidParameter',
      'parameter `Message.0` is not valid, input type should be `object`.',
    ],
    [
      'Message an object',
      '{"DataHubId":"d","Message":{"Body":"a"}}',
      {},
      'InvalidParameter',
      'parameter `Message` is not valid, input type should be `array`.',
    ],
    [
      'missing DataHubId',
      '{"Message":[]}',
      {},
      'MissingParameter',
      'The request is missing a required parameter `DataHubId`.',
    ],
    ['missing Message', '{"DataHubId":"d"}', {}, 'MissingParameter', 'parameter `Message`.'],
    [
      'missing Body',
      messages({ Body: 'a' }, { Key: 'k' }),
      {},
      'MissingParameter',
      'parameter `Message.1.Body`.',
    ],
    ['null Body', messages({ Body: null }), {}, 'MissingParameter', 'parameter `Message.0.Body`.'],
    ['empty body', '', {}, 'MissingParameter', 'parameter `DataHubId`.'],
    [
      'unknown field',
      '{"DatahubId":"d","Message":[]}',
      {},
      'UnknownParameter',
      'The parameter `DatahubId` is not recognized.',
    ],
    [
      'unknown field of a message',
      messages({ Body: 'a', Value: 'b' }),
      {},
      'UnknownParameter',
      '`Message.0.Value`',
    ],
    [
      'over 5 MB decoded',
      messages(...Array.from({ length: 6 }, () => ({ Body: megabyte }))),
      {},
      'InvalidParameterValue',
      'A value specified in `Message` is not valid. It has more than 5242880 bytes.',
    ],
    [
      'a message over its limit',
      messages({ Body: 'a' }, { Body: 'é'.repeat(500_001) }),
      {},
      'InvalidParameterValue',
      'A value specified in `Message.1` is not valid. It has more than 1000000 bytes.',
    ],
    [
      'over 10 MB raw',
      ' '.repeat(10_485_761),
      {},
      'RequestSizeLimitExceeded',
      'The request body has more than 10485760 bytes.',
    ],
    [
      'broken JSON',
      GOOD.slice(0, -1),
      {},
      'InvalidParameter',
      'The request body is not valid JSON: ',
    ],
    [
      'JSON that is no object',
      '[]',
      {},
      'InvalidParameter',
      'The value type of the request body is not valid, input type should be `object`.',
    ],
    [
      'JSON nested 20,000 deep',
      deep,
      {},
      'InvalidParameter',
      'The value type of the request body is not valid',
    ],
    [
      'a Message nested 20,000 deep',
      `{"DataHubId":"d","Message":${deep}}`,
      {},
      'InvalidParameter',
      '`Message.0`',
    ],
    [
      'a Body nested 20,000 deep',
      `{"DataHubId":"d","Message":[{"Body":${deep}}]}`,
      {},
      'InvalidParameter',
      '`Message.0.Body`',
    ],
    ['an unknown field nested 20,000 deep', `{"x":${deep}}`, {}, 'UnknownParameter', '`x`'],
    ['unclosed JSON 20,000 deep', '{"a":'.repeat(20_000), {}, 'InvalidParameter', 'not valid JSON'],
    [
      'non-UTF-8 bytes',
      new Uint8Array([0x7b, 0xff, 0x7d]),
      {},
      'InvalidParameter',
      'The request body is not valid UTF-8.',
    ],
    [
      'half a surrogate pair',
      lone,
      {},
      'InvalidParameterValue',
      'A value specified in `Message.0.Body` is not valid. It holds half a surrogate pair, which cannot be written as UTF-8.',
    ],
    [
      'no Authorization at all',
      GOOD,
      { headers: { authorization: undefined, 'x-tc-timestamp': undefined } },
      'MissingParameter',
      'The request is missing a required parameter `Timestamp`.',
    ],
    [
      'no Authorization',
      GOOD,
      { headers: { authorization: undefined } },
      'MissingParameter',
      'parameter `Authorization`.',
    ],
    [
      'no action',
      GOOD,
      { headers: { 'x-tc-action': undefined } },
      'MissingParameter',
      'parameter `Action`.',
    ],
    [
      'no version',
      GOOD,
      { headers: { 'x-tc-version': '' } },
      'MissingParameter',
      'parameter `Version`.',
    ],
    [
      'other version',
      GOOD,
      { headers: { 'x-tc-version': '2017-03-12' } },
      'NoSuchVersion',
      'The version `2017-03-12` does not exist; use `2019-08-19`.',
    ],
    [
      'other action',
      GOOD,
      { headers: { 'x-tc-action': 'sendMessage' } },
      'InvalidAction',
      'The action `sendMessage` does not exist or is not supported.',
    ],
    [
      'SKIP',
      GOOD,
      { headers: { authorization: 'SKIP' } },
      'AuthFailure.UnauthorizedOperation',
      'Unsigned calls (`Authorization: SKIP`) are not allowed',
    ],
    [
      'other scheme',
      GOOD,
      { headers: { authorization: 'Basic YTpi' } },
      'AuthFailure.InvalidAuthorization',
      'The `Authorization` header is not in the form',
    ],
    [
      'malformed Authorization',
      GOOD,
      { headers: { authorization: 'TC3-HMAC-SHA256 x' } },
      'AuthFailure.InvalidAuthorization',
      'is not in the form',
    ],
    [
      'multipart',
      'x',
      { contentType: 'multipart/form-data; boundary=x' },
      'UnsupportedOperation',
      '`multipart/form-data; boundary=x` is not supported; use `application/json`.',
    ],
    [
      'octet stream',
      'x',
      { contentType: 'application/octet-stream' },
      'UnsupportedOperation',
      '`application/octet-stream` is not supported',
    ],
    [
      'a form signed with TC3',
      `DataHubId=${DATAHUB}&Message.0.Body=a`,
      { contentType: 'application/x-www-form-urlencoded' },
      'UnsupportedOperation',
      '`application/x-www-form-urlencoded` is not supported; use `application/json`.',
    ],
    [
      'multipart with a wrong signature',
      'x',
      { contentType: 'multipart/form-data; boundary=x', secretKey: 'wrong' },
      'AuthFailure.SignatureFailure',
      'could not be validated',
    ],
    [
      'bad timestamp',
      GOOD,
      { headers: { 'x-tc-timestamp': 'soon' } },
      'InvalidParameterValue',
      '`X-TC-Timestamp` is not valid. It must be Unix seconds, decimal.',
    ],
  ])('%s', async ([, body, options, code, message], { expect }) => {
    const { deps, accepted, logged } = fakeDeps()
    const response = await handleTencentRequest(await signedCall(body, options), deps)
    const answer = await answerOf(response, expect)
    expect(answer.Error?.Code).toBe(code)
    expect(answer.Error?.Message).toContain(message)
    expect(answer.MessageId).toBeUndefined()
    expect(accepted).toEqual([])
    // What was tried is looked for by who sets up a client; the rest would be noise.
    const level = code === 'AuthFailure.SignatureFailure' ? 'warn' : 'info'
    expect(logged).toMatchObject([{ level, code, requestId: answer.RequestId }])
  })
})

describe('a body', () => {
  /** Of 100 MB and unknown length, as a client that streams sends it. */
  function streamed(headers: Headers): {
    request: Request
    seen: { pulled: number; left: boolean }
  } {
    const seen = { pulled: 0, left: false }
    const chunk = new Uint8Array(1_048_576)
    const body = new ReadableStream({
      pull(controller) {
        seen.pulled++
        if (seen.pulled > 100) controller.close()
        else controller.enqueue(chunk)
      },
      cancel() {
        seen.left = true
      },
    })
    return {
      request: new Request('https://edgehub.test/', { method: 'POST', headers, body }),
      seen,
    }
  }

  it('over 10 MB is not read to its end', async ({ expect }) => {
    const { headers } = await signedCall('')
    const { deps, asked } = fakeDeps()
    const { request, seen } = streamed(headers)
    const answer = await answerOf(await handleTencentRequest(request, deps), expect)
    expect(answer.Error).toEqual({
      Code: 'RequestSizeLimitExceeded',
      Message: 'The request body has more than 10485760 bytes.',
    })
    expect(seen.pulled).toBeLessThan(20)
    expect(seen.left).toBe(true)
    expect(asked).toHaveLength(1)
  })

  it.for<[string, CallOptions, string]>([
    ['without an Authorization', { headers: { authorization: undefined } }, 'MissingParameter'],
    ['of another version', { headers: { 'x-tc-version': '1' } }, 'NoSuchVersion'],
    ['of an unknown action', { headers: { 'x-tc-action': 'Nothing' } }, 'InvalidAction'],
    ['of an unknown SecretId', { secretId: 'AKIDother' }, 'AuthFailure.SecretIdNotFound'],
    [
      'announced as too large',
      { secretId: 'AKIDother', headers: { 'content-length': '10485761' } },
      'RequestSizeLimitExceeded',
    ],
    [
      'that is compressed',
      { secretId: 'AKIDother', headers: { 'content-encoding': 'gzip' } },
      'UnsupportedOperation',
    ],
  ])(
    '%s is not read, and not cancelled, which would break the connection',
    async ([, options, code], { expect }) => {
      const { headers } = await signedCall('', options)
      const { deps } = fakeDeps()
      const { request, seen } = streamed(headers)
      const answer = await answerOf(await handleTencentRequest(request, deps), expect)
      expect(answer.Error?.Code).toBe(code)
      // The stream fills its own queue of one chunk.
      expect(seen).toEqual({ pulled: 1, left: false })
    },
  )

  it.for([
    ['gzip', false],
    ['gzip, br', false],
    ['identity', true],
    ['Identity', true],
    ['', true],
  ] as const)(
    'with the content encoding %j is taken: %s',
    async ([encoding, isTaken], { expect }) => {
      const { deps, accepted } = fakeDeps()
      const call = await signedCall(GOOD, { headers: { 'content-encoding': encoding } })
      const answer = await answerOf(await handleTencentRequest(call, deps), expect)
      const Message = `The content encoding \`${encoding}\` is not supported; send the body as it is.`
      expect(answer.Error).toEqual(isTaken ? undefined : { Code: 'UnsupportedOperation', Message })
      expect(accepted).toHaveLength(isTaken ? 1 : 0)
    },
  )

  it('that begins with a byte order mark is told so', async ({ expect }) => {
    const { deps } = fakeDeps()
    const call = await signedCall(`\ufeff${GOOD}`)
    const answer = await answerOf(await handleTencentRequest(call, deps), expect)
    const Message = 'The request body is not valid JSON: it begins with a byte order mark'
    expect(answer.Error).toEqual({ Code: 'InvalidParameter', Message })
  })
})
