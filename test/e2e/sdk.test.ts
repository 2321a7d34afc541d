import { afterAll, beforeAll, describe, inject, it, type ExpectStatic } from 'vitest'
import { parseMessageId } from '#contract'
import { sendWithJava } from '../sdk/java.ts'
import { sendWithNode } from '../sdk/node.ts'
import type { SdkMessage, SendOptions, SendResult } from '../sdk/sending.ts'
import { readTopic } from '../support/kafka-reader.ts'
import { startStack, type TestStack } from '../support/stack.ts'

const brokers = inject('brokers')
let stack: TestStack
beforeAll(async () => {
  stack = await startStack({ brokers })
})
afterAll(async () => {
  await stack.stop()
})

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
  'x'.repeat(5_000),
]

/** All hard texts, then as many numbered ones as asked for; keyed, unkeyed and empty-keyed in turn. */
function messages(count: number): SdkMessage[] {
  return Array.from({ length: count }, (_, i) => {
    const Body = `${HARD[i % HARD.length]}${i < HARD.length ? '' : ` #${i}`}`
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

const SDKS = { 'the Node SDK': sendWithNode, "the tutorial's Java program": sendWithJava }

describe.for(Object.keys(SDKS) as (keyof typeof SDKS)[])('%s', (name) => {
  const send = SDKS[name]

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
})
