import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, inject, it } from 'vitest'
import { run } from '../relay/dead-letters/run.ts'
import { finalReceipt, postReports, type ReceiptBody } from '../support/api.ts'
import { makeDatahub, makeTopic, MESSAGE_LIMIT, setTopicConfig } from '../support/datahubs.ts'
import { readTopic } from '../support/kafka-reader.ts'
import { startStack, type TestStack } from '../support/stack.ts'

const brokers = inject('brokers')
const SMALL = '2000'
const LARGE = '1000000'
const TRACE = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'

let stack: TestStack
beforeAll(async () => {
  stack = await startStack({ brokers, env: { TARGET_CHECK_MS: '2000' } })
})
afterAll(async () => {
  await stack.stop()
})

it('a report that was too large is listed with its receipt, replayed once its topic takes it, and never stored twice', async ({
  expect,
}) => {
  const topic = `letters-${randomBytes(4).toString('hex')}`
  await makeTopic(brokers, { topic, partitions: 1, config: { [MESSAGE_LIMIT]: LARGE } })
  const dev = await makeDatahub(stack.dev, topic)
  const value = 'ü'.repeat(2_500)
  // What a topic takes is looked at from time to time, so for a while the edge takes what the leader refuses already.
  await setTopicConfig(brokers, topic, { [MESSAGE_LIMIT]: SMALL })
  let key = ''
  let receipt = ''
  let attempts = 0
  const refused = async () => {
    key = `k${++attempts}`
    const reports = [{ value: 'small' }, { key, value, headers: { source: 'web' } }]
    const response = await postReports(dev, reports, { traceparent: TRACE })
    ;({ receipt } = (await response.json()) as ReceiptBody)
    return finalReceipt(dev, receipt)
  }
  await expect.poll(refused, { timeout: 20_000 }).toMatchObject({
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
    key,
    value,
    headers: { source: 'web', traceparent: TRACE },
  })

  // Once the edge knows, it refuses by itself; and takes it again once the topic does.
  const statusOf = async () => (await postReports(dev, [{ key: 'probe', value }])).status
  await expect.poll(statusOf, { timeout: 60_000 }).toBe(413)
  await setTopicConfig(brokers, topic, { [MESSAGE_LIMIT]: LARGE })
  const isTaken = async () => {
    const answer = await postReports(dev, [{ key: 'probe', value }])
    if (answer.status === 413) return 'refused'
    return (await finalReceipt(dev, ((await answer.json()) as ReceiptBody).receipt)).status
  }
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
  expect(repeated.lines.map((line) => line.split(/ {2,}/))).toContainEqual([
    letter.position,
    'delivered (sent before)',
    again,
    messageId,
  ])

  const stored = (await readTopic({ brokers, topic })).filter((r) => r.key?.toString() === key)
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
