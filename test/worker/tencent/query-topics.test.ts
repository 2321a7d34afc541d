import { describe, it, type ExpectStatic } from 'vitest'
import { handleTencentRequest } from '../../../worker/tencent/api.ts'
import { answered, fakeRelay } from '../query/relay.ts'
import { answerOf } from './answer-of.ts'
import { fakeDeps } from './fake-deps.ts'
import { signedCall } from './sign.ts'

const INSTANCE = 'ckafka-00000000'
const SIZES: Record<string, [partitions: number, replicas: number]> = {
  Orders: [12, 3],
  orders: [3, 2],
  'orders-dlq': [1, 2],
  zeta: [3, 1],
}

const CONFIG = {
  'retention.ms': '604800000',
  'min.insync.replicas': '2',
  'cleanup.policy': 'delete',
  'segment.ms': '9223372036854775807',
  'unclean.leader.election.enable': 'false',
  'segment.bytes': '1073741824',
  'max.message.bytes': '1048588',
  'retention.bytes': '-1',
  'message.timestamp.type': 'CreateTime',
}

interface TopicPage {
  TotalCount: number
  TopicList: Record<string, unknown>[]
}

function setUp(names: readonly string[] = Object.keys(SIZES)) {
  const summaries = names.map((name) => {
    const [partitions, replicas] = SIZES[name] ?? [1, 1]
    return { name, partitions, replicas }
  })
  const relay = fakeRelay((query) => {
    if (query.op === 'topics') return answered({ status: 'topics', topics: summaries })
    const topic = summaries.find(({ name }) => query.op === 'topic' && name === query.topic)
    return topic
      ? answered({ status: 'topic', topic: { ...topic, partitionStates: [], config: CONFIG } })
      : answered({ status: 'failed', reason: 'topic_not_found', problem: 'gone' })
  })
  const { deps } = fakeDeps({ relayLink: relay, credential: { scopes: ['query'] } })
  const visible = new Set(names)
  deps.directory.topicsOf = async () => visible
  async function call(action: string, parameters: object, expect: ExpectStatic) {
    const body = JSON.stringify({ InstanceId: INSTANCE, ...parameters })
    const signed = await signedCall(body, { headers: { 'X-TC-Action': action } })
    const response = await handleTencentRequest(signed, deps)
    const text = await response.clone().text()
    const { Result, Error } = (await answerOf(response, expect)) as unknown as {
      Result: TopicPage
      Error?: { Code: string }
    }
    return { Result, Error, text }
  }
  return { relay, call, visible }
}

describe('DescribeTopic', () => {
  it('lists the topics of the credential by name', async ({ expect }) => {
    const { relay, call } = setUp()
    expect((await call('DescribeTopic', {}, expect)).Result).toEqual({
      TotalCount: 4,
      TopicList: ['Orders', 'orders', 'orders-dlq', 'zeta'].map((name) => ({
        TopicId: name,
        TopicName: name,
        Note: null,
      })),
    })
    expect(relay.asked).toEqual([{ op: 'topics', names: Object.keys(SIZES) }])
  })

  it.for([
    [{ SearchWord: 'orders' }, 2, ['orders', 'orders-dlq']],
    [{ SearchWord: 'orders', Offset: 1 }, 2, ['orders-dlq']],
    [{ Offset: 1, Limit: 2 }, 4, ['orders', 'orders-dlq']],
    [{ Offset: 9 }, 4, []],
    [{ SearchWord: 'nothing' }, 0, []],
    [{ SearchWord: '', AclRuleName: '' }, 4, Object.keys(SIZES)],
  ] as const)('%j', async ([parameters, total, names], { expect }) => {
    const { call } = setUp()
    const { Result } = await call('DescribeTopic', parameters, expect)
    expect(Result.TotalCount).toBe(total)
    expect(Result.TopicList.map(({ TopicName }) => TopicName)).toEqual(names)
  })

  it('asks nobody for a credential without topics', async ({ expect }) => {
    const { relay, call } = setUp([])
    const { Result } = await call('DescribeTopic', {}, expect)
    expect(Result).toEqual({ TotalCount: 0, TopicList: [] })
    expect(relay.asked).toEqual([])
  })
})

describe('DescribeTopicDetail', () => {
  it('answers all fields of a TopicDetail', async ({ expect }) => {
    const { call } = setUp(['orders'])
    const { Result, text } = await call('DescribeTopicDetail', {}, expect)
    expect(text).toContain('"SegmentMs":9223372036854775807,')
    expect(Result).toEqual({
      TotalCount: 1,
      TopicList: [
        {
          TopicName: 'orders',
          TopicId: 'orders',
          PartitionNum: 3,
          ReplicaNum: 2,
          Note: null,
          CreateTime: 0,
          EnableWhiteList: false,
          IpWhiteListCount: 0,
          ForwardCosBucket: '',
          ForwardStatus: 1,
          ForwardInterval: 0,
          Config: {
            Retention: 604_800_000,
            MinInsyncReplicas: 2,
            CleanUpPolicy: 'delete',
            SegmentMs: Number('9223372036854775807'),
            UncleanLeaderElectionEnable: 0,
            SegmentBytes: 1_073_741_824,
            MaxMessageBytes: 1_048_588,
            RetentionBytes: -1,
            LogMsgTimestampType: 'CreateTime',
          },
          RetentionTimeConfig: { Expect: 10_080, Current: 10_080, ModTimeStamp: null },
          Status: 0,
          Tags: null,
        },
      ],
    })
  })

  it('has null for what the relay may not read', async ({ expect }) => {
    const { relay, call } = setUp(['orders'])
    const { answer } = relay
    relay.answer = (query) =>
      query.op === 'topic'
        ? answered({
            status: 'topic',
            topic: { name: 'orders', partitions: 3, replicas: 2, partitionStates: [] },
          })
        : answer(query)
    const { Result } = await call('DescribeTopicDetail', {}, expect)
    expect(Result.TopicList).toMatchObject([
      {
        Config: { Retention: null, CleanUpPolicy: null, UncleanLeaderElectionEnable: null },
        RetentionTimeConfig: { Expect: null, Current: null },
      },
    ])
  })

  const filter = (...Values: string[]) => ({ Filters: [{ Name: 'ReplicaNum', Values }] })
  it.for([
    [{}, ['Orders', 'orders', 'orders-dlq', 'zeta']],
    [{ OrderBy: 'CreateTime', OrderType: 1 }, ['Orders', 'orders', 'orders-dlq', 'zeta']],
    [{ OrderBy: 'PartitionNum' }, ['orders-dlq', 'orders', 'zeta', 'Orders']],
    [{ OrderBy: 'PartitionNum', OrderType: 1 }, ['Orders', 'orders', 'zeta', 'orders-dlq']],
    [filter('2'), ['orders', 'orders-dlq']],
    [filter('1', '3'), ['Orders', 'zeta']],
    [{ SearchWord: 'ORDERS' }, []],
    [{ SearchWord: 'ORDERS', SearchWordIgnoreCaseFlag: true }, ['Orders', 'orders', 'orders-dlq']],
    [{ ...filter('2'), Offset: 1, Limit: 1 }, ['orders-dlq']],
  ] as const)('%j', async ([parameters, names], { expect }) => {
    const { relay, call } = setUp()
    const { Result } = await call('DescribeTopicDetail', parameters, expect)
    expect(Result.TopicList.map(({ TopicName }) => TopicName)).toEqual(names)
    // Those of the page alone are looked at.
    expect(relay.asked.filter(({ op }) => op === 'topic')).toHaveLength(names.length)
  })

  it('looks at no more than 8 topics at a time, in order, and leaves out one that is gone', async ({
    expect,
  }) => {
    const names = Array.from({ length: 60 }, (_, i) => `t${String(i).padStart(2, '0')}`)
    const { relay, call } = setUp(names)
    let now = 0
    let most = 0
    const { ask } = relay
    relay.ask = async (query, ms) => {
      most = Math.max(most, ++now)
      await Promise.resolve()
      const asked = await ask(query, ms)
      now--
      const gone = query.op === 'topic' && query.topic === 't07'
      return gone
        ? answered({ status: 'failed', reason: 'topic_not_found', problem: 'gone' })
        : asked
    }
    const { Result } = await call('DescribeTopicDetail', { Limit: 50 }, expect)
    expect(most).toBe(8)
    expect(Result.TotalCount).toBe(60)
    const expected = names.slice(0, 50).filter((name) => name !== 't07')
    expect(Result.TopicList.map(({ TopicName }) => TopicName)).toEqual(expected)
  })

  it('fails as a whole when one topic can not be looked at', async ({ expect }) => {
    const { relay, call } = setUp()
    const { answer } = relay
    relay.answer = (query) =>
      query.op === 'topic' && query.topic === 'zeta' ? { status: 'timed_out' } : answer(query)
    expect((await call('DescribeTopicDetail', {}, expect)).Error?.Code).toBe('ServiceUnavailable')
  })
})

describe('DescribeInstances', () => {
  const OWN = { InstanceId: INSTANCE, InstanceName: INSTANCE, Status: 1, IfCommunity: true }
  it.for([
    [{}, 1, [OWN]],
    [{ Status: [0, 1] }, 1, [OWN]],
    [{ Status: [5] }, 0, []],
    [{ SearchWord: '0000' }, 1, [OWN]],
    [{ SearchWord: 'x' }, 0, []],
    [{ InstanceId: 'ckafka-elsewher' }, 0, []],
    [{ Offset: 1 }, 1, []],
  ] as const)('%j, without a relay', async ([parameters, total, list], { expect }) => {
    const { relay, call } = setUp()
    const { Result } = await call('DescribeInstances', parameters, expect)
    expect(Result).toEqual({ TotalCount: total, InstanceList: list })
    expect(relay.asked).toEqual([])
  })
})
