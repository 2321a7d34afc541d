import { describe, it } from 'vitest'
import { settingsOfEnvironment, settingsOfStack } from '../../../relay/audit/settings.ts'

const READING = { INSTANCE_ID: 'ckafka-abcdefgh', KAFKA_BROKERS: 'a:9092, b:9092' }
const ASKING = { WORKER_URL: 'https://edgehub.example', RELAY_TOKEN: 'token' }
const QUEUES = {
  ACCOUNT_ID: 'account',
  QUEUE_API_TOKEN: 'queue-token',
  QUEUE_IDS: 'q0, q1',
  DEAD_LETTER_QUEUE_IDS: 'd0,d1',
}
const nothing = () => {
  throw new Error('no such file')
}
const kafka = { brokers: ['a:9092', 'b:9092'], clientId: 'edgehub-audit' }

describe('the environment', () => {
  it('Kafka and the instance are enough, and the rest is asked when it is there', ({ expect }) => {
    const little = settingsOfEnvironment({ ...READING, WORKER_URL: '' }, nothing)
    expect(little).toMatchObject({ status: 'ok', settings: { instance: 'ckafka-abcdefgh', kafka } })
    expect(little.status === 'ok' && Object.keys(little.settings)).toEqual(['kafka', 'instance'])
    expect(settingsOfEnvironment({ ...READING, ...ASKING, ...QUEUES }, nothing)).toMatchObject({
      status: 'ok',
      settings: {
        worker: { url: 'https://edgehub.example', token: 'token' },
        queues: {
          url: 'https://api.cloudflare.com',
          token: 'queue-token',
          accountId: 'account',
          ids: ['q0', 'q1', 'd0', 'd1'],
        },
      },
    })
  })

  it.for<[string, Record<string, string>, names: string[]]>([
    ['nothing', {}, ['INSTANCE_ID', 'KAFKA_BROKERS']],
    ['half of how to ask the worker', { ...READING, RELAY_TOKEN: 'x' }, ['WORKER_URL']],
    [
      'half of how to ask the queues',
      { ...READING, QUEUE_IDS: 'a' },
      ['ACCOUNT_ID', 'QUEUE_API_TOKEN', 'DEAD_LETTER_QUEUE_IDS'],
    ],
    [
      'no origins',
      { ...READING, ...ASKING, WORKER_URL: 'https://e.example/v1', QUEUE_API_URL: 'x' },
      ['WORKER_URL', 'QUEUE_API_URL'],
    ],
    [
      'half a log-in',
      { ...READING, KAFKA_SASL_MECHANISM: 'plain' },
      ['KAFKA_SASL_USERNAME', 'KAFKA_SASL_PASSWORD'],
    ],
  ])('%s: all problems at once, by name', ([, env, names], { expect }) => {
    const result = settingsOfEnvironment(env, nothing)
    const problems = result.status === 'invalid' ? result.problems : []
    expect(problems.map((problem) => problem.split(':')[0])).toEqual(names)
  })
})

describe('the file of a local stack', () => {
  const dev = {
    kafka: 'a:9092,b:9092',
    instanceId: 'ckafka-abcdefgh',
    api: 'http://127.0.0.1:8787',
    relayToken: 'relay-token',
    queueApi: 'http://127.0.0.1:8787',
    queueToken: 'queue-token',
    queues: [{ id: 'q0', name: 'edgehub-local-0' }],
    more: 'than is needed',
  }

  it('has everything, the log of the queues too', ({ expect }) => {
    expect(settingsOfStack('f', () => JSON.stringify(dev))).toEqual({
      status: 'ok',
      settings: {
        kafka,
        instance: 'ckafka-abcdefgh',
        worker: { url: 'http://127.0.0.1:8787', token: 'relay-token' },
        log: { url: 'http://127.0.0.1:8787', token: 'queue-token', ids: ['q0'] },
      },
    })
  })

  it('or what is wrong with it is said', ({ expect }) => {
    const { queues: _, ...rest } = dev
    for (const [text, problem] of [
      ['{', "f can't be read"],
      [JSON.stringify(rest), 'f: queues'],
    ] as const) {
      const result = settingsOfStack('f', () => text)
      expect(result.status === 'invalid' && result.problems.join()).toContain(problem)
    }
    const missing = settingsOfStack('f', nothing)
    expect(missing.status === 'invalid' && missing.problems).toEqual([
      expect.stringContaining('no such file'),
    ])
  })
})
