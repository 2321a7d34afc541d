import { randomUUID } from 'node:crypto'
import process from 'node:process'
import { afterAll, beforeAll, describe, inject, it } from 'vitest'
import {
  finalReceipt,
  pauseQueues,
  postReports,
  type ReceiptBody,
  type ReportInput,
} from '../support/api.ts'
import { makeCredential } from '../support/datahubs.ts'
import { readTopic } from '../support/kafka-reader.ts'
import { followRelayLog } from '../support/relay-log.ts'
import { startStack, type TestStack } from '../support/stack.ts'

const brokers = inject('brokers')
let stack: TestStack
beforeAll(async () => {
  // A shard's shards rest 2 s when its relay is killed.
  stack = await startStack({ brokers, env: { GROUP_SESSION_TIMEOUT_MS: '2000' } })
})
afterAll(async () => {
  await stack.stop()
})

async function post(key: string, reports: readonly ReportInput[], dev = stack.dev) {
  const response = await postReports(dev, reports, { 'idempotency-key': `"${key}"` })
  return {
    status: response.status,
    replayed: response.headers.get('idempotent-replayed'),
    body: (await response.json()) as ReceiptBody & { type?: string },
  }
}

// How many records of the demo topic have this value.
async function countOf(value: string): Promise<number> {
  const records = await readTopic({ brokers, topic: stack.dev.topic })
  return records.filter((r) => r.value?.toString() === value).length
}

describe('one idempotency key', () => {
  it('repeated while queued, is one envelope; repeated after delivery, is answered with the stored outcome', async ({
    expect,
  }) => {
    const value = randomUUID()
    await pauseQueues(stack.dev, true)
    const first = await post(value, [{ value }])
    const again = await post(value, [{ value }])
    expect([first.status, again.status]).toEqual([202, 202])
    await pauseQueues(stack.dev, false)
    const final = await finalReceipt(stack.dev, first.body.receipt)
    expect(final.status).toBe('delivered')
    expect((await finalReceipt(stack.dev, again.body.receipt)).messages).toEqual(final.messages)

    const replay = await post(value, [{ value }])
    expect([replay.status, replay.replayed]).toEqual([200, 'true'])
    expect(replay.body.messages).toEqual(final.messages)
    expect(await countOf(value)).toBe(1)
  })

  it('twenty times at the same moment, is one record', async ({ expect }) => {
    const value = randomUUID()
    const answers = await Promise.all(Array.from({ length: 20 }, () => post(value, [{ value }])))
    expect(new Set(answers.map(({ status }) => status < 300))).toEqual(new Set([true]))
    const finals = await Promise.all(
      answers.map(({ body }) => finalReceipt(stack.dev, body.receipt)),
    )
    expect(new Set(finals.map(({ messages }) => JSON.stringify(messages))).size).toBe(1)
    expect(await countOf(value)).toBe(1)
  })

  it('with another body, is refused once there is an outcome, and fails as a conflict before', async ({
    expect,
  }) => {
    const [one, two] = [randomUUID(), randomUUID()]
    await pauseQueues(stack.dev, true)
    const first = await post(one, [{ value: one }])
    const other = await post(one, [{ value: two }])
    await pauseQueues(stack.dev, false)
    const finals = [
      await finalReceipt(stack.dev, first.body.receipt),
      await finalReceipt(stack.dev, other.body.receipt),
    ]
    // The queue keeps no order: one of the two is delivered.
    expect(finals.map(({ status }) => status).sort()).toEqual(['delivered', 'failed'])
    expect(finals.flatMap(({ messages = [] }) => messages.flatMap((m) => m.reason ?? []))).toEqual([
      'idempotency_conflict',
    ])
    expect((await countOf(one)) + (await countOf(two))).toBe(1)
    const third = await post(one, [{ value: randomUUID() }])
    expect([third.status, third.body.type]).toEqual([422, '/problems/idempotency-key-reused'])
  })

  it('under a second credential of the same datahub, is the same envelope', async ({ expect }) => {
    const value = randomUUID()
    const second = await makeCredential(stack.dev, {
      scopes: ['send'],
      datahubs: [stack.dev.datahubId],
    })
    const first = await post(value, [{ value }])
    const final = await finalReceipt(stack.dev, first.body.receipt)
    const replay = await post(value, [{ value }], { ...stack.dev, ...second })
    expect([replay.status, replay.replayed]).toEqual([200, 'true'])
    expect(replay.body).toEqual(final)
    expect(await countOf(value)).toBe(1)
  })

  it('posted again while its relay is killed in the transaction and comes back, is one record', async ({
    expect,
  }) => {
    const value = randomUUID()
    const log = await followRelayLog(stack.state)
    const added = log.next(({ point, transaction = 0 }) => point === 'added' && transaction > 0)
    const first = await post(value, [{ value }])
    const { pid } = await added
    process.kill(pid, 'SIGKILL')
    log.close()
    const again = await post(value, [{ value }])
    const finals = [
      await finalReceipt(stack.dev, first.body.receipt),
      await finalReceipt(stack.dev, again.body.receipt),
    ]
    expect(finals.map(({ status }) => status)).toEqual(['delivered', 'delivered'])
    expect(finals[1]?.messages).toEqual(finals[0]?.messages)
    expect(await countOf(value)).toBe(1)
  })
})
