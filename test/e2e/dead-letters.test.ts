import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, inject, it } from 'vitest'
import type { DevJson } from '../../dev/dev-json.ts'
import { createAdmin } from '../../relay/kafka/kafkajs.ts'
import { run } from '../relay/dead-letters/run.ts'
import { accept, finalReceipt, postReports, type ReceiptBody } from '../support/api.ts'
import { readTopic } from '../support/kafka-reader.ts'
import { startStack, type TestStack } from '../support/stack.ts'

const brokers = inject('brokers')
const KAFKA = { brokers, clientId: 'dead-letters-e2e' }
const RESOURCE_TYPE_TOPIC = 2
const MAX_MESSAGE_BYTES = 'max.message.bytes'
const TRACE = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'

let stack: TestStack
beforeAll(async () => {
  stack = await startStack({ brokers })
})
afterAll(async () => {
  await stack.stop()
})

async function makeTopic(maxMessageBytes: number): Promise<string> {
  const topic = `letters-${randomBytes(4).toString('hex')}`
  const admin = createAdmin(KAFKA)
  await admin.connect()
  await admin.createTopics({
    waitForLeaders: true,
    topics: [
      {
        topic,
        numPartitions: 1,
        replicationFactor: 3,
        configEntries: [{ name: MAX_MESSAGE_BYTES, value: String(maxMessageBytes) }],
      },
    ],
  })
  await admin.disconnect()
  return topic
}

async function setMaxMessageBytes(topic: string, bytes: number): Promise<void> {
  const admin = createAdmin(KAFKA)
  await admin.connect()
  await admin.alterConfigs({
    validateOnly: false,
    resources: [
      {
        type: RESOURCE_TYPE_TOPIC,
        name: topic,
        configEntries: [{ name: MAX_MESSAGE_BYTES, value: String(bytes) }],
      },
    ],
  })
  await admin.disconnect()
}

async function makeDatahub(topic: string): Promise<DevJson> {
  const response = await fetch(`${stack.dev.api}/v1/datahubs`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${stack.dev.adminToken}`,
      'content-type': 'application/json',
    },
    body: JSON.stringify({ name: topic, topic }),
  })
  if (response.status !== 201) throw new Error(`${response.status}: ${await response.text()}`)
  const { datahubId } = (await response.json()) as { datahubId: string }
  return { ...stack.dev, datahubId, topic }
}

it('a report that was too large is listed with its receipt, replayed once its topic takes it, and never stored twice', async ({
  expect,
}) => {
  const topic = await makeTopic(2_000)
  const dev = await makeDatahub(topic)
  const value = 'ü'.repeat(2_500)
  const response = await postReports(
    dev,
    [{ value: 'small' }, { key: 'k1', value, headers: { source: 'web' } }],
    { traceparent: TRACE },
  )
  const { receipt } = (await response.json()) as ReceiptBody
  expect(await finalReceipt(dev, receipt)).toMatchObject({
    status: 'partial',
    messages: [{ status: 'delivered' }, { status: 'failed', reason: 'record_too_large' }],
  })

  const stackFlag = `--dev ${stack.state}`
  const listed = await run(`list --json --datahub ${dev.datahubId} ${stackFlag}`)
  expect([listed.code, listed.lines.length]).toEqual([0, 1])
  const letter = JSON.parse(listed.stdout) as { position: string }
  expect(letter).toMatchObject({
    reason: 'record_too_large',
    datahub: dev.datahubId,
    topic,
    receipt,
    key: 'k1',
    value,
    headers: { source: 'web', traceparent: TRACE },
  })

  await setMaxMessageBytes(topic, 1_000_000)
  // The leader learns of it a little later; it has when it takes another report of that size.
  const isTaken = async () =>
    (await finalReceipt(dev, (await accept(dev, [{ key: 'probe', value }])).receipt)).status
  await expect.poll(isTaken, { timeout: 60_000 }).toBe('delivered')

  const replayed = await run(`replay ${letter.position} --wait 25 ${stackFlag}`)
  expect(replayed).toMatchObject({ code: 0, stderr: '1 delivered\n' })
  const [place, word, again = '', messageId = ''] = replayed.lines[0]?.split(/ {2,}/) ?? []
  expect([place, word]).toEqual([letter.position, 'delivered'])
  expect((await finalReceipt(dev, again)).messages).toEqual([
    expect.objectContaining({ status: 'delivered', messageId }),
  ])

  const repeated = await run(
    `replay --all --yes --since 1h --datahub ${dev.datahubId} ${stackFlag}`,
  )
  expect(repeated.lines[0]?.split(/ {2,}/)).toEqual([
    letter.position,
    'delivered (sent before)',
    again,
    messageId,
  ])

  const stored = (await readTopic({ brokers, topic })).filter((r) => r.key?.toString() === 'k1')
  expect(stored.map((r) => [r.value?.toString(), r.offset])).toEqual([
    [value, Number(messageId.split(':')[3])],
  ])
  const headers = Object.entries(stored[0]?.headers ?? {}).map(([n, v]) => [n, v?.toString()])
  expect(Object.fromEntries(headers)).toEqual({
    source: 'web',
    traceparent: TRACE,
    'edgehub-id': expect.stringMatching(/^[A-Za-z0-9_-]{16}\.0$/),
  })
})
