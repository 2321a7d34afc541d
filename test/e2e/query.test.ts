// What is sent is found again, through the whole stack: SDK or plain HTTP → worker → link → relay → Kafka.
import { randomBytes } from 'node:crypto'
import process from 'node:process'
import { afterAll, beforeAll, describe, inject, it } from 'vitest'
import { parseMessageId, type MessageIdFields } from '#contract'
import type { DevJson } from '../../dev/dev-json.ts'
import { callWithJava, sendWithJava } from '../sdk/java.ts'
import { callWithNode, sendWithNode } from '../sdk/node.ts'
import type { ActionAnswer, SdkAccess } from '../sdk/sending.ts'
import { accept, finalReceipt, postReports, relayMetric } from '../support/api.ts'
import { makeCredential, makeDatahub, makeTopic } from '../support/datahubs.ts'
import { startStack, type TestStack } from '../support/stack.ts'

const brokers = inject('brokers')
const MESSAGES = [{ Key: 'key 键', Body: 'first' }, { Body: '' }, { Key: 'k', Body: '😀 "third"' }]

let stack: TestStack
let dev: DevJson
beforeAll(async () => {
  stack = await startStack({ brokers, args: ['--relays', '2'] })
  const topic = `query-${randomBytes(4).toString('hex')}`
  await makeTopic(brokers, { topic, partitions: 3 })
  dev = await makeDatahub(stack.dev, topic)
})
afterAll(async () => {
  await stack.stop()
})

// One of its own for each call: the documented rate is one a second.
async function makeAccess(
  scopes = ['send', 'query'],
  datahubs: 'all' | string[] = 'all',
): Promise<SdkAccess> {
  const made = await makeCredential(stack.dev, { scopes, datahubs })
  return { endpoint: new URL(stack.dev.api).host, ...made }
}

const get = (path: string, { secretId, secretKey }: Pick<SdkAccess, 'secretId' | 'secretKey'>) =>
  fetch(`${stack.dev.api}${path}`, {
    headers: {
      authorization: `Basic ${Buffer.from(`${secretId}:${secretKey}`).toString('base64')}`,
    },
  })

function resultOf(answer: ActionAnswer | undefined): unknown {
  if (!answer || !('response' in answer)) throw new Error(JSON.stringify(answer))
  return answer.response['Result']
}

async function deliver(value: string): Promise<MessageIdFields & { messageId: string }> {
  const { receipt } = await accept(dev, [{ key: 'k1', value }])
  const [message] = (await finalReceipt(dev, receipt)).messages ?? []
  const messageId = message?.messageId ?? ''
  const fields = parseMessageId(messageId)
  if (!fields) throw new Error(`no MessageId: ${messageId}`)
  return { ...fields, messageId }
}

const SDKS = {
  'the Node SDK': { send: sendWithNode, call: callWithNode },
  'the Java SDK': { send: sendWithJava, call: callWithJava },
}

describe.for(Object.keys(SDKS) as (keyof typeof SDKS)[])('%s', (name) => {
  const { send, call } = SDKS[name]

  it('finds each message that it sent by the partition and offset of its MessageId, and by time', async ({
    expect,
  }) => {
    const access = await makeAccess()
    const sent = await send({ ...access, datahub: dev.datahubId, messages: MESSAGES })
    if (!('messageIds' in sent)) throw new Error(JSON.stringify(sent))
    for (const [i, text] of sent.messageIds.entries()) {
      const id = parseMessageId(text)
      if (!id) throw new Error(text)
      const place = {
        InstanceId: dev.instanceId,
        Topic: id.topic,
        Partition: id.partition,
        Offset: Number(id.offset),
      }
      const { Key = null, Body } = MESSAGES[i] ?? { Body: '' }
      const { InstanceId, ...where } = place
      const [one] = await call(await makeAccess(), [
        { action: 'FetchMessageByOffset', params: place },
      ])
      expect(resultOf(one)).toMatchObject({ ...where, Value: Body, Timestamp: id.received })
      // An SDK that leaves out what is null leaves out the key.
      expect((resultOf(one) as { Key?: unknown }).Key ?? null).toBe(Key)

      const [list, byTime] = await call(await makeAccess(), [
        {
          action: 'FetchMessageListByOffset',
          params: { ...place, SinglePartitionRecordNumber: 2 },
        },
        {
          action: 'FetchMessageListByTimestamp',
          params: { InstanceId, Topic: id.topic, StartTime: id.received },
        },
      ])
      expect((resultOf(list) as unknown[])[0]).toMatchObject(where)
      expect(resultOf(byTime)).toContainEqual(expect.objectContaining(where))
    }
  })

  it('sees the topic, the instance, and why there is no message', async ({ expect }) => {
    const { InstanceId, Topic } = { InstanceId: dev.instanceId, Topic: dev.topic }
    const [topics, detail, instances, beyond] = await call(await makeAccess(), [
      { action: 'DescribeTopic', params: { InstanceId, SearchWord: Topic } },
      { action: 'DescribeTopicDetail', params: { InstanceId, SearchWord: Topic } },
      { action: 'DescribeInstances', params: {} },
      {
        action: 'FetchMessageByOffset',
        params: { InstanceId, Topic, Partition: 0, Offset: 1_000_000 },
      },
    ])
    expect(resultOf(topics)).toMatchObject({ TotalCount: 1, TopicList: [{ TopicName: Topic }] })
    expect(resultOf(detail)).toMatchObject({
      TopicList: [{ TopicName: Topic, PartitionNum: 3, ReplicaNum: 3 }],
    })
    expect(resultOf(instances)).toMatchObject({ InstanceList: [{ InstanceId, Status: 1 }] })
    expect(beyond).toMatchObject({ error: { code: 'FailedOperation' } })
  })
})

describe('plain HTTP', () => {
  it('finds a message by its MessageId, its place and its time', async ({ expect }) => {
    const access = await makeAccess(['query'])
    const { messageId, topic, partition, offset, received } = await deliver('wanted')
    const message = {
      topic,
      partition,
      offset,
      timestamp: received,
      key: 'k1',
      value: 'wanted',
      headers: [{ name: 'edgehub-id', value: expect.any(String) }],
    }
    const query = new URLSearchParams({ messageId })
    expect(await (await get(`/v1/messages?${query}`, access)).json()).toEqual({ message })
    const place = `topic=${topic}&partition=${partition}&offset=${offset}`
    expect(await (await get(`/v1/messages?${place}`, access)).json()).toEqual({ message })
    const byTime = await get(`/v1/messages?topic=${topic}&from=${received}`, access)
    expect(await byTime.json()).toMatchObject({ messages: expect.arrayContaining([message]) })
  })

  it('lists everything, page by page, each once', async ({ expect }) => {
    const access = await makeAccess(['query'])
    const topic = `pages-${randomBytes(4).toString('hex')}`
    await makeTopic(brokers, { topic, partitions: 3 })
    const datahub = await makeDatahub(stack.dev, topic)
    const values = Array.from({ length: 50 }, (_, i) => `value ${i}`)
    const reports = values.map((value, i) => ({ key: `k${i}`, value }))
    const { receipt } = await accept(datahub, reports)
    await finalReceipt(datahub, receipt)
    const isSeen = async () => (await get(`/v1/topics/${topic}`, access)).status
    await expect.poll(isSeen, { timeout: 20_000 }).toBe(200)
    const seen: string[] = []
    let cursor = ''
    do {
      const path = `/v1/messages?topic=${topic}&from=0&limit=7${cursor && `&cursor=${cursor}`}`
      const page = (await (await get(path, access)).json()) as {
        messages: { value: string }[]
        cursor?: string
      }
      seen.push(...page.messages.map(({ value }) => value))
      cursor = page.cursor ?? ''
    } while (cursor !== '')
    expect(seen.toSorted()).toEqual(values.toSorted())
  })

  it('answers a hundred queries at once', async ({ expect }) => {
    const access = await makeAccess(['query'])
    const { topic, partition, offset } = await deliver('hundred')
    const path = `/v1/messages?topic=${topic}&partition=${partition}&offset=${offset}`
    const answers = await Promise.all(Array.from({ length: 100 }, () => get(path, access)))
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
    for (const answer of answers) {
      expect(await answer.json()).toMatchObject({ message: { value: 'hundred' } })
    }
  })

  it('shows a topic to whoever has a datahub that writes to it, and to nobody else', async ({
    expect,
  }) => {
    const { topic, partition, offset, messageId } = await deliver('mine')
    const stranger = await makeAccess(['query'], [stack.dev.datahubId])
    const sender = await makeAccess(['send'])
    const paths = [
      `/v1/messages?topic=${topic}&partition=${partition}&offset=${offset}`,
      `/v1/messages?${new URLSearchParams({ messageId })}`,
      `/v1/topics/${topic}`,
    ]
    for (const path of paths) {
      expect((await get(path, stranger)).status).toBe(404)
      expect((await get(path, sender)).status).toBe(403)
    }
    const listed = await (await get('/v1/topics', stranger)).json()
    expect(listed).toMatchObject({ topics: [{ topic: stack.dev.topic }] })
  })
})

describe('a task', () => {
  it('whose topic does not exist fails with the reason, and runs once it does', async ({
    expect,
  }) => {
    const topic = `late-${randomBytes(4).toString('hex')}`
    const admin = { authorization: `Bearer ${stack.dev.adminToken}` }
    const made = await fetch(`${stack.dev.api}/v1/datahubs`, {
      method: 'POST',
      headers: { ...admin, 'content-type': 'application/json' },
      body: JSON.stringify({ name: topic, topic }),
    })
    const { datahubId, status } = (await made.json()) as { datahubId: string; status: number }
    expect(status).toBe(0)
    const found = async () => {
      const list = await fetch(`${stack.dev.api}/v1/datahubs`, { headers: admin })
      const { datahubs } = (await list.json()) as { datahubs: { datahubId: string }[] }
      return datahubs.find((datahub) => datahub.datahubId === datahubId)
    }
    await expect
      .poll(found, { timeout: 20_000 })
      .toMatchObject({ status: -1, problem: 'topic_not_found' })
    const refused = await postReports({ ...dev, datahubId }, [{ value: 'early' }])
    expect(refused.status).toBe(409)
    await makeTopic(brokers, { topic })
    await expect.poll(found, { timeout: 40_000 }).toMatchObject({ status: 1, partitions: 3 })
    const isTaken = async () => (await postReports({ ...dev, datahubId }, [{ value: 'x' }])).status
    await expect.poll(isTaken, { timeout: 20_000 }).toBe(202)
  })
})

describe('while parts die', () => {
  it('a worker that is killed is linked again by both relays, and answers', async ({ expect }) => {
    const access = await makeAccess(['query'])
    const { topic, partition, offset } = await deliver('before')
    const path = `/v1/messages?topic=${topic}&partition=${partition}&offset=${offset}`
    const connects = async () => {
      const counts = stack.dev.relays.map(({ ops }) => relayMetric(ops, 'link_connects_total'))
      return Promise.all(counts)
    }
    const before = await connects()
    for (const pid of (await stack.devNow()).pids.worker) process.kill(pid, 'SIGKILL')
    const areLinked = async () => (await connects()).every((n, i) => n > (before[i] ?? n))
    await expect.poll(areLinked, { timeout: 60_000 }).toBe(true)
    const answer = async () =>
      (await get(path, access).catch(() => undefined))?.status ?? 'no answer'
    await expect.poll(answer, { timeout: 60_000 }).toBe(200)
  })

  it('every query is answered within its time: by the relay that is left, and by none with 503 at once', async ({
    expect,
  }) => {
    const access = await makeAccess(['query'])
    const { topic, partition, offset } = await deliver('survivor')
    const path = `/v1/messages?topic=${topic}&partition=${partition}&offset=${offset}`
    const statuses: number[] = []
    let isOver = false
    const asking = Array.from({ length: 8 }, async () => {
      while (!isOver) statuses.push((await get(path, access)).status)
    })
    const [first = 0, second = 0] = (await stack.devNow()).pids.relay
    process.kill(first, 'SIGKILL')
    const before = statuses.length
    await expect.poll(() => statuses.length, { timeout: 20_000 }).toBeGreaterThan(before + 50)
    isOver = true
    await Promise.all(asking)
    expect(new Set(statuses)).toEqual(new Set([200]))

    process.kill(second, 'SIGKILL')
    const answer = async () => {
      const response = await get(path, access)
      return [response.status, ((await response.json()) as { type?: string }).type]
    }
    await expect.poll(answer, { timeout: 20_000 }).toEqual([503, '/problems/relay-not-connected'])
  })
})
