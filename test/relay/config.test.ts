import { describe, it } from 'vitest'
import { readConfig as read, redacted } from '../../relay/config.ts'

const good = {
  INSTANCE_ID: 'ckafka-abcdefgh',
  QUEUE_API_TOKEN: 'queue-token',
  ACCOUNT_ID: 'account',
  QUEUE_IDS: 'q0,q1',
  DEAD_LETTER_QUEUE_IDS: 'd0,d1',
  WORKER_URL: 'https://edge.example',
  RELAY_TOKEN: 'relay-token-relay-token',
  KAFKA_BROKERS: 'a:9092, b:9092',
}

const FILES: Record<string, string> = { '/run/secrets/ca.pem': 'not PEM' }
const readConfig = (env: Record<string, string>) =>
  read(env, (path) => {
    const text = FILES[path]
    if (text === undefined) throw new Error(`ENOENT: no such file or directory, open '${path}'`)
    return text
  })

describe('the settings', () => {
  it('need only what has no default', ({ expect }) => {
    const read = readConfig(good)
    expect(read).toMatchObject({
      status: 'ok',
      config: {
        shards: 2,
        KAFKA_BROKERS: ['a:9092', 'b:9092'],
        LEASE_MS: 60_000,
        MIN_IN_SYNC_REPLICAS: 2,
      },
    })
  })

  it('name every problem at once', ({ expect }) => {
    const read = readConfig({
      ...good,
      QUEUE_IDS: 'a,b,c',
      KAFKA_BROKERS: 'nope',
      LEASE_MS: 'soon',
      RELAY_TOKEN: '',
    })
    if (read.status !== 'invalid') throw new Error('accepted')
    expect(read.problems.map((p) => p.split(':')[0])).toEqual([
      'QUEUE_IDS',
      'RELAY_TOKEN',
      'KAFKA_BROKERS',
      'LEASE_MS',
    ])
  })

  it('name what is wrong with keys and files among the other problems', ({ expect }) => {
    const read = readConfig({
      ...good,
      RELAY_TOKEN: 'short',
      KAFKA_TLS: 'true',
      KAFKA_TLS_CA_FILE: '/run/secrets/ca.pem',
      KAFKA_TLS_CERT_FILE: '/run/secrets/none.pem',
      KAFKA_SASL_USERNAME: 'relay',
    })
    if (read.status !== 'invalid') throw new Error('accepted')
    expect(read.problems).toEqual([
      'RELAY_TOKEN: Too small: expected string to have >=16 characters',
      "KAFKA_TLS_CERT_FILE: can't be read: ENOENT: no such file or directory, open '/run/secrets/none.pem'",
      'KAFKA_TLS_CA_FILE: holds no certificate in PEM form',
      'KAFKA_TLS_CERT_FILE: needs KAFKA_TLS_KEY or KAFKA_TLS_KEY_FILE beside it',
      'KAFKA_SASL_MECHANISM: is missing; KAFKA_SASL_MECHANISM, KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD go together',
      'KAFKA_SASL_PASSWORD: is missing; KAFKA_SASL_MECHANISM, KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD go together',
    ])
  })

  it('refuse a lease shorter than a transaction may take, and half of a SASL login', ({
    expect,
  }) => {
    expect(readConfig({ ...good, LEASE_MS: '10000' })).toMatchObject({
      status: 'invalid',
      problems: ['LEASE_MS: must be longer than TRANSACTION_TIMEOUT_MS'],
    })
    expect(readConfig({ ...good, KAFKA_SASL_USERNAME: 'relay' })).toMatchObject({
      status: 'invalid',
    })
  })

  it('are printed without their secrets', ({ expect }) => {
    const read = readConfig({
      ...good,
      KAFKA_SASL_MECHANISM: 'plain',
      KAFKA_SASL_USERNAME: 'relay',
      KAFKA_SASL_PASSWORD: 'kafka-password',
    })
    if (read.status !== 'ok') throw new Error('refused')
    const printed = JSON.stringify(redacted(read.config))
    expect(printed).toContain('"KAFKA_SASL_PASSWORD":"(set)"')
    for (const secret of ['queue-token', 'relay-token-relay-token', 'kafka-password']) {
      expect(printed).not.toContain(secret)
    }
  })

  it('warn of a password in clear text, and of nothing else', ({ expect }) => {
    const plain = {
      ...good,
      KAFKA_SASL_MECHANISM: 'plain',
      KAFKA_SASL_USERNAME: 'relay',
      KAFKA_SASL_PASSWORD: 'kafka-password',
    }
    const warnings = (env: Record<string, string>) => {
      const read = readConfig(env)
      return read.status === 'ok' ? read.warnings : read.problems
    }
    expect(warnings(plain)).toEqual([
      'KAFKA_SASL_MECHANISM=plain without KAFKA_TLS sends the password in clear text',
    ])
    expect(warnings({ ...plain, KAFKA_TLS: 'true' })).toEqual([])
    expect(warnings({ ...plain, KAFKA_SASL_MECHANISM: 'scram-sha-512' })).toEqual([])
    expect(warnings(good)).toEqual([])
  })
})
