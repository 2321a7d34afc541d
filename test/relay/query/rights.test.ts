import { AclOperationTypes, AclResourceTypes } from 'kafkajs'
import { afterAll, beforeAll, it } from 'vitest'
import { InstanceId } from '#contract'
import type { KafkaSettings } from '../../../relay/kafka/kafkajs.ts'
import { grant } from '../kafka/security/acls.ts'
import { PASSWORD, startSecuredKafka, type SecuredKafka } from '../kafka/security/secured-kafka.ts'
import { makeQueries } from './kafka-log.ts'

const USER = 'asker'
// What the user may do with each topic.
const { READ, WRITE, CREATE, DESCRIBE_CONFIGS } = AclOperationTypes
const TOPICS: Record<string, AclOperationTypes[]> = {
  all: [READ, WRITE, DESCRIBE_CONFIGS],
  'without-configs': [READ, WRITE],
  'read-only': [READ],
  'write-only': [WRITE],
  hidden: [],
}
// Those that nobody has made.
const MISSING: Record<string, AclOperationTypes[]> = {
  'may-be-created': [WRITE, CREATE],
  'may-not-be-created': [WRITE],
  'may-be-created-unseen': [CREATE],
}

let secured: SecuredKafka
let kafka: KafkaSettings

beforeAll(async () => {
  secured = await startSecuredKafka([USER])
  await secured.createTopics(Object.keys(TOPICS))
  await grant(
    secured.admin,
    Object.entries({ ...TOPICS, ...MISSING }).map(([topic, operations]) => ({
      user: USER,
      instance: InstanceId.parse('ckafka-abcdefgh'),
      topic,
      rights: operations.map((operation) => ({
        name: `${operation} on ${topic}`,
        operation,
        resourceType: AclResourceTypes.TOPIC,
        resourceName: topic,
        isPrefix: false,
      })),
    })),
  )
  kafka = {
    brokers: secured.passwordBrokers.split(','),
    clientId: 'query-rights-test',
    ssl: { ca: secured.ca },
    sasl: { mechanism: 'scram-sha-256', username: USER, password: PASSWORD },
  }
})
afterAll(() => secured.stop())

it('a target that the relay may not write to is unfit, and without the right to its configuration its largest batch is not told', async ({
  expect,
}) => {
  const queries = makeQueries({ kafka, minInSyncReplicas: 1 })
  const states = await queries.targets(
    { topics: Object.keys(TOPICS) },
    new AbortController().signal,
  )
  const notAuthorized = { status: 'unfit', reason: 'not_authorized' }
  expect(states).toEqual([
    { topic: 'all', status: 'fit', partitions: 1, maxMessageBytes: 1_048_588 },
    { topic: 'without-configs', status: 'fit', partitions: 1 },
    { topic: 'read-only', ...notAuthorized },
    { topic: 'write-only', status: 'fit', partitions: 1 },
    { topic: 'hidden', ...notAuthorized },
  ])
  queries.close()
})

it('what the relay may not read is not authorised, and what it may not see is not listed', async ({
  expect,
}) => {
  const queries = makeQueries({ kafka })
  const reasons = await Promise.all(
    Object.keys(TOPICS).map(async (topic) => {
      const answer = await queries.ask({
        op: 'record',
        topic,
        partition: 0,
        offset: '0',
        maxBytes: 100,
      })
      return 'reason' in answer ? answer.reason : answer.status
    }),
  )
  expect(reasons).toEqual([
    'beyond_end',
    'beyond_end',
    'beyond_end',
    'not_authorized',
    'not_authorized',
  ])
  const listed = await queries.ask({ op: 'topics' })
  expect(listed.status === 'topics' && listed.topics.map(({ name }) => name)).toEqual(
    Object.keys(TOPICS)
      .filter((name) => name !== 'hidden')
      .toSorted(),
  )
  const detail = await queries.ask({ op: 'topic', topic: 'without-configs' })
  if (detail.status !== 'topic') throw new Error(JSON.stringify(detail))
  expect(detail.topic).not.toHaveProperty('config')
  expect(detail.topic.partitionStates).toMatchObject([{ start: '0', end: '0' }])
  queries.close()
})

it('a wrong password is told as such', async ({ expect }) => {
  const sasl = { mechanism: 'scram-sha-256', username: USER, password: 'wrong' } as const
  const queries = makeQueries({ kafka: { ...kafka, sasl } })
  const answer = await queries.ask({ op: 'cluster' })
  expect(answer).toMatchObject({ status: 'failed', reason: 'kafka_unavailable' })
  expect(answer.status === 'failed' && answer.problem).toMatch(/authentication/i)
  queries.close()
})

it('a missing target is created where the relay may create it and write to it, and not authorised where it may not', async ({
  expect,
}) => {
  const ends: [string, string][] = []
  const queries = makeQueries({
    kafka,
    minInSyncReplicas: 1,
    onCreation: (topic, end) => ends.push([topic, 'why' in end ? end.why : end.status]),
  })
  const topics = Object.keys(MISSING)
  const watched = { topics, create: topics.map((topic) => ({ topic, partitions: 2 })) }
  const look = () => queries.targets(watched, new AbortController().signal)
  const first = await look()
  const unfit = topics
    .slice(1)
    .map((topic) => ({ topic, status: 'unfit', reason: 'not_authorized' }))
  expect(first).toEqual(unfit)
  expect(ends).toEqual([
    ['may-be-created', 'created'],
    [
      'may-not-be-created',
      expect.stringMatching(/^TOPIC_AUTHORIZATION_FAILED \(29\): .*see the ACLs in docs/),
    ],
  ])
  let states = first
  while (states.length < topics.length) states = await look()
  expect(states).toEqual([{ topic: 'may-be-created', status: 'fit', partitions: 2 }, ...unfit])
  queries.close()
})
