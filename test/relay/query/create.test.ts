import { randomUUID } from 'node:crypto'
import { describe, it, onTestFinished } from 'vitest'
import type { TargetState, TopicToCreate } from '#contract'
import { createTopic } from '../../../relay/kafka/create-topic.ts'
import type { LoneBroker, RequestPair } from '../../../relay/kafka/kafkajs.ts'
import { createMissing, type CreationEnd } from '../../../relay/query/create.ts'
import type { Queries, QueryOptions } from '../../../relay/query/query.ts'
import { creationOf, type Creation, type Source } from '../../../relay/query/source.ts'
import { readTargets } from '../../../relay/query/targets.ts'
import { withAdmin } from '../../support/admin.ts'
import { eachLeads, kafka, makeQueries, makeTopic } from './kafka-log.ts'

const signal = new AbortController().signal
const newName = (): string => `created-${randomUUID().slice(0, 8)}`

interface Relay {
  queries: Pick<Queries, 'targets'>
  ends: [topic: string, status: string, why?: string][]
}

function openRelay(options: Partial<QueryOptions> = {}): Relay {
  const ends: Relay['ends'] = []
  const queries = makeQueries({
    ...options,
    onCreation: (topic, end) =>
      ends.push('why' in end ? [topic, end.status, end.why] : [topic, end.status]),
  })
  onTestFinished(() => queries.close())
  return { queries, ends }
}

// Looks until each of the topics has been told of, as the relay does.
async function tell(
  { queries }: Relay,
  topics: readonly string[],
  create: readonly TopicToCreate[],
): Promise<TargetState[]> {
  const told = new Map<string, TargetState>()
  while (topics.some((topic) => !told.has(topic))) {
    for (const state of await queries.targets({ topics, create }, signal)) {
      if (!told.has(state.topic)) told.set(state.topic, state)
    }
  }
  return topics.flatMap((topic) => told.get(topic) ?? [])
}

const created = ({ ends }: Relay): string[] =>
  ends.flatMap(([topic, status]) => (status === 'created' ? [topic] : []))

const existing = (topics: readonly string[]) =>
  withAdmin(kafka, async (admin) => {
    const names = new Set(await admin.listTopics())
    return topics.filter((topic) => names.has(topic))
  })

const replicasOf = (topic: string) =>
  withAdmin(kafka, async (admin) => {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
    return topics.flatMap(({ partitions }) => partitions.map(({ replicas }) => replicas.length))
  })

describe('on a real cluster, a missing target', () => {
  it('that is to be created is there then, with so many partitions and three replicas of each', async ({
    expect,
  }) => {
    const relay = openRelay()
    const [topic, plain] = [newName(), newName()]
    const create = [
      { topic, partitions: 5 },
      { topic: plain, partitions: 1 },
    ]
    expect(await tell(relay, [topic, plain], create)).toMatchObject([
      { topic, status: 'fit', partitions: 5 },
      { topic: plain, status: 'fit', partitions: 1 },
    ])
    await eachLeads(topic, 5)
    expect(await replicasOf(topic)).toEqual([3, 3, 3, 3, 3])
  })

  it("has the brokers' number of partitions when none is asked for", async ({ expect }) => {
    const relay = openRelay()
    const topic = newName()
    // The brokers of the tests have Kafka's default of num.partitions.
    expect(await tell(relay, [topic], [{ topic }])).toMatchObject([
      { status: 'fit', partitions: 1 },
    ])
    await eachLeads(topic, 1)
    expect(await replicasOf(topic)).toEqual([3])
  })

  it('is not created unless that is asked for, nor is anything that nobody watches or that is reserved', async ({
    expect,
  }) => {
    const relay = openRelay()
    const [asked, plain, unwatched] = [newName(), newName(), newName()]
    const reserved = [`edgehub-${newName()}`, `__${newName()}`]
    const create = [...reserved, unwatched, asked].map((topic) => ({ topic, partitions: 1 }))
    const states = await tell(relay, [plain, ...reserved, asked], create)
    expect(states.map((s) => (s.status === 'unfit' ? s.reason : s.status))).toEqual([
      'topic_not_found',
      'topic_not_found',
      'topic_not_found',
      'fit',
    ])
    await eachLeads(asked, 1)
    expect(await existing([plain, ...reserved, unwatched, asked])).toEqual([asked])
    expect(new Set(relay.ends.map(([topic]) => topic))).toEqual(new Set([asked]))
  })

  it('that is there already is left as it is', async ({ expect }) => {
    const relay = openRelay()
    const topic = await makeTopic(2)
    const states = await tell(relay, [topic], [{ topic, partitions: 7 }])
    expect(states).toMatchObject([{ status: 'fit', partitions: 2 }])
    expect(relay.ends).toEqual([])
  })

  it('that two relays create at the same time is made once, and both find it fit', async ({
    expect,
  }) => {
    const relays = [openRelay(), openRelay()]
    const topics = Array.from({ length: 10 }, newName)
    const create = topics.map((topic) => ({ topic, partitions: 2 }))
    for (const states of await Promise.all(relays.map((r) => tell(r, topics, create)))) {
      expect(states.map(({ status }) => status)).toEqual(topics.map(() => 'fit'))
    }
    const byTopic = Map.groupBy(relays.flatMap(created), (topic) => topic)
    expect([...byTopic].filter(([, { length }]) => length > 1)).toEqual([])
  })

  it("that Kafka refuses is told as such, with Kafka's reason, and holds up no other", async ({
    expect,
  }) => {
    const relay = openRelay()
    const [dotted, large, last] = [`a.${newName()}`, newName(), newName()]
    const colliding = dotted.replaceAll('.', '_')
    const create = [
      { topic: dotted, partitions: 1 },
      { topic: colliding, partitions: 1 },
      { topic: large, partitions: 2_147_483_647 },
      { topic: last, partitions: 1 },
    ]
    const topics = create.map(({ topic }) => topic)
    const states = await tell(relay, topics, create)
    expect(states.map((s) => (s.status === 'unfit' ? s.reason : s.status))).toEqual([
      'fit',
      'topic_not_created',
      'topic_not_created',
      'fit',
    ])
    const why = new Map(relay.ends.map(([topic, status, text]) => [topic, [status, text]]))
    expect(why.get(colliding)).toEqual([
      'refused',
      expect.stringMatching(/^INVALID_TOPIC_EXCEPTION \(17\): .*collides/),
    ])
    expect(why.get(large)).toEqual([
      'refused',
      expect.stringMatching(/^(POLICY_VIOLATION|INVALID_PARTITIONS) \(\d+\): ./),
    ])
    for (const topic of [dotted, last]) await eachLeads(topic, 1)
    expect(await existing(topics)).toEqual([dotted, last])
  })

  it('is not created where it could not have replicas enough', async ({ expect }) => {
    const relay = openRelay({ minInSyncReplicas: 4 })
    const topic = newName()
    expect(await tell(relay, [topic], [{ topic }])).toEqual([
      { topic, status: 'unfit', reason: 'topic_not_created' },
    ])
    expect(relay.ends).toEqual([
      [topic, 'refused', 'MIN_IN_SYNC_REPLICAS is 4, and a topic would get 3 replicas'],
    ])
    expect(await existing([topic])).toEqual([])
  })
})

describe('creation', () => {
  const needs = { brokers: 3, minInSyncReplicas: 2, onCreation: () => undefined }
  const create = ['a', 'b', 'c'].map((topic) => ({ topic }))

  it.for([
    [1, 1],
    [2, 2],
    [3, 3],
    [7, 3],
  ] as const)('on %i brokers asks for %i replicas', async ([brokers, replicas], { expect }) => {
    const asked: unknown[] = []
    const source = {
      async create(topic: unknown): Promise<Creation> {
        asked.push(topic)
        return { status: 'created' }
      },
    }
    const some = { ...needs, brokers, minInSyncReplicas: 1 }
    await createMissing([{ topic: 'a', partitions: 4 }, { topic: 'b' }], source, some, signal)
    expect(asked).toEqual([
      { name: 'a', partitions: 4, replicationFactor: replicas },
      { name: 'b', partitions: undefined, replicationFactor: replicas },
    ])
  })

  it('that nobody answers says nothing of the topic, and leaves the others for the next look', async ({
    expect,
  }) => {
    const ends: [string, CreationEnd][] = []
    const asked: string[] = []
    const source = {
      async create({ name }: { name: string }): Promise<Creation> {
        asked.push(name)
        if (name === 'b') throw new Error('no answer')
        return { status: 'created' }
      },
    }
    const onCreation = (topic: string, end: CreationEnd) => void ends.push([topic, end])
    const problems = await createMissing(create, source, { ...needs, onCreation }, signal)
    expect([...problems]).toEqual([])
    expect(asked).toEqual(['a', 'b'])
    expect(ends).toEqual([
      ['a', { status: 'created' }],
      ['b', { status: 'unclear', why: 'b: no answer' }],
    ])
  })

  it('ends with the look that it belongs to', async ({ expect }) => {
    const stop = new AbortController()
    const source = {
      create: (_: unknown, inTime: AbortSignal): Promise<Creation> =>
        new Promise((_resolve, reject) => {
          inTime.addEventListener('abort', () => reject(inTime.reason as Error))
          stop.abort(new Error('over'))
        }),
    }
    await expect(createMissing(create, source, needs, stop.signal)).rejects.toThrow('over')
  })

  it('is judged by what the controller answers', ({ expect }) => {
    const end = (code: number) => {
      const creation = creationOf({ code, message: undefined })
      return creation?.status === 'refused' ? creation.reason : creation?.status
    }
    expect([0, 36, 29, 31, 7, 41, 89].map(end)).toEqual([
      'created',
      'exists',
      'not_authorized',
      'not_authorized',
      undefined,
      undefined,
      undefined,
    ])
    // Invalid name, partitions, replicas, request; a policy; an old broker; unknown to the broker, and to everybody.
    for (const code of [17, 37, 38, 42, 44, 35, -1, 12_345]) {
      expect([code, end(code)]).toEqual([code, 'topic_not_created'])
    }
    expect(creationOf({ code: 44, message: 'at most 3' })).toMatchObject({
      why: 'POLICY_VIOLATION (44): at most 3',
    })
  })

  it('leaves the number of partitions to the brokers with -1, and names no configuration', async ({
    expect,
  }) => {
    const sent: string[] = []
    const broker = (maxVersion: number) =>
      ({
        versions: { 19: { maxVersion } },
        lookupRequest: () => () => undefined,
        connectionPool: {
          async send({ request }: RequestPair) {
            const { encode } = request as { encode(): Promise<{ buffer: Buffer }> }
            sent.push((await encode()).buffer.toString('hex'))
            return { code: 0, message: undefined }
          },
        },
      }) as unknown as LoneBroker
    const topic = { name: 'ab', partitions: undefined, replicationFactor: 3 }
    await createTopic(broker(4), topic, 1_000)
    await createTopic(broker(7), { ...topic, partitions: 5 }, 1_000)
    const [start, end] = ['0000000100026162', '00030000000000000000000003e800']
    expect(sent).toEqual([`${start}ffffffff${end}`, `${start}00000005${end}`])
    expect(await createTopic(broker(3), topic, 1_000)).toMatchObject({ code: 35 })
    expect(sent).toHaveLength(2)
  })
})

it('of a topic that was just created nothing is said until the next look: some brokers do not know it yet', async ({
  expect,
}) => {
  const source = {
    metadata: async ({ topics }: { topics: readonly string[] | undefined }) => ({
      clusterId: 'c',
      controller: 1,
      brokers: [1, 2, 3].map((nodeId) => ({ nodeId, host: 'h', port: 1 })),
      topics: (topics ?? []).map((name) => ({
        code: 3,
        name,
        id: undefined,
        partitions: [],
        operations: undefined,
      })),
    }),
    create: async (): Promise<Creation> => ({ status: 'exists' }),
  } as unknown as Source
  const needs = {
    isInternal: () => false,
    minInSyncReplicas: 2,
    compresses: false,
    onCreation: () => undefined,
  }
  const watched = { topics: ['new', 'missing'], create: [{ topic: 'new' }] }
  expect(await readTargets(watched, source, needs, signal)).toEqual([
    { topic: 'missing', status: 'unfit', reason: 'topic_not_found' },
  ])
})
