// A task's whole life with every official SDK, through the whole stack: made, shown, changed, paused, resumed, restarted, deleted.
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, inject, it } from 'vitest'
import { parseMessageId } from '#contract'
import { SDK_NAMES, SDKS, titleOf, type Sdk } from '../sdk/sdks.ts'
import { DEFAULT_MODE, type ActionAnswer, type SdkAccess, type SdkMode } from '../sdk/sending.ts'
import { makeCredential, makeTopic } from '../support/datahubs.ts'
import { readTopic } from '../support/kafka-reader.ts'
import { startStack, type TestStack } from '../support/stack.ts'
import { untilDatahub } from '../support/task-states.ts'

const brokers = inject('brokers')
// A pause, a resume and a delete take up to 15 s each; all SDKs do them at once, on a machine that may be busy.
const LIFE_MS = 240_000
// The first fetch and build of an SDK, on a slow network.
const PREPARE_MS = 300_000

let stack: TestStack
beforeAll(async () => {
  stack = await startStack({ brokers })
})
afterAll(async () => {
  await stack.stop()
})

// One of its own for each test: actions are counted by the credential.
async function makeAccess(): Promise<SdkAccess> {
  const { secretId, secretKey } = await makeCredential(stack.dev, { scopes: ['send', 'manage'] })
  return { endpoint: new URL(stack.dev.api).host, secretId, secretKey }
}

const newTopic = () => `sdk-tasks-${randomBytes(4).toString('hex')}`

function newTask(topic: string, more: Record<string, unknown> = {}) {
  return {
    TaskName: topic,
    TaskType: 'SOURCE',
    SourceResource: { Type: 'HTTP' },
    TargetResource: {
      Type: 'KAFKA',
      // A boolean and a number: texts in a query or a form, the boolean Python's own.
      KafkaParam: {
        SelfBuilt: false,
        Resource: stack.dev.instanceId,
        Topic: topic,
        QpsLimit: 321,
        ...more,
      },
    },
    Description: 'made by an SDK: 中文 & <b>',
  }
}

interface Ids {
  TaskId: string
  DatahubId: string
}

function resultOf(answer: ActionAnswer | undefined): Record<string, unknown> {
  if (!answer || !('response' in answer)) throw new Error(JSON.stringify(answer))
  return answer.response['Result'] as Record<string, unknown>
}

// As an admin sees it, so that waiting costs the SDK no calls. undefined: there is none any more.
const reach = (datahubId: string, status: number | undefined) =>
  untilDatahub({ ...stack.dev, datahubId }, (task) => task?.status === status)

function caller({ call }: Sdk, access: SdkAccess, mode: SdkMode) {
  return async (action: string, params: Record<string, unknown>) => {
    const [answer] = await call(access, [{ action, params }], mode)
    if (!answer) throw new Error('no answer')
    return answer
  }
}

function testLife(sdk: Sdk): void {
  it(
    'makes a task, shows, changes, pauses, resumes, restarts and deletes it; each message is in Kafka or was refused',
    { timeout: LIFE_MS },
    async ({ expect }) => {
      const topic = newTopic()
      await makeTopic(brokers, { topic, partitions: 3 })
      const run = caller(sdk, await makeAccess(), DEFAULT_MODE)
      const ids = resultOf(await run('CreateDatahubTask', newTask(topic))) as unknown as Ids
      expect(ids).toEqual({
        TaskId: expect.stringMatching(/^task-[a-z0-9]{8}$/),
        DatahubId: expect.stringMatching(/^datahub-[a-z0-9]{8}$/),
      })
      const { TaskId, DatahubId } = ids
      const describeTask = async () => resultOf(await run('DescribeDatahubTask', { TaskId }))
      const change = async (how: string, more = {}) => {
        const result = resultOf(await run(`${how}DatahubTask`, { TaskId, ...more }))
        expect(result).toEqual(ids)
      }
      const send = (Body: string) =>
        run('SendMessage', { DataHubId: DatahubId, Message: [{ Body }] })
      const expectDelivered = async (body: string) => {
        const answer = await send(body)
        const [text = ''] = 'response' in answer ? (answer.response['MessageId'] as string[]) : []
        const id = parseMessageId(text)
        expect(id, JSON.stringify(answer)).toMatchObject({ datahub: DatahubId, topic })
        const records = await readTopic({ brokers, topic })
        const at = records.find(
          (r) => `${r.partition}/${r.offset}` === `${id?.partition}/${id?.offset}`,
        )
        expect(at?.value?.toString()).toBe(body)
      }

      await reach(DatahubId, 1)
      expect(await describeTask()).toMatchObject({
        ...newTask(topic),
        ...ids,
        Status: 1,
        ErrorMessage: '',
        CreateTime: expect.stringMatching(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/),
      })
      await expectDelivered('while it runs')

      const renamed = { TaskName: `${topic}.renamed`, Description: '' }
      await change('Modify', renamed)
      expect(await describeTask()).toMatchObject({ ...renamed, Status: 1 })
      const search = { SearchWord: topic.toUpperCase(), SourceType: 'HTTP', TaskType: 'SOURCE' }
      expect(resultOf(await run('DescribeDatahubTasks', { ...search, Limit: 1 }))).toMatchObject({
        TotalCount: 1,
        TaskList: [{ TaskId, DatahubId, TaskName: renamed.TaskName, Status: 1, TaskProgress: 100 }],
      })

      await change('Pause')
      await reach(DatahubId, 6)
      expect(await describeTask()).toMatchObject({ Status: 6 })
      expect(await send('while it is paused')).toMatchObject({
        error: { code: 'FailedOperation', message: `task status suspended [${DatahubId}]` },
      })

      await change('Resume')
      await reach(DatahubId, 1)
      await expectDelivered('after it was resumed')

      await change('Restart')
      await reach(DatahubId, 1)
      await expectDelivered('after it was restarted')

      await change('Delete')
      await reach(DatahubId, undefined)
      expect(await send('after it was deleted')).toMatchObject({
        error: { code: 'ResourceNotFound' },
      })
      expect(resultOf(await run('DescribeDatahubTasks', search))).toMatchObject({ TotalCount: 0 })
      const values = (await readTopic({ brokers, topic })).map(({ value }) => value?.toString())
      const delivered = ['while it runs', 'after it was resumed', 'after it was restarted']
      expect(values).toHaveLength(delivered.length)
      expect(new Set(values)).toEqual(new Set(delivered))
    },
  )
}

// What has no method in an SDK goes by its call by name, which in Java knows one mode only.
const otherModes = (sdk: Sdk): readonly SdkMode[] => (sdk === SDKS.java ? [] : sdk.modes.slice(1))

function testAllActions(sdk: Sdk, mode: SdkMode): void {
  it(`makes a task and its topic, and calls every other action on it, with ${titleOf(mode)}`, async ({
    expect,
  }) => {
    const topic = newTopic()
    const made = { UseAutoCreateTopic: true, PartitionNum: 2 }
    const access = await makeAccess()
    const created = await caller(sdk, access, mode)('CreateDatahubTask', newTask(topic, made))
    const ids = resultOf(created) as unknown as Ids
    const { TaskId } = ids
    await reach(ids.DatahubId, 1)
    const name = `${topic}-renamed`
    const answers = await sdk.call(
      access,
      [
        { action: 'DescribeDatahubTask', params: { TaskId } },
        { action: 'ModifyDatahubTask', params: { TaskId, TaskName: name } },
        { action: 'DescribeDatahubTasks', params: { SearchWord: name, Limit: 5, Offset: 0 } },
        // It runs already, which is as good.
        { action: 'ResumeDatahubTask', params: { TaskId } },
        { action: 'PauseDatahubTask', params: { TaskId } },
        { action: 'RestartDatahubTask', params: { TaskId } },
        { action: 'DeleteDatahubTask', params: { TaskId } },
      ],
      mode,
    )
    const shown = {
      ...ids,
      TaskName: topic,
      Status: 1,
      Description: 'made by an SDK: 中文 & <b>',
      TargetResource: { KafkaParam: { SelfBuilt: false, QpsLimit: 321, ...made } },
    }
    const listed = { TotalCount: 1, TaskList: [{ ...ids, TaskName: name, Status: 1 }] }
    expect(answers.map(resultOf)).toMatchObject([shown, ids, listed, ids, ids, ids, ids])
  })
}

for (const name of SDK_NAMES) {
  const sdk = SDKS[name]
  describe(`a task with ${sdk.title}`, { concurrent: true }, () => {
    beforeAll(() => sdk.prepare(), PREPARE_MS)
    testLife(sdk)
    for (const mode of otherModes(sdk)) testAllActions(sdk, mode)
  })
}

// Paths of what the raw answer has and the typed one lost.
function lost(raw: unknown, typed: unknown, path = ''): string[] {
  if (typeof raw !== 'object' || raw === null) return []
  return Object.entries(raw).flatMap(([key, value]) => {
    const at = `${path}.${key}`
    if (typeof typed !== 'object' || typed === null || !(key in typed)) return [at]
    return lost(value, (typed as Record<string, unknown>)[key], at)
  })
}

describe('the types of the Python SDK', () => {
  beforeAll(() => SDKS.python.prepare(), PREPARE_MS)

  it('know every field that answers on tasks have: Node gives them back as they came', async ({
    expect,
  }) => {
    const access = await makeAccess()
    const list = { action: 'DescribeDatahubTasks', params: { Resource: stack.dev.topic } }
    const [listed] = await SDKS.node.call(access, [list])
    const { TaskList } = resultOf(listed) as { TaskList: [Ids] }
    const one = { action: 'DescribeDatahubTask', params: { TaskId: TaskList[0].TaskId } }
    const raw = await SDKS.node.call(access, [list, one])
    const typed = await SDKS.python.call(access, [list, one])
    expect(lost(raw.map(resultOf), typed.map(resultOf))).toEqual([])
  })
})
