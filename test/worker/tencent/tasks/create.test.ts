import { describe, it } from 'vitest'
import type { Rejection } from '../../../../worker/rejection.ts'
import { handleTencentRequest } from '../../../../worker/tencent/api.ts'
import { answerOf } from '../answer-of.ts'
import { captureOf, clockOf, httpRequestOf } from '../captures.ts'
import { fakeDeps } from '../fake-deps.ts'
import { CREDENTIAL, OTHER_PARAMS, setUp, type sdk, type Whole } from './call.ts'
import { fakeTasks } from './fake-tasks.ts'

const ACTION = 'CreateDatahubTask'
const KAFKA = { SelfBuilt: false, Resource: 'ckafka-00000000', Topic: 'topicDev' }
const BASE = {
  TaskName: 'http-report-1',
  TaskType: 'SOURCE',
  SourceResource: { Type: 'HTTP' },
  TargetResource: { Type: 'KAFKA', KafkaParam: KAFKA },
}
const kafka = (fields: object) => ({
  ...BASE,
  TargetResource: { Type: 'KAFKA', KafkaParam: { ...KAFKA, ...fields } },
})
const topic = (fields: object) => ({
  ...BASE,
  TargetResource: { Type: 'TOPIC', TopicParam: { Resource: 'topicDev', ...fields } },
})
const without = (object: object, field: string) =>
  Object.fromEntries(Object.entries(object).filter(([name]) => name !== field))

const NEW = {
  name: 'http-report-1',
  topic: 'topicDev',
  targetType: 'KAFKA',
  description: '',
  qpsLimit: 2_000,
}

describe('CreateDatahubTask', () => {
  it('makes a task, and answers its ids', async ({ expect }) => {
    const { tasks, call } = setUp()
    const { Result } = await call(ACTION, BASE, expect)
    const ids: Whole<sdk.CreateDatahubTaskRes> = {
      TaskId: 'task-abcd1234',
      DatahubId: 'datahub-lzxxxxx6',
    }
    expect(Result).toStrictEqual(ids)
    expect(tasks.asked).toEqual([['create', expect.objectContaining(CREDENTIAL), NEW]])
  })

  it("takes the Node SDK's captured request", async ({ expect }) => {
    const capture = captureOf('node-tc3-post-datahubtask-create')
    const tasks = fakeTasks()
    const { deps } = fakeDeps({
      control: { tasks },
      credential: CREDENTIAL,
      instance: 'ckafka-test1234',
      now: () => clockOf(capture),
    })
    const answer = await answerOf(await handleTencentRequest(httpRequestOf(capture), deps), expect)
    expect(answer).toMatchObject({ Result: { DatahubId: 'datahub-lzxxxxx6' } })
    expect(tasks.asked).toEqual([['create', expect.objectContaining(CREDENTIAL), NEW]])
  })

  it.for<[string, object, object]>([
    ['KAFKA with a limit', kafka({ QpsLimit: 5 }), { qpsLimit: 5 }],
    ['KAFKA that may be created', kafka({ UseAutoCreateTopic: true }), { createTopic: {} }],
    [
      'KAFKA that may be created with partitions',
      kafka({ UseAutoCreateTopic: true, PartitionNum: 12 }),
      { createTopic: { partitions: 12 } },
    ],
    ['KAFKA that may not', kafka({ UseAutoCreateTopic: false, PartitionNum: 12 }), {}],
    ['TOPIC', topic({}), { targetType: 'TOPIC' }],
    [
      'TOPIC that may be created',
      topic({ UseAutoCreateTopic: true }),
      { targetType: 'TOPIC', createTopic: {} },
    ],
    ['a description', { ...BASE, Description: 'd' }, { description: 'd' }],
    ['a schema', { ...BASE, SchemaId: 'schema-abcd1234' }, { schemaId: 'schema-abcd1234' }],
    ['no schema', { ...BASE, SchemaId: '' }, {}],
    ['nulls', { ...kafka({ TopicId: null, StartTime: null }), Tags: null, SchemaId: null }, {}],
  ])('%s', async ([, parameters, expected], { expect }) => {
    const { tasks, call } = setUp()
    expect((await call(ACTION, parameters, expect)).Error).toBeUndefined()
    expect(tasks.asked).toEqual([['create', expect.any(Object), { ...NEW, ...expected }]])
  })

  it('takes its parameters from a query, where all are texts', async ({ expect }) => {
    const { tasks, get } = setUp()
    const dotted = {
      TaskName: 'http-report-1',
      TaskType: 'SOURCE',
      'SourceResource.Type': 'HTTP',
      'TargetResource.Type': 'KAFKA',
      'TargetResource.KafkaParam.SelfBuilt': 'False',
      'TargetResource.KafkaParam.Resource': 'ckafka-00000000',
      'TargetResource.KafkaParam.Topic': 'topicDev',
      'TargetResource.KafkaParam.QpsLimit': '5',
      'TargetResource.KafkaParam.UseAutoCreateTopic': '1',
      'TargetResource.KafkaParam.PartitionNum': '12',
      'TargetResource.KafkaParam.KeepPartition': 'false',
      'TargetResource.KafkaParam.MsgMultiple': '1',
      'TargetResource.KafkaParam.Prefix': '',
    }
    expect((await get(ACTION, dotted, expect)).Error).toBeUndefined()
    const created = { ...NEW, qpsLimit: 5, createTopic: { partitions: 12 } }
    expect(tasks.asked).toEqual([['create', expect.any(Object), created]])

    for (const [name, text] of [
      ['Tags.0.TagKey', 'a'],
      ['TargetResource.EsParam.Resource', 'es-1'],
      ['TargetResource.KafkaParam.TableMappings.0.Database', 'd'],
      ['TargetResource.KafkaParam.TopicList.0', 'topicDev'],
      ['TargetResource.KafkaParam.UseTableMapping', 'true'],
    ] as const) {
      const { Error: error } = await get(ACTION, { ...dotted, [name]: text }, expect)
      expect(error?.Code).toBe('UnsupportedOperation')
    }
  })

  it('names the parameters as the client wrote them when the control plane refuses', async ({
    expect,
  }) => {
    const rows: [Rejection, string, string][] = [
      [
        { reason: 'name_taken', path: 'name', name: 'a' },
        'InvalidParameterValue.RepetitionValue',
        'A value specified in `TaskName` is not valid. There is one named a already.',
      ],
      [
        { reason: 'schema_not_found', schemaId: 'schema-abcd1234' },
        'ResourceNotFound',
        'The schema `schema-abcd1234` does not exist.',
      ],
      [
        { reason: 'quota_exceeded', what: 'tasks', limit: 1_000 },
        'LimitExceeded',
        'There are 1000 tasks, and that is the most.',
      ],
      [{ reason: 'forbidden', problem: 'No.' }, 'AuthFailure.UnauthorizedOperation', 'No.'],
    ]
    for (const [rejection, Code, Message] of rows) {
      const { call } = setUp({ rejection })
      expect((await call(ACTION, BASE, expect)).Error).toEqual({ Code, Message })
    }
  })
})

describe('CreateDatahubTask refuses', () => {
  it.for<[object, string, string]>([
    ...['TaskName', 'TaskType', 'SourceResource', 'TargetResource'].map(
      (name): [object, string, string] => [
        without(BASE, name),
        'MissingParameter',
        `The request is missing a required parameter \`${name}\`.`,
      ],
    ),
    [{ ...BASE, SourceResource: {} }, 'MissingParameter', '`SourceResource.Type`'],
    [{ ...BASE, TargetResource: {} }, 'MissingParameter', '`TargetResource.Type`'],
    [
      { ...BASE, TargetResource: { Type: 'KAFKA' } },
      'MissingParameter',
      '`TargetResource.KafkaParam`',
    ],
    [
      { ...BASE, TargetResource: { Type: 'TOPIC' } },
      'MissingParameter',
      '`TargetResource.TopicParam`',
    ],
    [kafka({ SelfBuilt: undefined }), 'MissingParameter', '`TargetResource.KafkaParam.SelfBuilt`'],
    [kafka({ Resource: undefined }), 'MissingParameter', '`TargetResource.KafkaParam.Resource`'],
    [kafka({ Topic: undefined }), 'MissingParameter', '`TargetResource.KafkaParam.Topic`'],
    [kafka({ Topic: '' }), 'MissingParameter', '`TargetResource.KafkaParam.Topic`'],
    [topic({ Resource: undefined }), 'MissingParameter', '`TargetResource.TopicParam.Resource`'],
    [
      kafka({ Resource: 'ckafka-elsewher' }),
      'InvalidParameterValue.InstanceNotExist',
      'The instance `ckafka-elsewher` does not exist; this is `ckafka-00000000`.',
    ],
    [
      kafka({ Topic: 'a,b' }),
      'UnsupportedOperation',
      '`TargetResource.KafkaParam.Topic`: more than one topic is not supported; name one topic, and make a task for each other one.',
    ],
    [
      { ...BASE, TaskType: 'SINK' },
      'UnsupportedOperation',
      '`TaskType`: SINK is not supported; use SOURCE.',
    ],
    [
      { ...BASE, SourceResource: { Type: 'MYSQL', MySQLParam: { Database: 'd' } } },
      'UnsupportedOperation',
      '`SourceResource.Type`: MYSQL is not supported; use HTTP.',
    ],
    [
      { ...BASE, TargetResource: { Type: 'ES', EsParam: { Resource: 'es-1' } } },
      'UnsupportedOperation',
      '`TargetResource.Type`: ES is not supported; use KAFKA or TOPIC.',
    ],
    [
      { ...BASE, SourceResource: { Type: 'HTTP', KafkaParam: KAFKA } },
      'UnsupportedOperation',
      '`SourceResource.KafkaParam`: it is not supported; leave it out.',
    ],
    [
      { ...BASE, TargetResource: { ...BASE.TargetResource, TopicParam: { Resource: 'b' } } },
      'UnsupportedOperation',
      '`TargetResource.TopicParam`: it is not supported; leave it out.',
    ],
    [
      { ...topic({}), TargetResource: { ...topic({}).TargetResource, KafkaParam: KAFKA } },
      'UnsupportedOperation',
      '`TargetResource.KafkaParam`: it is not supported; leave it out.',
    ],
    [{ ...BASE, TaskName: '1st' }, 'InvalidParameterValue', '`TaskName`'],
    [{ ...BASE, TaskName: 'a'.repeat(65) }, 'InvalidParameterValue', '`TaskName`'],
    [{ ...BASE, Description: 'a'.repeat(513) }, 'InvalidParameterValue', '`Description`'],
    [
      kafka({ Topic: 'edgehub-x' }),
      'InvalidParameterValue',
      'A value specified in `TargetResource.KafkaParam.Topic` is not valid. Topics edgehub-* and __* are reserved.',
    ],
    [topic({ Resource: 'a/b' }), 'InvalidParameterValue', '`TargetResource.TopicParam.Resource`'],
    [kafka({ QpsLimit: 0 }), 'InvalidParameterValue', '`TargetResource.KafkaParam.QpsLimit`'],
    [
      kafka({ UseAutoCreateTopic: true, PartitionNum: 0 }),
      'InvalidParameterValue',
      '`TargetResource.KafkaParam.PartitionNum`',
    ],
    [
      { ...BASE, SchemaId: 'schema-of-tencent' },
      'ResourceNotFound',
      'The schema `schema-of-tencent` does not exist.',
    ],
    [kafka({ QpsLimit: '5' }), 'InvalidParameter', 'input type should be `integer`'],
    [{ ...BASE, TargetResource: 'KAFKA' }, 'InvalidParameter', '`TargetResource`'],
    [{ ...BASE, Foo: 1 }, 'UnknownParameter', 'The parameter `Foo` is not recognized.'],
    [kafka({ Foo: 1 }), 'UnknownParameter', '`TargetResource.KafkaParam.Foo`'],
    [topic({ QpsLimit: 5 }), 'UnknownParameter', '`TargetResource.TopicParam.QpsLimit`'],
  ])('%j', async ([parameters, code, text], { expect }) => {
    const { tasks, call } = setUp()
    const { Error: error } = await call(ACTION, parameters, expect)
    expect(error?.Code).toBe(code)
    expect(error?.Message).toContain(text)
    expect(tasks.asked).toEqual([])
  })
})

/** What says nothing, or what is the case anyway; and what is refused, with the end of its message. */
type Row = [taken: unknown[], refused?: [unknown, string]]

const EMPTY = 'leave it out.'

describe('every documented field is taken when it says what is the case, and refused by name otherwise', () => {
  const kafkaRows: Record<keyof sdk.KafkaParam, Row> = {
    SelfBuilt: [[true, false]],
    Resource: [['ckafka-00000000']],
    Topic: [['topicDev']],
    TopicId: [['topic-abc', '', null]],
    PartitionNum: [[3, null]],
    ResourceName: [['my instance', null]],
    ZoneId: [[100_003, null]],
    QpsLimit: [[2_000, null]],
    UseAutoCreateTopic: [[false, null]],
    OffsetType: [
      [null, ''],
      ['latest', EMPTY],
    ],
    StartTime: [[null], [1_700_000_000, EMPTY]],
    EnableToleration: [
      [null, false],
      [true, 'true is not supported; use false, or leave it out.'],
    ],
    TableMappings: [
      [null, []],
      [[{ Database: 'd' }], `it is not supported; ${EMPTY}`],
    ],
    UseTableMapping: [
      [null, false],
      [true, 'use false, or leave it out.'],
    ],
    CompressionType: [
      [null, '', 'none'],
      ['open', 'open is not supported; use none, or leave it out.'],
    ],
    MsgMultiple: [
      [null, 1],
      [2, 'use 1, or leave it out.'],
    ],
    ConnectorSyncType: [
      [null, ''],
      ['DATA_SYNC_TYPE', EMPTY],
    ],
    KeepPartition: [
      [null, false],
      [true, 'use false, or leave it out.'],
    ],
    TopicRegularExpression: [
      [null, ''],
      ['.*', EMPTY],
    ],
    Prefix: [
      [null, ''],
      ['p', EMPTY],
    ],
    Separator: [
      [null, ''],
      ['-', EMPTY],
    ],
    TopicList: [
      [null, []],
      [['topicDev'], `it is not supported; ${EMPTY}`],
    ],
  }
  const topicRows: Record<keyof sdk.TopicParam, Row> = {
    Resource: [['topicDev']],
    TopicId: [['topic-abc', '', null]],
    UseAutoCreateTopic: [[false, null]],
    OffsetType: [
      [null, ''],
      ['earliest', EMPTY],
    ],
    StartTime: [[null], [0, EMPTY]],
    CompressionType: [
      [null, '', 'none'],
      ['gzip', 'use none, or leave it out.'],
    ],
    MsgMultiple: [
      [null, 1],
      [0, 'use 1, or leave it out.'],
    ],
  }
  const taskRows: Record<keyof sdk.CreateDatahubTaskRequest, Row> = {
    TaskName: [['http-report-1']],
    TaskType: [['SOURCE']],
    SourceResource: [[{ Type: 'HTTP' }]],
    TargetResource: [[BASE.TargetResource]],
    TransformParam: [[null], [{ AnalysisFormat: 'JSON' }, `it is not supported; ${EMPTY}`]],
    TransformsParam: [[null], [{ Content: '{}' }, EMPTY]],
    PrivateLinkParam: [[null], [{ ServiceVip: '10.0.0.1', UniqVpcId: 'vpc-1' }, EMPTY]],
    SchemaId: [[null, '']],
    TaskId: [
      [null, ''],
      ['task-abcd1234', EMPTY],
    ],
    Tags: [
      [null, []],
      [[{ TagKey: 'a', TagValue: 'b' }], `it is not supported; ${EMPTY}`],
    ],
    Description: [[null, '']],
  }
  const otherRow: Row = [[null], [{ Resource: 'r' }, EMPTY]]
  const otherRows = Object.fromEntries(
    Object.keys(OTHER_PARAMS).map((name) => [name, otherRow]),
  ) as Record<keyof typeof OTHER_PARAMS, Row>
  const resourceRows: Record<Exclude<keyof sdk.DatahubResource, 'Type'>, Row> = {
    ...otherRows,
    KafkaParam: [[KAFKA]],
    TopicParam: [[null], [{ Resource: 'b' }, EMPTY]],
  }

  const cases = (
    at: string,
    rows: Record<string, Row>,
    make: (fields: object) => object,
  ): [string, Row, typeof make][] =>
    Object.entries(rows).map(([name, row]) => [`${at}${name}`, row, make])

  it.for([
    ...cases('', taskRows, (fields) => ({ ...BASE, ...fields })),
    ...cases('SourceResource.', { ...resourceRows, KafkaParam: [[null]] }, (fields) => ({
      ...BASE,
      SourceResource: { Type: 'HTTP', ...fields },
    })),
    ...cases('TargetResource.', resourceRows, (fields) => ({
      ...BASE,
      TargetResource: { ...BASE.TargetResource, ...fields },
    })),
    ...cases('TargetResource.KafkaParam.', kafkaRows, kafka),
    ...cases('TargetResource.TopicParam.', topicRows, topic),
  ])('%s', async ([path, [taken, refused], make], { expect }) => {
    const name = path.slice(path.lastIndexOf('.') + 1)
    for (const value of taken) {
      const { tasks, call } = setUp()
      expect((await call(ACTION, make({ [name]: value }), expect)).Error).toBeUndefined()
      const targetType = make === topic ? 'TOPIC' : 'KAFKA'
      expect(tasks.asked).toEqual([['create', expect.any(Object), { ...NEW, targetType }]])
    }
    if (!refused) return
    const [value, end] = refused
    const { tasks, call } = setUp()
    const { Error: error } = await call(ACTION, make({ [name]: value }), expect)
    expect(error?.Code).toBe('UnsupportedOperation')
    expect(error?.Message.startsWith(`\`${path}\`: `)).toBe(true)
    expect(error?.Message.endsWith(end)).toBe(true)
    expect(tasks.asked).toEqual([])
  })
})
