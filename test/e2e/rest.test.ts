import { afterAll, beforeAll, describe, inject, it } from 'vitest'
import { parseMessageId } from '#contract'
import {
  accept,
  finalReceipt,
  getReceipt,
  postReports,
  queueLog,
  queueSwitch,
  type ReceiptBody,
} from '../support/api.ts'
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

async function recordsOf({ receipt, messages = [] }: ReceiptBody) {
  const records = await readTopic({ brokers, topic: stack.dev.topic })
  return messages.map(({ partition, offset, messageId }) => {
    const id = parseMessageId(messageId ?? '')
    const record = records.find((r) => r.partition === partition && r.offset === Number(offset))
    if (id?.partition !== partition || id?.offset !== offset || !record) {
      throw new Error(`${receipt}: ${messageId} leads nowhere`)
    }
    return record
  })
}

describe('plain HTTP', () => {
  it('answers 202 with a receipt, and the receipt becomes partition and offset of every report', async ({
    expect,
  }) => {
    const response = await postReports(stack.dev, [
      { key: 'k1', value: 'text', headers: { source: 'web' } },
      { json: { a: [1, 'ü'] } },
      { base64: 'AP8A' },
      { key: 'gone' },
    ])
    expect(response.status).toBe(202)
    const accepted = (await response.json()) as ReceiptBody
    expect(accepted).toEqual({
      receipt: expect.stringMatching(/^[A-Za-z0-9_-]{43}$/),
      count: 4,
      status: 'queued',
    })
    const final = await getReceipt(stack.dev, accepted.receipt, 20)
    expect(final).toMatchObject({ receipt: accepted.receipt, count: 4, status: 'delivered' })
    const records = await recordsOf(final)
    expect(records.map((r) => [r.key?.toString(), r.value])).toEqual([
      ['k1', Buffer.from('text')],
      [undefined, Buffer.from('{"a":[1,"ü"]}')],
      [undefined, Buffer.from([0, 255, 0])],
      ['gone', null],
    ])
    expect(records[0]?.headers['source']?.toString()).toBe('web')
  })

  it('Prefer: wait answers 200 with the MessageIds at once', async ({ expect }) => {
    const response = await postReports(stack.dev, [{ value: 'a' }, { value: 'b' }], {
      prefer: 'wait=5',
    })
    expect([response.status, response.headers.get('preference-applied')]).toEqual([200, 'wait=5'])
    const body = (await response.json()) as ReceiptBody
    expect(body).toMatchObject({ count: 2, status: 'delivered' })
    expect((await recordsOf(body)).map((r) => r.value?.toString())).toEqual(['a', 'b'])
    expect(await getReceipt(stack.dev, body.receipt)).toEqual(body)
  })

  it('500 reports of 9 KB in one POST are one object, one queue message and 500 records; the object is gone after settling', async ({
    expect,
  }) => {
    const before = (await queueLog(stack.dev)).length
    const reports = Array.from({ length: 500 }, (_, i) => ({
      key: `k${i % 11}`,
      value: `${i}:`.padEnd(9_000, 'x'),
    }))
    const { receipt } = await accept(stack.dev, reports)
    const final = await finalReceipt(stack.dev, receipt)
    expect(final.status).toBe('delivered')
    expect((await recordsOf(final)).map((r) => r.value?.toString())).toEqual(
      reports.map(({ value }) => value),
    )

    const given = (await queueLog(stack.dev))
      .slice(0)
      .filter(({ body }) => body?.includes('"claim"'))
    expect((await queueLog(stack.dev)).length).toBe(before + 1)
    expect(given).toHaveLength(1)
    const { claim } = JSON.parse(given[0]?.body ?? '{}') as {
      claim: { object: string; count: number }
    }
    expect(claim.count).toBe(500)
    await expect.poll(() => objectStatus(claim.object), { timeout: 10_000 }).toBe(404)
  })

  it('a queue message that is no envelope goes to the dead letters raw, under the queue’s message id, and costs nobody anything', async ({
    expect,
  }) => {
    const pushed = await queueSwitch<{ ids: string[] }>(stack.dev, 0, 'push', {
      messages: [{ body: '\u0000 not {an} envelope', contentType: 'text' }],
    })
    const { receipt } = await accept(stack.dev, [{ value: 'beside poison' }])
    expect((await finalReceipt(stack.dev, receipt)).status).toBe('delivered')
    const letters = () =>
      readTopic({ brokers, topic: `edgehub-${stack.dev.instanceId}-dead-letters` })
    await expect.poll(async () => (await letters()).length, { timeout: 10_000 }).toBe(1)
    expect((await letters()).map((l) => [l.key?.toString(), l.value?.toString()])).toEqual([
      [pushed.ids[0], '\u0000 not {an} envelope'],
    ])
  })
})

async function objectStatus(object: string): Promise<number> {
  const response = await fetch(`${stack.dev.api}/internal/envelopes/${object}`, {
    headers: { authorization: `Bearer ${stack.dev.relayToken}` },
  })
  await response.body?.cancel()
  return response.status
}

describe('bad input', () => {
  const nested = `${'['.repeat(20_000)}${']'.repeat(20_000)}`
  const bad: [name: string, body: BodyInit, status: number, place: string][] = [
    ['broken JSON', '{"reports": [', 400, 'JSON'],
    ['bytes that are not UTF-8', new Uint8Array([0x7b, 0xff, 0x7d]), 400, 'UTF-8'],
    ['no reports member', '{}', 422, 'reports'],
    ['0 reports', '{"reports": []}', 422, 'reports'],
    ['501 reports', JSON.stringify({ reports: Array(501).fill({ value: 'x' }) }), 422, '500'],
    [
      'a value that is an object',
      '{"reports": [{"value": "x"}, {"value": {}}]}',
      422,
      'reports.1.value',
    ],
    ['a value that is a number', '{"reports": [{"value": 1}]}', 422, 'reports.0.value'],
    ['an unknown field', '{"reports": [{"value": "x", "color": "red"}]}', 422, 'reports.0.color'],
    ['JSON nested 20,000 deep', `{"reports": ${nested}}`, 422, 'reports'],
    [
      'JSON nested 20,000 deep in a report',
      `{"reports": [{"json": ${nested}}]}`,
      422,
      'reports.0.json',
    ],
    [
      'a report over 1,000,000 bytes',
      JSON.stringify({ reports: [{ value: 'x'.repeat(1_000_001) }] }),
      413,
      'reports.0',
    ],
    [
      'over 5 MB in all',
      JSON.stringify({ reports: Array(6).fill({ value: 'x'.repeat(950_000) }) }),
      413,
      '5242880',
    ],
  ]

  it.for(bad)(
    '%s: a problem document that names the place, and nothing is queued',
    async ([, body, status, place], { expect }) => {
      const before = (await queueLog(stack.dev)).length
      const response = await fetch(`${stack.dev.api}/v1/datahubs/${stack.dev.datahubId}/reports`, {
        method: 'POST',
        headers: {
          authorization: `Basic ${btoa(`${stack.dev.secretId}:${stack.dev.secretKey}`)}`,
          'content-type': 'application/json',
        },
        body,
      })
      const problem = (await response.json()) as { detail: string; status: number }
      expect([response.status, response.headers.get('content-type')]).toEqual([
        status,
        'application/problem+json',
      ])
      expect(problem.status).toBe(status)
      expect(problem.detail.replaceAll(',', '')).toContain(place)
      expect((await queueLog(stack.dev)).length).toBe(before)
    },
  )

  it('a wrong secret is 401, an unknown datahub 404', async ({ expect }) => {
    const wrong = await postReports({ ...stack.dev, secretKey: 'wrong' }, [{ value: 'x' }])
    const unknown = await postReports({ ...stack.dev, datahubId: 'datahub-zzzzzzzz' }, [
      { value: 'x' },
    ])
    expect([wrong.status, unknown.status]).toEqual([401, 404])
  })
})
