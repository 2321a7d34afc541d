import { describe, it } from 'vitest'
import { readConfig, redacted } from '../../relay/config.ts'

const good = {
  INSTANCE_ID: 'ckafka-abcdefgh',
  QUEUE_API_TOKEN: 'queue-token',
  ACCOUNT_ID: 'account',
  QUEUE_IDS: 'q0,q1',
  WORKER_URL: 'https://edge.example',
  RELAY_TOKEN: 'relay-token-relay-token',
  KAFKA_BROKERS: 'a:9092, b:9092',
}

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
    const read = readConfig(good)
    if (read.status !== 'ok') throw new Error('refused')
    const printed = JSON.stringify(redacted(read.config))
    expect(printed).not.toContain('queue-token')
    expect(printed).not.toContain('relay-token-relay-token')
  })
})
