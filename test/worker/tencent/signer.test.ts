/** Whatever a client signs by Tencent's description is verified and read back as it was; and with anything else it is not. */
import * as fc from 'fast-check'
import { describe, it } from 'vitest'
import { handleTencentRequest } from '../../../worker/tencent/api.ts'
import { answerOf } from './answer-of.ts'
import { DATAHUB, fakeDeps } from './fake-deps.ts'
import { signedCall, signedQuery, signedV1Call, type CallOptions } from './sign.ts'

interface Message {
  Key?: string
  Body: string
}

/** Any text that UTF-8 has. */
const text = fc.string({ unit: 'binary', maxLength: 12 })
const message = fc.record({ Key: text, Body: text }, { requiredKeys: ['Body'] })
/** Often more than ten, so that the order of the names' bytes is not that of the indexes. */
const messages = fc.oneof(
  fc.array(message, { minLength: 1, maxLength: 4 }),
  fc.array(message, { minLength: 11, maxLength: 25 }),
)
const secret = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 })

const recordsOf = (sent: readonly Message[]) =>
  sent.map(({ Key = '', Body: value }) => (Key === '' ? { value } : { key: Key, value }))

function flat(sent: readonly Message[]): Record<string, string> {
  return {
    DataHubId: DATAHUB,
    ...Object.fromEntries(
      sent.flatMap((fields, i) =>
        Object.entries(fields).map(([name, value]) => [`Message.${i}.${name}`, value]),
      ),
    ),
  }
}

type Sign = (sent: readonly Message[], secretKey: string) => Promise<Request>

function query(sent: readonly Message[], blank: '%20' | '+'): string {
  // `Request` writes an apostrophe of a query as %27, and would send something else than was signed.
  const encode = (part: string): string =>
    encodeURIComponent(part).replaceAll("'", '%27').replaceAll('%20', blank)
  return Object.entries(flat(sent))
    .map((pair) => pair.map(encode).join('='))
    .join('&')
}

const post = (sent: readonly Message[], options: CallOptions) =>
  signedCall(JSON.stringify({ DataHubId: DATAHUB, Message: sent }), options)

const WAYS: Record<string, Sign> = {
  'TC3 POST': (sent, secretKey) => post(sent, { secretKey }),
  'TC3 POST, unsigned payload': (sent, secretKey) =>
    post(sent, { secretKey, unsignedPayload: true }),
  'TC3 GET, blanks as %20': (sent, secretKey) => signedQuery(query(sent, '%20'), { secretKey }),
  'TC3 GET, blanks as +': (sent, secretKey) => signedQuery(query(sent, '+'), { secretKey }),
  ...Object.fromEntries(
    (['GET', 'POST'] as const).flatMap((method) =>
      ['HmacSHA1', 'HmacSHA256'].map((signatureMethod): [string, Sign] => [
        `${signatureMethod} ${method}`,
        (sent, secretKey) => signedV1Call(flat(sent), { method, signatureMethod, secretKey }),
      ]),
    ),
  ),
}

describe.for(Object.entries(WAYS))('%s', ([, sign]) => {
  it('of any messages and any secret is accepted with these messages', async ({ expect }) => {
    await fc.assert(
      fc.asyncProperty(messages, secret, async (sent, secretKey) => {
        const { deps, accepted } = fakeDeps({ credential: { secretKeys: [secretKey] } })
        const request = await sign(sent, secretKey)
        const answer = await answerOf(await handleTencentRequest(request, deps), expect)
        expect(answer.Error).toBeUndefined()
        expect(accepted.map(({ records }) => records)).toEqual([recordsOf(sent)])
      }),
      { numRuns: 60 },
    )
  })

  it('with any other secret is refused, and says no more', async ({ expect }) => {
    await fc.assert(
      fc.asyncProperty(messages, secret, secret, async (sent, secretKey, other) => {
        fc.pre(other !== secretKey)
        const { deps, accepted } = fakeDeps({ credential: { secretKeys: [secretKey] } })
        const request = await sign(sent, other)
        const answer = await answerOf(await handleTencentRequest(request, deps), expect)
        expect(answer.Error).toEqual({
          Code: 'AuthFailure.SignatureFailure',
          Message:
            'The provided credentials could not be validated. Please check your signature is correct.',
        })
        expect(accepted).toEqual([])
      }),
      { numRuns: 30 },
    )
  })
})
