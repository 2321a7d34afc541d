// SendMessage with every official SDK, in every way in which its settings let it sign and send: through the whole stack, and each
// message at its place in Kafka. The actions on tasks have a file of their own.
import { afterAll, beforeAll, describe, inject, it, type ExpectStatic } from 'vitest'
import { parseMessageId } from '#contract'
import { buildJavaClient, sendWithJava } from '../sdk/java.ts'
import { SDK_NAMES, SDKS, titleOf, type Sdk } from '../sdk/sdks.ts'
import {
  DEFAULT_MODE,
  sendBy,
  type CallActions,
  type SdkMessage,
  type SdkMode,
  type SendOptions,
  type SendResult,
} from '../sdk/sending.ts'
import { makeCredential } from '../support/datahubs.ts'
import { readTopic } from '../support/kafka-reader.ts'
import { startStack, type TestStack } from '../support/stack.ts'

const brokers = inject('brokers')
// The first fetch and build of an SDK, on a slow network.
const PREPARE_MS = 300_000

let stack: TestStack
beforeAll(async () => {
  stack = await startStack({ brokers })
})
afterAll(async () => {
  await stack.stop()
})

const LONG = 'x'.repeat(5_000)
const HARD = [
  'plain',
  '',
  '"quotes" \'single\' \\backslash\\',
  'line\nline\r\n\ttab',
  '中文 日本語 한국어',
  '😀 👩‍👩‍👧‍👦 𝔘𝔫𝔦',
  '\u0000\u0001\u0008\u001b\u007f\u0085\u2028\u2029\ufeff',
  '{"a": [1, {"b": null}]}',
  '~!*()+&=%/?#;:@,<end>',
  LONG,
]

const SHORT = HARD.filter((text) => text !== LONG)

/** All hard texts, then as many numbered ones as asked for; keyed, unkeyed and empty-keyed in turn. */
function messages(count: number, hard = HARD): SdkMessage[] {
  return Array.from({ length: count }, (_, i) => {
    const Body = `${hard[i % hard.length]}${i < hard.length ? '' : ` #${i}`}`
    if (i % 3 === 0) return { Body }
    return { Key: i % 3 === 1 ? `key ${i % 7} 键` : '', Body }
  })
}

function endpointOf({ dev }: TestStack): Omit<SendOptions, 'messages'> {
  return {
    endpoint: new URL(dev.api).host,
    secretId: dev.secretId,
    secretKey: dev.secretKey,
    datahub: dev.datahubId,
  }
}

async function expectEachAtItsPlace(
  expect: ExpectStatic,
  sent: readonly SdkMessage[],
  result: SendResult,
): Promise<void> {
  if (!('messageIds' in result)) throw new Error(JSON.stringify(result))
  expect(result.messageIds).toHaveLength(sent.length)
  const records = await readTopic({ brokers, topic: stack.dev.topic })
  const byPlace = new Map(records.map((r) => [`${r.partition}/${r.offset}`, r]))
  for (const [i, text] of result.messageIds.entries()) {
    const id = parseMessageId(text)
    expect(id).toMatchObject({ datahub: stack.dev.datahubId, topic: stack.dev.topic })
    const record = byPlace.get(`${id?.partition}/${id?.offset}`)
    expect(record?.value?.toString()).toBe(sent[i]?.Body)
    expect(record?.key?.toString() ?? '').toBe(sent[i]?.Key ?? '')
    expect(record?.timestamp).toBe(id?.received)
    expect(id?.sent).toBeGreaterThanOrEqual(id?.received ?? Number.POSITIVE_INFINITY)
  }
}

type Send = (options: SendOptions) => Promise<SendResult>

// What each client shows when it is used as its documentation says, with nothing set but endpoint, protocol and keys.
function testDefaults(send: Send): void {
  it.for([1, 2, 500])(
    'sends %i messages and gets one MessageId each, in order, where the message is in Kafka',
    async (count, { expect }) => {
      const sent = messages(count)
      const result = await send({ ...endpointOf(stack), messages: sent })
      expect(result).toMatchObject({ messageIds: { length: count } })
      await expectEachAtItsPlace(expect, sent, result)
    },
  )

  it.for([
    ['a wrong secret', { secretKey: 'x'.repeat(32) }, 'AuthFailure.SignatureFailure'],
    [
      'an unknown key',
      { secretId: 'AKIDEXAMPLEONLY00000000000000000000' },
      'AuthFailure.SecretIdNotFound',
    ],
    ['an unknown datahub', { datahub: 'datahub-zzzzzzzz' }, 'ResourceNotFound'],
  ] as const)('gets the code of %s', async ([, change, code], { expect }) => {
    const result = await send({ ...endpointOf(stack), messages: [{ Body: 'x' }], ...change })
    expect(result).toMatchObject({
      error: { code, requestId: expect.stringMatching(/^[0-9a-f-]{36}$/) },
    })
  })

  it('gets InvalidParameterValue for 0 and for 501 messages, and nothing of them is in Kafka', async ({
    expect,
  }) => {
    const before = (await readTopic({ brokers, topic: stack.dev.topic })).length
    for (const count of [0, 501]) {
      expect(await send({ ...endpointOf(stack), messages: messages(count) })).toMatchObject({
        error: { code: 'InvalidParameterValue' },
      })
    }
    expect(await readTopic({ brokers, topic: stack.dev.topic })).toHaveLength(before)
  })
}

function testModes({ call, modes, dropsEmptyTexts }: Sdk): void {
  const cases = modes.map((mode) => ({ mode, title: titleOf(mode) }))
  const isJson = ({ signMethod, reqMethod }: SdkMode): boolean =>
    signMethod === 'TC3-HMAC-SHA256' && reqMethod === 'POST'

  it.for(cases)('sends hard texts with $title', async ({ mode }, { expect }) => {
    // Enough that the byte order of `Message.N` is not the order of N; a query may have 32 KB.
    const all = mode.reqMethod === 'POST' ? messages(120) : messages(30, SHORT)
    const sent = dropsEmptyTexts && !isJson(mode) ? all.filter(({ Body }) => Body !== '') : all
    const result = await sendBy(call, { ...endpointOf(stack), messages: sent }, mode)
    expect(result).toMatchObject({ messageIds: { length: sent.length } })
    await expectEachAtItsPlace(expect, sent, result)
  })

  it('is refused with a wrong secret, whichever way it signs and sends', async ({ expect }) => {
    const options = { ...endpointOf(stack), secretKey: 'x'.repeat(32) }
    const answers = cases.map(async ({ mode, title }) => {
      const result = await sendBy(call, { ...options, messages: [{ Body: 'x' }] }, mode)
      return [title, 'error' in result ? result.error.code : result]
    })
    const wanted = cases.map(({ title }) => [title, 'AuthFailure.SignatureFailure'])
    expect(await Promise.all(answers)).toEqual(wanted)
  })
}

// TC3 does not sign the token, v1 does.
function testTemporaryCredential(call: CallActions): void {
  it.for([
    { signMethod: 'TC3-HMAC-SHA256', reqMethod: 'POST', language: 'en-US' },
    { signMethod: 'HmacSHA1', reqMethod: 'GET', language: 'en-US' },
  ] as const)(
    'sends with a temporary credential, and is refused without its token: $signMethod',
    async (mode, { expect }) => {
      const { secretId, secretKey, sessionToken } = await makeCredential(stack.dev, {
        scopes: ['send'],
        sessionToken: true,
        expires: Date.now() + 3_600_000,
      })
      const { endpoint, datahub } = endpointOf(stack)
      const sent = [{ Key: '键', Body: 'with a token' }]
      const options = { endpoint, datahub, secretId, secretKey, messages: sent }
      const token = sessionToken ?? ''
      await expectEachAtItsPlace(expect, sent, await sendBy(call, { ...options, token }, mode))
      for (const wrong of [{}, { token: `${token}x` }]) {
        expect(await sendBy(call, { ...options, ...wrong }, mode)).toMatchObject({
          error: { code: 'AuthFailure.TokenFailure' },
        })
      }
    },
  )
}

function testApigwEndpoint(call: CallActions): void {
  it.for(['ckafka.tencentcloudapi.com', 'ckafka.ap-guangzhou.tencentcloudapi.com'])(
    'signs %s while it sends to Edgehub',
    async (endpoint, { expect }) => {
      const { endpoint: apigwEndpoint, ...access } = endpointOf(stack)
      for (const signMethod of ['TC3-HMAC-SHA256', 'HmacSHA256'] as const) {
        const mode = { ...DEFAULT_MODE, signMethod, apigwEndpoint }
        const sent = [{ Key: '键', Body: `signed for ${endpoint}` }, { Body: signMethod }]
        const result = await sendBy(call, { ...access, endpoint, messages: sent }, mode)
        expect(result).toMatchObject({ messageIds: { length: sent.length } })
        await expectEachAtItsPlace(expect, sent, result)
      }
    },
  )
}

function testSkippedSignature(call: CallActions): void {
  it('is refused when it leaves the signature out', async ({ expect }) => {
    const mode = { ...DEFAULT_MODE, skipSign: true }
    expect(
      await sendBy(call, { ...endpointOf(stack), messages: [{ Body: 'x' }] }, mode),
    ).toMatchObject({ error: { code: 'AuthFailure.UnauthorizedOperation' } })
  })
}

// Nobody can tell what the client left out. So a message that was left out whole has no MessageId, and one without its empty Body is
// refused: as JSON both arrive.
function testDroppedTexts(call: CallActions): void {
  it.for([
    { signMethod: 'TC3-HMAC-SHA256', reqMethod: 'GET' },
    { signMethod: 'HmacSHA256', reqMethod: 'POST' },
  ] as const)(
    'gets what its dropping of empty texts leaves: $signMethod over $reqMethod',
    async (mode, { expect }) => {
      const sent = [{ Body: 'first' }, { Key: '', Body: '' }, { Key: 'k', Body: 'third' }]
      const result = await sendBy(call, { ...endpointOf(stack), messages: sent }, mode)
      const arrived = sent.filter(({ Body }) => Body !== '')
      await expectEachAtItsPlace(expect, arrived, result)

      const keyed = [{ Body: 'first' }, { Key: 'k', Body: '' }]
      expect(await sendBy(call, { ...endpointOf(stack), messages: keyed }, mode)).toMatchObject({
        error: { code: 'MissingParameter', message: expect.stringContaining('Message.1.Body') },
      })
    },
  )
}

describe("the tutorial's Java program", () => {
  beforeAll(() => buildJavaClient(), PREPARE_MS)
  testDefaults(sendWithJava)
})

for (const name of SDK_NAMES) {
  const sdk = SDKS[name]
  const { title, call, hasApigwEndpoint, canSkipSign, dropsEmptyTexts } = sdk
  describe(`SendMessage with ${title}`, () => {
    beforeAll(() => sdk.prepare(), PREPARE_MS)
    // The tutorial's program shows them for Java.
    if (name !== 'java') testDefaults((options) => sendBy(call, options))
    testModes(sdk)
    testTemporaryCredential(call)
    if (hasApigwEndpoint) testApigwEndpoint(call)
    if (canSkipSign) testSkippedSignature(call)
    if (dropsEmptyTexts) testDroppedTexts(call)
  })
}
