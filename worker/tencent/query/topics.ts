/**
 * DescribeTopic, DescribeTopicDetail: the topics that the credential may see. What neither Kafka nor Edgehub has (notes, white lists,
 * copies in COS, the time a topic was made) is answered with the value that says so.
 */
import * as z from 'zod/mini'
import { LINK_QUERY_MS, type TopicDetail } from '#contract'
import type { Found, View } from '../../query/view.ts'
import { result, whole } from '../action.ts'
import { integer, queryAction, Unfit } from './query-action.ts'

/** Topics in one answer. */
const MAX_TOPICS = 50

/** Questions that one call puts at a time. */
const PARALLEL = 8

const Page = z.strictObject({
  InstanceId: z.string(),
  SearchWord: z._default(z.string(), ''),
  Offset: z._default(whole(0, Number.MAX_SAFE_INTEGER), 0),
  Limit: z._default(whole(1, MAX_TOPICS), 20),
  AclRuleName: Unfit,
})

export const describeTopic = queryAction(
  { perSecond: 20, parameters: Page },
  async ({ SearchWord, Offset, Limit }, view) => {
    const found = await view.topics()
    if (found.status === 'rejected') return found
    const fit = found.value.filter(({ name }) => name.includes(SearchWord))
    return result({
      TotalCount: fit.length,
      TopicList: fit
        .slice(Offset, Offset + Limit)
        .map(({ name }) => ({ TopicId: name, TopicName: name, Note: null })),
    })
  },
)

const REPLICAS = 'At most one filter, ReplicaNum, is allowed; its values are whole numbers'

export const describeTopicDetail = queryAction(
  {
    perSecond: 20,
    parameters: z.extend(Page, {
      OrderBy: z._default(z.enum(['PartitionNum', 'CreateTime']), 'CreateTime'),
      OrderType: z._default(whole(0, 1), 0),
      Filters: z._default(
        z
          .array(
            z.strictObject({
              Name: z.literal('ReplicaNum', REPLICAS),
              Values: z
                .array(z.string().check(z.regex(/^\d{1,5}$/, REPLICAS)))
                .check(z.minLength(1, REPLICAS)),
            }),
          )
          .check(z.maxLength(1, REPLICAS)),
        [],
      ),
      SearchWordIgnoreCaseFlag: z._default(z.boolean(), false),
    }),
  },
  async ({ SearchWord, Offset, Limit, SearchWordIgnoreCaseFlag, ...order }, view) => {
    const found = await view.topics()
    if (found.status === 'rejected') return found
    const cased = (text: string): string => (SearchWordIgnoreCaseFlag ? text.toLowerCase() : text)
    const word = cased(SearchWord)
    const fit = found.value.filter(
      ({ name, replicas }) =>
        cased(name).includes(word) &&
        order.Filters.every(({ Values }) => Values.map(Number).includes(replicas)),
    )
    // They come by name, and stay so where they are equal. When a topic was made is not known, so by time all are equal.
    if (order.OrderBy === 'PartitionNum') {
      const sign = order.OrderType === 0 ? 1 : -1
      fit.sort((a, b) => sign * (a.partitions - b.partitions))
    }
    const names = fit.slice(Offset, Offset + Limit).map(({ name }) => name)
    const details = await detailsOf(names, view)
    if (details.status === 'rejected') return details
    return result({ TotalCount: fit.length, TopicList: details.value.map(show) })
  },
)

/** In order, without those that are gone meanwhile. All questions have one limit together. */
async function detailsOf(names: readonly string[], view: View): Promise<Found<TopicDetail[]>> {
  const deadline = Date.now() + LINK_QUERY_MS
  const answers: Awaited<ReturnType<typeof ask>>[] = []
  const ask = (topic: string) =>
    view.ask({ op: 'topic', topic }, 'topic', Math.max(1, deadline - Date.now()))
  const rest = names.entries()
  await Promise.all(
    Array.from({ length: PARALLEL }, async () => {
      // One iterator for all: whoever is free takes the next.
      for (const [i, topic] of rest) answers[i] = await ask(topic)
    }),
  )
  const details: TopicDetail[] = []
  for (const answer of answers) {
    if (answer.status === 'found') details.push(answer.value.topic)
    else if (answer.rejection.reason !== 'topic_not_found') return answer
  }
  return { status: 'found', value: details }
}

function show({ name, partitions, replicas, config = {} }: TopicDetail) {
  const retention = config['retention.ms']
  const minutes = retention === undefined ? null : Math.floor(Number(retention) / 60_000)
  const unclean = config['unclean.leader.election.enable']
  return {
    TopicName: name,
    TopicId: name,
    PartitionNum: partitions,
    ReplicaNum: replicas,
    Note: null,
    CreateTime: 0,
    EnableWhiteList: false,
    IpWhiteListCount: 0,
    ForwardCosBucket: '',
    ForwardStatus: 1,
    ForwardInterval: 0,
    Config: {
      Retention: integer(retention),
      MinInsyncReplicas: integer(config['min.insync.replicas']),
      CleanUpPolicy: config['cleanup.policy'] ?? null,
      SegmentMs: integer(config['segment.ms']),
      UncleanLeaderElectionEnable: unclean === undefined ? null : Number(unclean === 'true'),
      SegmentBytes: integer(config['segment.bytes']),
      MaxMessageBytes: integer(config['max.message.bytes']),
      RetentionBytes: integer(config['retention.bytes']),
      LogMsgTimestampType: config['message.timestamp.type'] ?? null,
    },
    RetentionTimeConfig: { Expect: minutes, Current: minutes, ModTimeStamp: null },
    Status: 0,
    Tags: null,
  }
}
