/** A task's whole life through Tencent's actions, over the app and the real registry. */
import { env } from 'cloudflare:workers'
import { beforeAll, describe, it, type ExpectStatic } from 'vitest'
import { REGISTRY_NAME } from '../../../../worker/registry/registry.ts'
import {
  ADMIN,
  confirmTarget,
  envelopeOf,
  testClient,
  type TestClient,
} from '../../support/client.ts'
import { answerOf } from '../answer-of.ts'
import { signedCall } from '../sign.ts'
import type { TaskAnswer } from './call.ts'

const INSTANCE = 'ckafka-devlocal'

interface Key {
  secretId: string
  secretKey: string
}

interface Ids {
  TaskId: string
  DatahubId: string
}

let client: TestClient
beforeAll(() => {
  client = anotherIsolate()
})

/** It knows nothing yet, as an edge does once what it knew is too old. */
function anotherIsolate(): TestClient {
  return testClient({ SEND_MESSAGE_WAIT_MS: '0' })
}

async function makeKey(scopes: string[], datahubs?: string[]): Promise<Key> {
  const made = await client.post(
    '/v1/credentials',
    { scopes, ...(datahubs && { datahubs }) },
    ADMIN,
  )
  return made.json<Key>()
}

async function call(
  key: Key,
  action: string,
  parameters: object,
  expect: ExpectStatic,
  through = client,
): Promise<TaskAnswer> {
  const timestamp = Math.floor(Date.now() / 1_000)
  const headers = { 'X-TC-Action': action }
  const request = await signedCall(JSON.stringify(parameters), { ...key, timestamp, headers })
  return answerOf(await through.fetch(request), expect)
}

async function create(
  key: Key,
  topic: string,
  expect: ExpectStatic,
  fields: object = {},
): Promise<Ids> {
  const { Result, Error: error } = await call(
    key,
    'CreateDatahubTask',
    {
      TaskName: `t-${crypto.randomUUID()}`,
      TaskType: 'SOURCE',
      SourceResource: { Type: 'HTTP' },
      TargetResource: {
        Type: 'KAFKA',
        KafkaParam: { SelfBuilt: false, Resource: INSTANCE, Topic: topic, QpsLimit: 100 },
      },
      ...fields,
    },
    expect,
  )
  expect(error).toBeUndefined()
  const ids = Result as Ids
  expect(ids).toEqual({
    TaskId: expect.stringMatching(/^task-[a-z0-9]{8}$/),
    DatahubId: expect.stringMatching(/^datahub-[a-z0-9]{8}$/),
  })
  return ids
}

const send = ({ DatahubId }: Ids, key: Key, expect: ExpectStatic, through = anotherIsolate()) =>
  call(key, 'SendMessage', { DataHubId: DatahubId, Message: [{ Body: 'a' }] }, expect, through)

const describeTask = async ({ TaskId }: Ids, key: Key, expect: ExpectStatic) =>
  (await call(key, 'DescribeDatahubTask', { TaskId }, expect)).Result

describe("a task's life", () => {
  it('create, confirm, send, pause, resume, restart, modify, delete', async ({ expect }) => {
    const key = await makeKey(['send', 'manage'])
    const topic = `life-${crypto.randomUUID()}`
    const ids = await create(key, topic, expect, { Description: 'first' })
    const { TaskId, DatahubId } = ids
    const change = async (action: string, more: object = {}) =>
      call(key, `${action}DatahubTask`, { TaskId, ...more }, expect)
    const refusal = (state: string) => ({
      Code: 'FailedOperation',
      Message: `task status ${state} [${DatahubId}]`,
    })

    expect(await describeTask(ids, key, expect)).toMatchObject({
      ...ids,
      Status: 0,
      Description: 'first',
      ErrorMessage: '',
      CreateTime: expect.stringMatching(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/),
      TargetResource: {
        Type: 'KAFKA',
        KafkaParam: { Resource: INSTANCE, Topic: topic, PartitionNum: null, QpsLimit: 100 },
      },
    })
    expect((await send(ids, key, expect)).Error).toEqual(refusal('creating'))
    expect((await change('Pause')).Error).toEqual(refusal('creating'))

    await confirmTarget(topic)
    expect(await describeTask(ids, key, expect)).toMatchObject({
      Status: 1,
      TargetResource: { KafkaParam: { PartitionNum: 3 } },
    })
    const isolate = anotherIsolate()
    expect((await send(ids, key, expect, isolate)).MessageId).toHaveLength(1)
    expect(envelopeOf(isolate.sent.at(-1))).toMatchObject({ datahub: DatahubId, topic })

    expect((await change('Pause')).Result).toEqual(ids)
    expect(await describeTask(ids, key, expect)).toMatchObject({ Status: 5 })
    expect((await send(ids, key, expect)).Error).toEqual(refusal('suspended'))
    expect((await change('Pause')).Result).toEqual(ids)

    expect((await change('Resume')).Result).toEqual(ids)
    expect(await describeTask(ids, key, expect)).toMatchObject({ Status: 8 })
    expect((await send(ids, key, expect)).MessageId).toHaveLength(1)

    expect((await change('Restart')).Result).toEqual(ids)
    expect(await describeTask(ids, key, expect)).toMatchObject({ Status: 0 })
    await confirmTarget(topic)
    expect((await send(ids, key, expect)).MessageId).toHaveLength(1)

    const TaskName = `renamed-${crypto.randomUUID()}`
    expect((await change('Modify', { TaskName, Description: 'second' })).Result).toEqual(ids)
    expect(await describeTask(ids, key, expect)).toMatchObject({ TaskName, Description: 'second' })
    const found = await call(
      key,
      'DescribeDatahubTasks',
      { SearchWord: TaskName.toUpperCase() },
      expect,
    )
    expect(found.Result).toMatchObject({ TotalCount: 1, TaskList: [{ ...ids, Status: 1 }] })

    expect((await change('Delete')).Result).toEqual(ids)
    expect(await describeTask(ids, key, expect)).toMatchObject({ Status: 2 })
    expect((await send(ids, key, expect)).Error).toEqual(refusal('deleting'))
    for (const action of ['Pause', 'Resume', 'Restart']) {
      expect((await change(action)).Error).toEqual(refusal('deleting'))
    }
  })

  it('says why it failed, and a restart has the topic looked at again', async ({ expect }) => {
    const key = await makeKey(['send', 'manage'])
    const topic = `absent-${crypto.randomUUID()}`
    const ids = await create(key, topic, expect)
    const registry = env.REGISTRY.getByName(REGISTRY_NAME)
    await registry.applyTargets([{ topic, status: 'unfit', reason: 'topic_not_found' }])
    expect(await describeTask(ids, key, expect)).toMatchObject({
      Status: -1,
      ErrorMessage: `The topic ${topic} does not exist.`,
    })
    expect((await send(ids, key, expect)).Error?.Message).toBe(
      `task status failed [${ids.DatahubId}]`,
    )
    await call(key, 'RestartDatahubTask', { TaskId: ids.TaskId }, expect)
    expect(await describeTask(ids, key, expect)).toMatchObject({ Status: 0, ErrorMessage: '' })
    await confirmTarget(topic)
    expect((await send(ids, key, expect)).MessageId).toHaveLength(1)
  })

  it('refuses a name that is taken, in create and in modify', async ({ expect }) => {
    const key = await makeKey(['manage'])
    const TaskName = `taken-${crypto.randomUUID()}`
    await create(key, 'orders', expect, { TaskName })
    const { TaskId } = await create(key, 'orders', expect)
    const RepetitionValue = {
      Code: 'InvalidParameterValue.RepetitionValue',
      Message: `A value specified in \`TaskName\` is not valid. There is one named ${TaskName} already.`,
    }
    const again = {
      TaskName,
      TaskType: 'SOURCE',
      SourceResource: { Type: 'HTTP' },
      TargetResource: { Type: 'TOPIC', TopicParam: { Resource: 'orders' } },
    }
    expect((await call(key, 'CreateDatahubTask', again, expect)).Error).toEqual(RepetitionValue)
    expect((await call(key, 'ModifyDatahubTask', { TaskId, TaskName }, expect)).Error).toEqual(
      RepetitionValue,
    )
  })

  it('binds a schema, and names one that is not there', async ({ expect }) => {
    const key = await makeKey(['manage'])
    const name = `s-${crypto.randomUUID()}`
    const fields = [{ name: 'a', type: 'INT8' }]
    const made = await client.post('/v1/schemas', { name, fields }, ADMIN)
    const { schemaId } = await made.json<{ schemaId: string }>()
    const ids = await create(key, 'orders', expect, { SchemaId: schemaId })
    expect(await describeTask(ids, key, expect)).toMatchObject({
      TargetResource: { Type: 'KAFKA' },
      SchemaId: schemaId,
      SchemaName: name,
    })
    const { Error: error } = await call(
      key,
      'CreateDatahubTask',
      {
        TaskName: 'no-schema',
        TaskType: 'SOURCE',
        SourceResource: { Type: 'HTTP' },
        TargetResource: { Type: 'TOPIC', TopicParam: { Resource: 'orders' } },
        SchemaId: 'schema-00000000',
      },
      expect,
    )
    expect(error).toEqual({
      Code: 'ResourceNotFound',
      Message: 'The schema `schema-00000000` does not exist.',
    })
  })
})

describe('a credential for one datahub', () => {
  it('is answered about another task exactly as about one that does not exist', async ({
    expect,
  }) => {
    const all = await makeKey(['manage'])
    const own = await create(all, 'orders', expect)
    const other = await create(all, 'orders', expect)
    const key = await makeKey(['manage'], [own.DatahubId])
    for (const name of ['Describe', 'Modify', 'Pause', 'Resume', 'Restart', 'Delete']) {
      for (const TaskId of [other.TaskId, 'task-00000000', 'nonsense', other.DatahubId]) {
        const { Error: error } = await call(key, `${name}DatahubTask`, { TaskId }, expect)
        expect(error).toEqual({
          Code: 'ResourceNotFound',
          Message: `The task \`${TaskId}\` does not exist.`,
        })
      }
    }
    expect(await describeTask(own, key, expect)).toMatchObject(own)
    const { Result } = await call(key, 'DescribeDatahubTasks', { Limit: 100 }, expect)
    expect(Result).toMatchObject({ TotalCount: 1, TaskList: [own] })
    expect(await describeTask(other, all, expect)).toMatchObject({ ...other, Status: 0 })
  })

  it('may not make tasks', async ({ expect }) => {
    const all = await makeKey(['manage'])
    const { DatahubId } = await create(all, 'orders', expect)
    const key = await makeKey(['manage'], [DatahubId])
    const parameters = {
      TaskName: `t-${crypto.randomUUID()}`,
      TaskType: 'SOURCE',
      SourceResource: { Type: 'HTTP' },
      TargetResource: { Type: 'TOPIC', TopicParam: { Resource: 'orders' } },
    }
    const { Error: error } = await call(key, 'CreateDatahubTask', parameters, expect)
    expect(error?.Code).toBe('AuthFailure.UnauthorizedOperation')
  })
})
