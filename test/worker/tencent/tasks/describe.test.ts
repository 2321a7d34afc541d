import { describe, it, type ExpectStatic } from 'vitest'
import type { ManagedTask } from '../../../../worker/registry/control-plane.ts'
import type { TaskStatus } from '../../../../worker/registry/directory.ts'
import { OTHER_PARAMS, setUp, type sdk, type Whole } from './call.ts'
import { MANAGED } from './fake-tasks.ts'

const SOURCE: Whole<sdk.DatahubResource> = {
  Type: 'HTTP',
  KafkaParam: null,
  TopicParam: null,
  ...OTHER_PARAMS,
}

const TARGET: Whole<sdk.DatahubResource> = {
  Type: 'KAFKA',
  KafkaParam: {
    SelfBuilt: false,
    Resource: 'ckafka-00000000',
    Topic: 'topicDev',
    OffsetType: null,
    StartTime: null,
    ResourceName: 'ckafka-00000000',
    ZoneId: null,
    TopicId: 'topicDev',
    PartitionNum: 3,
    EnableToleration: false,
    QpsLimit: 2_000,
    TableMappings: null,
    UseTableMapping: false,
    UseAutoCreateTopic: false,
    CompressionType: 'none',
    MsgMultiple: 1,
    ConnectorSyncType: '',
    KeepPartition: false,
    TopicRegularExpression: '',
    Prefix: '',
    Separator: '',
    TopicList: [],
  },
  TopicParam: null,
  ...OTHER_PARAMS,
}

const COMMON = {
  TaskId: 'task-abcd1234',
  TaskName: 'http-report-1',
  TaskType: 'SOURCE',
  Status: 1,
  SourceResource: SOURCE,
  TargetResource: TARGET,
  CreateTime: '2026-11-29 19:12:22',
  DatahubId: 'datahub-lzxxxxx6',
  Description: 'orders of the shop',
  ErrorMessage: '',
  WarnMessage: '',
  TaskMax: 1,
  SyncThrottleLimit: 20,
  AutoExpandFlag: true,
}

const DETAIL: Whole<sdk.DescribeDatahubTaskRes> = {
  ...COMMON,
  Connections: [],
  TransformParam: null,
  TransformsParam: null,
  SchemaId: '',
  SchemaName: '',
  Tags: [],
  IsolateStatus: 1,
}

const INFO: Whole<sdk.DatahubTaskInfo> = {
  ...COMMON,
  TaskProgress: 100,
  TaskCurrentStep: 'CheckTarget',
  StepList: ['CheckTarget'],
}

async function detailOf(task: Partial<ManagedTask>, expect: ExpectStatic) {
  const { call } = setUp({ tasks: [{ ...MANAGED, ...task }] })
  const { Result } = await call('DescribeDatahubTask', { TaskId: MANAGED.taskId }, expect)
  return Result as Whole<sdk.DescribeDatahubTaskRes>
}

describe('DescribeDatahubTask', () => {
  it('answers all fields of a DescribeDatahubTaskRes', async ({ expect }) => {
    const { tasks, call } = setUp()
    const { Result } = await call('DescribeDatahubTask', { TaskId: 'task-abcd1234' }, expect)
    expect(Result).toStrictEqual(DETAIL)
    expect(tasks.asked).toEqual([
      [
        'find',
        expect.objectContaining({ scopes: ['manage'], datahubs: 'all' }),
        { taskId: 'task-abcd1234' },
      ],
    ])
  })

  it('describes the target as what it was made as', async ({ expect }) => {
    const target: Whole<sdk.DatahubResource> = {
      Type: 'TOPIC',
      KafkaParam: null,
      TopicParam: {
        Resource: 'topicDev',
        TopicId: 'topicDev',
        OffsetType: null,
        StartTime: null,
        CompressionType: 'none',
        UseAutoCreateTopic: true,
        MsgMultiple: 1,
      },
      ...OTHER_PARAMS,
    }
    const { TargetResource } = await detailOf({ targetType: 'TOPIC', createTopic: {} }, expect)
    expect(TargetResource).toStrictEqual(target)
  })

  it('names the schema that is bound', async ({ expect }) => {
    const schema = { schemaId: 'schema-abcd1234', name: 'order', fields: [] }
    expect(await detailOf({ schema }, expect)).toMatchObject({
      SchemaId: 'schema-abcd1234',
      SchemaName: 'order',
    })
  })

  it('says whether the topic may be created, and null for partitions that no relay has counted', async ({
    expect,
  }) => {
    const { partitions: _, ...unseen } = { ...MANAGED, createTopic: {}, qpsLimit: 7 }
    const { call } = setUp({ tasks: [unseen] })
    const { Result } = await call('DescribeDatahubTask', { TaskId: unseen.taskId }, expect)
    expect(Result).toMatchObject({
      TargetResource: {
        KafkaParam: { UseAutoCreateTopic: true, PartitionNum: null, QpsLimit: 7 },
      },
    })
  })

  it.for<[TaskStatus, Partial<ManagedTask>, error: string, warning: string]>([
    [-1, { problem: 'topic_not_found' }, 'The topic topicDev does not exist.', ''],
    [
      -1,
      { problem: 'not_authorized' },
      'The topic topicDev is closed to the relay: Kafka does not let it write there, or not create it.',
      '',
    ],
    [
      -1,
      { problem: 'topic_not_created' },
      "The topic topicDev does not exist, and could not be created; the relay's log says why.",
      '',
    ],
    // What a relay found before the restart.
    [0, { problem: 'topic_not_found' }, '', ''],
    [1, {}, '', ''],
    [
      1,
      { problem: 'replication_too_low' },
      '',
      'The topic topicDev has too few replicas, fewer than MIN_IN_SYNC_REPLICAS of the relay.',
    ],
    [6, { problem: 'topic_not_found' }, '', 'The topic topicDev does not exist.'],
    [3, { problem: 'topic_not_found' }, '', ''],
    [
      1,
      { nextTopic: 'next' },
      '',
      'The topic is to be changed to next. No relay has looked at it yet.',
    ],
    [
      1,
      { problem: 'topic_not_found', nextTopic: 'next', nextProblem: 'not_authorized' },
      '',
      'The topic topicDev does not exist. The topic is to be changed to next. The topic next is closed to the relay: Kafka does not let it write there, or not create it.',
    ],
  ])('status %s with %j', async ([status, fields, error, warning], { expect }) => {
    expect(await detailOf({ status, ...fields }, expect)).toMatchObject({
      Status: status,
      ErrorMessage: error,
      WarnMessage: warning,
    })
  })
})

describe('DescribeDatahubTasks', () => {
  const named = (name: string, fields: Partial<ManagedTask> = {}): ManagedTask => ({
    ...MANAGED,
    name,
    ...fields,
  })
  const list = async (tasks: ManagedTask[], parameters: object, expect: ExpectStatic) => {
    const { call } = setUp({ tasks })
    const { Result } = await call('DescribeDatahubTasks', parameters, expect)
    return Result as Whole<sdk.DescribeDatahubTasksRes>
  }
  const namesOf = ({ TaskList }: Whole<sdk.DescribeDatahubTasksRes>) =>
    TaskList?.map((task) => task.TaskName)

  it('answers all fields of a DatahubTaskInfo', async ({ expect }) => {
    expect(await list([MANAGED], {}, expect)).toStrictEqual({ TotalCount: 1, TaskList: [INFO] })
  })

  it.for<[TaskStatus, number]>([
    [-1, 0],
    [0, 0],
    [1, 100],
    [6, 100],
  ])('status %i: made to %i percent', async ([status, percent], { expect }) => {
    const { TaskList } = await list([named('a', { status })], {}, expect)
    expect(TaskList).toMatchObject([{ Status: status, TaskProgress: percent }])
  })

  it('is closed to a credential that was deleted meanwhile, and shows it no empty list', async ({
    expect,
  }) => {
    const problem = 'The credential was deleted or disabled, or has expired.'
    const { call } = setUp({ rejection: { reason: 'unauthenticated', problem } })
    const answer = await call('DescribeDatahubTasks', {}, expect)
    expect(answer.Error).toEqual({
      Code: 'AuthFailure.UnauthorizedOperation',
      Message: problem,
    })
    expect(answer).not.toHaveProperty('Result')
  })

  const many = Array.from({ length: 150 }, (_, i) => named(`t${i}`))
  const names = many.map(({ name }) => name)
  it.for<[object, string[]]>([
    [{}, names.slice(0, 20)],
    [{ Limit: 100 }, names.slice(0, 100)],
    [{ Limit: 101 }, names.slice(0, 100)],
    [{ Limit: 1e9, Offset: 140 }, names.slice(140)],
    [{ Limit: 2, Offset: 3 }, ['t3', 't4']],
    [{ Offset: 150 }, []],
  ])('of 150, %j', async ([parameters, expected], { expect }) => {
    const Result = await list(many, parameters, expect)
    expect(Result.TotalCount).toBe(150)
    expect(namesOf(Result)).toEqual(expected)
  })

  const some = [named('Orders'), named('orders-dlq', { topic: 'dlq' }), named('x')]
  it.for<[object, string[]]>([
    [{ SearchWord: 'ORDERS' }, ['Orders', 'orders-dlq']],
    [{ SearchWord: 'rs-' }, ['orders-dlq']],
    [
      { SearchWord: '', TargetType: '', TaskType: '', SourceType: '', Resource: '' },
      ['Orders', 'orders-dlq', 'x'],
    ],
    [{ TargetType: 'KAFKA' }, ['Orders', 'orders-dlq', 'x']],
    [{ TargetType: 'TOPIC' }, []],
    [{ TargetType: 'ES' }, []],
    [{ TaskType: 'SOURCE' }, ['Orders', 'orders-dlq', 'x']],
    [{ TaskType: 'SINK' }, []],
    [{ SourceType: 'HTTP' }, ['Orders', 'orders-dlq', 'x']],
    [{ SourceType: 'KAFKA' }, []],
    [{ Resource: 'ckafka-00000000' }, ['Orders', 'orders-dlq', 'x']],
    [{ Resource: 'dlq' }, ['orders-dlq']],
    [{ Resource: 'dl' }, []],
    [{ Resource: 'topicDev', SearchWord: 'x', Limit: 1 }, ['x']],
  ])('%j', async ([parameters, expected], { expect }) => {
    const Result = await list(some, parameters, expect)
    expect(Result.TotalCount).toBe(expected.length)
    expect(namesOf(Result)).toEqual(expected)
  })

  it.for([
    [{ Limit: 0 }, 'InvalidParameterValue', '`Limit`'],
    [{ Offset: -1 }, 'InvalidParameterValue', '`Offset`'],
    [{ Limit: '20' }, 'InvalidParameter', '`Limit` is not valid, input type should be `integer`'],
    [{ Search: 'a' }, 'UnknownParameter', '`Search`'],
  ] as const)('refuses %j', async ([parameters, code, text], { expect }) => {
    const { tasks, call } = setUp()
    const { Error: error } = await call('DescribeDatahubTasks', parameters, expect)
    expect(error?.Code).toBe(code)
    expect(error?.Message).toContain(text)
    expect(tasks.asked).toEqual([])
  })
})
