// Fifty clients send without a pause while the task is paused, resumed, given another topic and deleted. Each answer is kept, and held
// against Kafka at the end.
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, inject, it } from 'vitest'
import { parseMessageId, parsePendingMessageId } from '#contract'
import type { DevJson } from '../../dev/dev-json.ts'
import { callWithNode, sendWithNode } from '../sdk/node.ts'
import type { SendResult } from '../sdk/sending.ts'
import { finalReceipt } from '../support/api.ts'
import { makeDatahub, makeTopic } from '../support/datahubs.ts'
import { readTopic, type KafkaRecord } from '../support/kafka-reader.ts'
import { startStack, type TestStack } from '../support/stack.ts'
import { getDatahub, patchDatahub, untilDatahub } from '../support/task-states.ts'

const CLIENTS = 50
// A change of a task holds everywhere after this, ms.
const SPREAD_MS = 15_000

const brokers = inject('brokers')
let stack: TestStack
beforeAll(async () => {
  stack = await startStack({ brokers })
})
afterAll(async () => {
  await stack.stop()
})

interface Sent {
  body: string
  began: number
  result: SendResult
}

// Clients that go on until they are told to stop, and everything that they were answered.
function startClients(dev: DevJson) {
  const all: Sent[] = []
  const listeners = new Set<() => void>()
  let isStopped = false
  const access = {
    endpoint: new URL(dev.api).host,
    secretId: dev.secretId,
    secretKey: dev.secretKey,
    datahub: dev.datahubId,
  }

  async function client(name: number): Promise<void> {
    for (let i = 0; !isStopped; i++) {
      const body = `${name}-${i}`
      const began = Date.now()
      const result = await sendWithNode({ ...access, messages: [{ Body: body }] })
      all.push({ body, began, result })
      for (const listener of listeners) listener()
    }
  }

  const running = Promise.all(Array.from({ length: CLIENTS }, (_, i) => client(i)))
  return {
    all,
    // The first answers, as many as there are clients and more, to calls that began after this moment.
    async answersSince(began: number): Promise<Sent[]> {
      const since = (): Sent[] => all.filter((sent) => sent.began > began)
      while (since().length < 2 * CLIENTS) {
        await Promise.race([
          running.then(() => Promise.reject(new Error('the clients stopped'))),
          new Promise<void>((resolve) => {
            const listener = () => {
              listeners.delete(listener)
              resolve()
            }
            listeners.add(listener)
          }),
        ])
      }
      return since()
    },
    async stop(): Promise<void> {
      isStopped = true
      await running
    },
  }
}

const topicOf = ({ result }: Sent): string | undefined => {
  const [id = ''] = 'messageIds' in result ? result.messageIds : []
  return (parseMessageId(id) ?? parsePendingMessageId(id))?.topic
}
const errorOf = ({ result }: Sent): string =>
  'error' in result ? `${result.error.code}: ${result.error.message}` : 'none'

it('tells no client anything that is not so, while its task is paused, resumed, given another topic and deleted', async ({
  expect,
}) => {
  const topics = ['first', 'second'].map((name) => `life-${name}-${randomBytes(4).toString('hex')}`)
  const [first = '', second = ''] = topics
  for (const topic of topics) await makeTopic(brokers, { topic, partitions: 3 })
  const dev = await makeDatahub(stack.dev, first)
  const taskId = (await getDatahub(dev))?.taskId ?? ''
  const access = { endpoint: new URL(dev.api).host, ...dev }
  const act = async (action: string) => {
    const [answer] = await callWithNode(access, [{ action, params: { TaskId: taskId } }])
    expect(answer).toMatchObject({ response: { Result: { TaskId: taskId } } })
  }

  const clients = startClients(dev)
  const running = await clients.answersSince(Date.now())
  expect(new Set(running.map(topicOf))).toEqual(new Set([first]))

  await act('PauseDatahubTask')
  await untilDatahub(dev, (task) => task?.status === 6)
  const paused = await clients.answersSince(Date.now())
  const suspended = `FailedOperation: task status suspended [${dev.datahubId}]`
  expect(new Set(paused.map(errorOf))).toEqual(new Set([suspended]))

  await act('ResumeDatahubTask')
  await untilDatahub(dev, (task) => task?.status === 1)
  const resumed = await clients.answersSince(Date.now())
  expect(new Set(resumed.map(topicOf))).toEqual(new Set([first]))

  await patchDatahub(dev, { topic: second })
  await untilDatahub(dev, (task) => task?.topic === second)
  const moved = await clients.answersSince(Date.now() + SPREAD_MS)
  expect(new Set(moved.map(topicOf))).toEqual(new Set([second]))

  await act('DeleteDatahubTask')
  await untilDatahub(dev, (task) => task === undefined)
  // What an edge looked up while it was being deleted, it may say for as long as it may say anything.
  const deleted = await clients.answersSince(Date.now() + SPREAD_MS)
  const gone = `ResourceNotFound: The DataHub access point \`${dev.datahubId}\` does not exist.`
  expect(new Set(deleted.map(errorOf))).toEqual(new Set([gone]))
  await clients.stop()

  const stored = new Map<string, [place: string, record: KafkaRecord][]>()
  for (const topic of topics) {
    for (const record of await readTopic({ brokers, topic })) {
      const body = record.value?.toString() ?? ''
      const place = `${topic}/${record.partition}/${record.offset}`
      stored.set(body, [...(stored.get(body) ?? []), [place, record]])
    }
  }
  let accepted = 0
  for (const { body, result } of clients.all) {
    const places = stored.get(body)?.map(([place]) => place) ?? []
    if ('error' in result) {
      expect([body, result.error, places]).toEqual([body, result.error, []])
      continue
    }
    accepted++
    expect(result.messageIds).toHaveLength(1)
    const id = parseMessageId(await finalIdOf(dev, result.messageIds[0] ?? ''))
    expect([body, places]).toEqual([body, [`${id?.topic}/${id?.partition}/${id?.offset}`]])
  }
  expect(stored.size).toBe(accepted)
})

// A pending id becomes what its receipt says.
async function finalIdOf(dev: DevJson, id: string): Promise<string> {
  const pending = parsePendingMessageId(id)
  if (!pending) return id
  const { messages } = await finalReceipt(dev, pending.receipt)
  return messages?.[0]?.messageId ?? ''
}
