import { describe, it } from 'vitest'
import type { LinkQuery } from '#contract'
import { createRateLimit } from '../../../worker/rate-limit.ts'
import type { TencentDeps } from '../../../worker/tencent/action.ts'
import { handleTencentRequest } from '../../../worker/tencent/api.ts'
import { absent, answered, FAILURES, fakeRelay, REASONS, recordOf } from '../query/relay.ts'
import { answerOf } from './answer-of.ts'
import { DATAHUB, fakeDeps, HIDDEN_DATAHUB } from './fake-deps.ts'
import { signedCall } from './sign.ts'

const INSTANCE = 'ckafka-00000000'
const RECORD = { InstanceId: INSTANCE, Topic: 'topicDev', Partition: 1, Offset: 12 }
const TIME = { InstanceId: INSTANCE, Topic: 'topicDev' }
const TOPICS = { InstanceId: INSTANCE }

function setUp(
  overrides: Partial<TencentDeps> & { credential?: object; topics?: readonly string[] } = {},
) {
  const relay = fakeRelay()
  const { credential, topics = ['topicDev'], ...rest } = overrides
  const { deps, logged } = fakeDeps({
    relayLink: relay,
    ...rest,
    credential: { scopes: ['query'], ...credential },
  })
  deps.directory.topicsOf = async (datahubs) => new Set(datahubs.includes(DATAHUB) ? topics : [])

  /** The answer as parsed, and as text: integers may be beyond what is parsed exactly. */
  async function call(
    action: string,
    parameters: object | string,
    expect: Parameters<typeof answerOf>[1],
  ) {
    const body = typeof parameters === 'string' ? parameters : JSON.stringify(parameters)
    const signed = await signedCall(body, { headers: { 'X-TC-Action': action } })
    const response = await handleTencentRequest(signed, deps)
    const text = await response.clone().text()
    const answer = await answerOf(response, expect)
    return { ...answer, Result: (answer as { Result?: unknown }).Result, text }
  }
  return { relay, logged, call }
}

describe('FetchMessageByOffset', () => {
  it('answers a ConsumerRecord', async ({ expect }) => {
    const { relay, call } = setUp()
    relay.answer = () => answered({ status: 'record', record: recordOf() })
    expect((await call('FetchMessageByOffset', RECORD, expect)).Result).toEqual({
      Topic: 'topicDev',
      Partition: 1,
      Offset: 12,
      Key: 'k',
      Value: 'v',
      Timestamp: 1_790_000_000_000,
      Headers: '[{"name":"source","value":"web"}]',
    })
    expect(relay.asked).toEqual([
      { op: 'record', topic: 'topicDev', partition: 1, offset: '12', maxBytes: 1_048_576 },
    ])
  })

  it('gives bytes that are no UTF-8 as base64, and nothing as null', async ({ expect }) => {
    const { relay, call } = setUp()
    const { key: _, value: __, ...rest } = recordOf()
    relay.answer = () =>
      answered({ status: 'record', record: { ...rest, keyBase64: '/w==', base64: 'AP8=' } })
    const bytes = await call('FetchMessageByOffset', RECORD, expect)
    expect(bytes.Result).toMatchObject({ Key: '/w==', Value: 'AP8=' })
    const record = recordOf({ key: null, value: null, headers: [] })
    relay.answer = () => answered({ status: 'record', record })
    const nothing = await call('FetchMessageByOffset', RECORD, expect)
    expect(nothing.Result).toMatchObject({ Key: null, Value: null, Headers: '[]' })
  })

  it('writes the digits of an offset that no JavaScript number holds', async ({ expect }) => {
    const { relay, call } = setUp()
    relay.answer = () =>
      answered({ status: 'record', record: recordOf({ offset: '9223372036854775807' }) })
    const { text } = await call('FetchMessageByOffset', RECORD, expect)
    expect(text).toContain('"Offset":9223372036854775807,')
  })

  it.for(REASONS)('of an offset without a record: %s', async ([reason, words], { expect }) => {
    const { relay, call } = setUp()
    relay.answer = () => absent(reason)
    const { Error } = await call('FetchMessageByOffset', RECORD, expect)
    expect(Error?.Code).toBe('FailedOperation')
    expect(Error?.Message).toContain('There is no message at offset 12 of partition 1: ')
    expect(Error?.Message).toContain(words)
    expect(Error?.Message).toContain('from offset 5 to before 99')
  })

  it('refuses an offset that JSON rounds, and names REST', async ({ expect }) => {
    const { relay, call } = setUp()
    const body = JSON.stringify(RECORD).replace('12', '9007199254740993')
    const { Error } = await call('FetchMessageByOffset', body, expect)
    expect(Error?.Code).toBe('InvalidParameterValue')
    expect(Error?.Message).toContain('GET /v1/messages')
    expect(relay.asked).toEqual([])
  })
})

describe('the lists', () => {
  const LISTED = {
    Topic: 'topicDev',
    Partition: 1,
    Offset: 12,
    Key: null,
    Value: null,
    Timestamp: 1_790_000_000_000,
    Headers: null,
  }
  const listed = { partition: 1, offset: '12', timestamp: 1_790_000_000_000, bytes: 8 }
  const place = { topic: 'topicDev', partition: 1 }
  const byTime = {
    op: 'records_by_time',
    topic: 'topicDev',
    limitOf: 'partition',
    values: false,
  } as const
  const byOffset = { op: 'records_by_offset', ...place, offset: '12', values: false } as const

  it.for<[string, object, LinkQuery]>([
    ['FetchMessageListByOffset', RECORD, { ...byOffset, limit: 20 }],
    [
      'FetchMessageListByOffset',
      { ...RECORD, SinglePartitionRecordNumber: 7 },
      { ...byOffset, limit: 7 },
    ],
    ['FetchMessageListByTimestamp', TIME, { ...byTime, from: 0, limit: 20 }],
    [
      'FetchMessageListByTimestamp',
      { ...TIME, Partition: null, StartTime: 1_790_000_000_000 },
      { ...byTime, from: 1_790_000_000_000, limit: 20 },
    ],
    [
      'FetchMessageListByTimestamp',
      { ...TIME, Partition: 0, StartTime: 1_790_000_000_000, SinglePartitionRecordNumber: 1 },
      { ...byTime, from: 1_790_000_000_000, partition: 0, limit: 1 },
    ],
  ])('%s of %j', async ([action, parameters, query], { expect }) => {
    const { relay, call } = setUp()
    relay.answer = () => answered({ status: 'records', records: [listed] })
    expect((await call(action, parameters, expect)).Result).toEqual([LISTED])
    expect(relay.asked).toEqual([query])
  })

  it('are empty where nothing is', async ({ expect }) => {
    const { relay, call } = setUp()
    relay.answer = () => answered({ status: 'records', records: [] })
    expect((await call('FetchMessageListByOffset', RECORD, expect)).Result).toEqual([])
  })
})

const ACTIONS: [action: string, parameters: object][] = [
  ['FetchMessageByOffset', RECORD],
  ['FetchMessageListByOffset', RECORD],
  ['FetchMessageListByTimestamp', TIME],
  ['DescribeTopic', TOPICS],
  ['DescribeTopicDetail', TOPICS],
]

describe('each query action', () => {
  it.for(ACTIONS)('%s needs the scope query', async ([action, parameters], { expect }) => {
    const { relay, call } = setUp({ credential: { scopes: ['send', 'manage'] } })
    expect((await call(action, parameters, expect)).Error).toEqual({
      Code: 'AuthFailure.UnauthorizedOperation',
      Message: `The credential is not allowed to call \`${action}\`.`,
    })
    expect(relay.asked).toEqual([])
  })

  it.for(ACTIONS)('%s is of this instance', async ([action, parameters], { expect }) => {
    const { call } = setUp()
    const elsewhere = { ...parameters, InstanceId: 'ckafka-elsewher' }
    expect((await call(action, elsewhere, expect)).Error).toEqual({
      Code: 'InvalidParameterValue.InstanceNotExist',
      Message: `The instance \`ckafka-elsewher\` does not exist; this is \`${INSTANCE}\`.`,
    })
  })

  it.for(ACTIONS.slice(0, 3))(
    '%s answers for a topic of others as for none, and asks nobody',
    async ([action, parameters], { expect }) => {
      const { relay, call } = setUp({ credential: { datahubs: [HIDDEN_DATAHUB] } })
      for (const Topic of ['topicDev', 'nothing', 'edgehub-x', 'no topic!', '']) {
        expect((await call(action, { ...parameters, Topic }, expect)).Error).toEqual({
          Code: 'ResourceNotFound',
          Message: `The topic \`${Topic}\` does not exist.`,
        })
      }
      expect(relay.asked).toEqual([])
    },
  )

  it.for(FAILURES)('when %s', async ([, asked, , , code], { expect }) => {
    const { relay, logged, call } = setUp()
    relay.answer = () => asked
    for (const [action, parameters] of ACTIONS) {
      const { Error, text } = await call(action, parameters, expect)
      expect(Error?.Code).toBe(code)
      expect(text).not.toContain('broker-1')
    }
    const reason =
      asked.status === 'answered' && asked.answer.status === 'failed' ? asked.answer.reason : ''
    // What a client asked wrongly is no news for the operator.
    const cause = reason !== '' && !reason.endsWith('_not_found')
    expect(String(logged[0]?.['cause']).includes('broker-1')).toBe(cause)
    if (cause) expect(logged[0]?.level).toBe('warn')
  })

  type Row = [action: string, parameters: object, code: string, words: string]
  const [record, list, time, topic, detail, instances] = [
    'FetchMessageByOffset',
    'FetchMessageListByOffset',
    'FetchMessageListByTimestamp',
    'DescribeTopic',
    'DescribeTopicDetail',
    'DescribeInstances',
  ] as const
  const wrongType = 'InvalidParameter'
  const wrong = 'InvalidParameterValue'
  const row = (action: string, of: object, name: string, value: unknown, code: string): Row => [
    action,
    { ...of, [name]: value },
    code,
    `\`${name}`,
  ]
  it.for<Row>([
    ...['InstanceId', 'Topic', 'Partition', 'Offset'].flatMap((name) => [
      row(record, RECORD, name, undefined, 'MissingParameter'),
      row(list, RECORD, name, null, 'MissingParameter'),
    ]),
    ...['InstanceId', 'Topic'].map((name) => row(time, TIME, name, undefined, 'MissingParameter')),
    row(topic, TOPICS, 'InstanceId', undefined, 'MissingParameter'),
    row(detail, TOPICS, 'InstanceId', undefined, 'MissingParameter'),
    row(record, RECORD, 'offset', 1, 'UnknownParameter'),
    row(list, RECORD, 'Limit', 1, 'UnknownParameter'),
    row(time, TIME, 'Offset', 1, 'UnknownParameter'),
    row(topic, TOPICS, 'OrderBy', 'CreateTime', 'UnknownParameter'),
    row(detail, TOPICS, 'TopicName', 'x', 'UnknownParameter'),
    row(instances, {}, 'InstanceIds', [], 'UnknownParameter'),
    row(record, RECORD, 'InstanceId', 1, wrongType),
    row(record, RECORD, 'Topic', {}, wrongType),
    row(record, RECORD, 'Partition', '1', wrongType),
    row(record, RECORD, 'Partition', 1.5, wrongType),
    row(record, RECORD, 'Partition', -1, wrong),
    row(record, RECORD, 'Partition', 2 ** 31, wrong),
    row(record, RECORD, 'Offset', '12', wrongType),
    row(record, RECORD, 'Offset', -1, wrong),
    row(list, RECORD, 'SinglePartitionRecordNumber', 0, wrong),
    row(list, RECORD, 'SinglePartitionRecordNumber', 21, wrong),
    row(list, RECORD, 'SinglePartitionRecordNumber', '20', wrongType),
    row(time, TIME, 'Partition', -1, wrong),
    row(time, TIME, 'StartTime', 1_790_000_000, wrong),
    row(time, TIME, 'StartTime', '2026-09-21', wrongType),
    row(time, TIME, 'SinglePartitionRecordNumber', 21, wrong),
    row(topic, TOPICS, 'SearchWord', 1, wrongType),
    row(topic, TOPICS, 'Offset', -1, wrong),
    row(topic, TOPICS, 'Limit', 0, wrong),
    row(topic, TOPICS, 'Limit', 51, wrong),
    row(topic, TOPICS, 'AclRuleName', 'rule', wrong),
    row(detail, TOPICS, 'Limit', 51, wrong),
    row(detail, TOPICS, 'OrderBy', 'TopicName', wrong),
    row(detail, TOPICS, 'OrderType', 2, wrong),
    row(detail, TOPICS, 'Filters', {}, wrongType),
    row(detail, TOPICS, 'Filters', [{ Name: 'Status', Values: ['1'] }], wrong),
    row(detail, TOPICS, 'Filters', [{ Name: 'ReplicaNum', Values: [] }], wrong),
    row(detail, TOPICS, 'Filters', [{ Name: 'ReplicaNum', Values: [2] }], wrongType),
    row(detail, TOPICS, 'Filters', [{ Name: 'ReplicaNum' }], 'MissingParameter'),
    row(detail, TOPICS, 'SearchWordIgnoreCaseFlag', 'true', wrongType),
    row(instances, {}, 'InstanceId', 1, wrongType),
    row(instances, {}, 'Status', 1, wrongType),
    row(instances, {}, 'Limit', 101, wrong),
    row(instances, {}, 'VpcId', 'vpc-1', wrong),
    row(instances, {}, 'TagKey', 'a', wrong),
  ])('%s refuses %j', async ([action, parameters, code, words], { expect }) => {
    const { relay, call } = setUp()
    const { Error } = await call(action, parameters, expect)
    expect(Error?.Code).toBe(code)
    expect(Error?.Message).toContain(words)
    expect(relay.asked).toEqual([])
  })

  it('names the type of a number as Tencent does', async ({ expect }) => {
    const { call } = setUp()
    for (const Partition of ['1', 1.5]) {
      expect((await call(record, { ...RECORD, Partition }, expect)).Error?.Message).toBe(
        'The value type of parameter `Partition` is not valid, input type should be `integer`.',
      )
    }
  })

  it.for(['', '[]', '{', '"x"', '\u00ff'])('answers a body of %j', async (body, { expect }) => {
    const { call } = setUp()
    const { Error } = await call(record, body, expect)
    expect(Error?.Code).toBe(body === '' ? 'MissingParameter' : 'InvalidParameter')
  })
})

describe('rates', () => {
  const limited = () => {
    const clock = { now: 1_790_000_000_000 }
    const rateLimit = createRateLimit({ now: () => clock.now, maxKeys: 100 })
    const set = setUp({ rateLimit })
    return { clock, ...set }
  }

  it.for([
    ['FetchMessageByOffset', RECORD, 1],
    ['FetchMessageListByOffset', RECORD, 1],
    ['FetchMessageListByTimestamp', TIME, 20],
    ['DescribeTopic', TOPICS, 20],
    ['DescribeTopicDetail', TOPICS, 20],
    ['DescribeInstances', {}, 20],
  ] as const)('%s', async ([action, parameters, perSecond], { expect }) => {
    const { clock, call } = limited()
    const code = async () => (await call(action, parameters, expect)).Error?.Code
    for (let i = 0; i < perSecond; i++) expect(await code()).not.toBe('RequestLimitExceeded')
    expect((await call(action, parameters, expect)).Error).toEqual({
      Code: 'RequestLimitExceeded',
      Message: `Your current request times equals to \`${perSecond + 1}\` in a second, which exceeds the frequency limit \`${perSecond}\` for a second. Please reduce the frequency of calls.`,
    })
    clock.now += 1_000
    expect(await code()).not.toBe('RequestLimitExceeded')
  })

  it('are of each action alone', async ({ expect }) => {
    const { call } = limited()
    await call('FetchMessageByOffset', RECORD, expect)
    const { Error } = await call('FetchMessageListByOffset', RECORD, expect)
    expect(Error?.Code).toBe('ResourceUnavailable')
  })
})
