import { describe, it } from 'vitest'
import { settingsOfEnvironment, settingsOfStack } from '../../../relay/dead-letters/settings.ts'

const READING = { INSTANCE_ID: 'ckafka-abcdefgh', KAFKA_BROKERS: 'a:9092, b:9092' }
const SENDING = {
  EDGEHUB_URL: 'https://edgehub.example',
  EDGEHUB_SECRET_ID: 'id',
  EDGEHUB_SECRET_KEY: 'key',
}
const worker = { url: 'https://edgehub.example', secretId: 'id', secretKey: 'key' }
const nothing = () => {
  throw new Error('no such file')
}
const ofEnvironment = (env: Record<string, string>, sends: boolean) =>
  settingsOfEnvironment(env, { sends, readFile: nothing })

describe('the environment', () => {
  it('to read, the relay’s settings of Kafka and the instance are enough', ({ expect }) => {
    const sasl = {
      KAFKA_TLS: 'true',
      KAFKA_SASL_MECHANISM: 'scram-sha-512',
      KAFKA_SASL_USERNAME: 'u',
      KAFKA_SASL_PASSWORD: 'p',
    }
    expect(ofEnvironment({ ...READING, ...sasl, EDGEHUB_URL: '' }, false)).toMatchObject({
      status: 'ok',
      settings: {
        instance: 'ckafka-abcdefgh',
        kafka: {
          brokers: ['a:9092', 'b:9092'],
          clientId: 'edgehub-dead-letters',
          ssl: {},
          sasl: { mechanism: 'scram-sha-512', username: 'u', password: 'p' },
        },
      },
    })
  })

  it('to send, the worker and a credential are needed too', ({ expect }) => {
    const result = ofEnvironment({ ...READING, ...SENDING }, true)
    expect(result.status === 'ok' && result.settings.worker).toEqual(worker)
  })

  it.for<[string, Record<string, string>, names: string[]]>([
    ['nothing', {}, ['INSTANCE_ID', 'KAFKA_BROKERS', ...Object.keys(SENDING)]],
    ['empty variables', { ...READING, ...SENDING, EDGEHUB_SECRET_KEY: '' }, ['EDGEHUB_SECRET_KEY']],
    [
      'no origin',
      { ...READING, ...SENDING, EDGEHUB_URL: 'https://edgehub.example/v1' },
      ['EDGEHUB_URL'],
    ],
    [
      'half a log-in',
      { ...READING, ...SENDING, KAFKA_SASL_MECHANISM: 'plain', KAFKA_SASL_USERNAME: 'u' },
      ['KAFKA_SASL_PASSWORD'],
    ],
  ])('%s: all problems at once, by name', ([, env, names], { expect }) => {
    const result = ofEnvironment(env, true)
    const problems = result.status === 'invalid' ? result.problems : []
    expect(problems.map((problem) => problem.split(':')[0])).toEqual(names)
  })
})

describe('the file of a local stack', () => {
  const dev = {
    kafka: 'a:1,b:2',
    instanceId: 'ckafka-abcdefgh',
    api: 'http://127.0.0.1:8787',
    secretId: 'id',
    secretKey: 'key',
    more: 'than is needed',
  }
  const ofStack = (text: string) => settingsOfStack('f', { sends: true, readFile: () => text })

  it('has everything', ({ expect }) => {
    expect(ofStack(JSON.stringify(dev))).toEqual({
      status: 'ok',
      settings: {
        instance: 'ckafka-abcdefgh',
        kafka: { brokers: ['a:1', 'b:2'], clientId: 'edgehub-dead-letters' },
        worker: { url: 'http://127.0.0.1:8787', secretId: 'id', secretKey: 'key' },
      },
    })
  })

  it('or the place in it is named', ({ expect }) => {
    const { secretKey: _, ...rest } = dev
    for (const [text, problem] of [
      ['{', "f can't be read"],
      [JSON.stringify(rest), 'f: secretKey'],
      [JSON.stringify({ ...dev, api: 'here' }), 'f: api'],
    ] as const) {
      const result = ofStack(text)
      expect(result.status === 'invalid' && result.problems.join()).toContain(problem)
    }
    const missing = settingsOfStack('f', { sends: false, readFile: nothing })
    expect(missing.status === 'invalid' && missing.problems).toEqual([
      expect.stringContaining('no such file'),
    ])
  })
})
