import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, it } from 'vitest'
import * as z from 'zod'
import { InstanceId, ledgerTopic, transactionalId } from '#contract'
import { compressionCode, COMPRESSIONS } from '../../../../relay/kafka/compression.ts'
import type { KafkaSettings, LaneMessage } from '../../../../relay/kafka/kafkajs.ts'
import {
  KafkaEnvironment,
  kafkaSettingsOf,
  resolveKafka,
} from '../../../../relay/kafka/settings.ts'
import { ensureOwnTopics } from '../../../../relay/kafka/topics.ts'
import { readTopic } from '../../../support/kafka-reader.ts'
import { grant, readRights } from './acls.ts'
import { failingStep, openLane, send, type Step } from './relay-work.ts'
import { CHIEF, PASSWORD, startSecuredKafka, type SecuredKafka } from './secured-kafka.ts'

type Variables = Record<string, string>

// Of each right that the document names, the first step that needs it.
const NEEDED_FOR: Record<string, Step> = {
  'Write on --transactional-id edgehub.ckafka-abcdefgh.': 'transactional id',
  'Write on --topic edgehub-ckafka-abcdefgh-ledger': 'claim in the ledger',
  'Read on --topic edgehub-ckafka-abcdefgh-ledger': 'group',
  'DescribeConfigs on --topic edgehub-ckafka-abcdefgh-ledger': 'own topics',
  // Who makes a topic waits until it can be seen.
  'Write on --topic edgehub-ckafka-abcdefgh-dead-letters': 'own topics',
  'DescribeConfigs on --topic edgehub-ckafka-abcdefgh-dead-letters': 'own topics',
  'Read on --group edgehub-ckafka-abcdefgh-relays': 'group',
  'Write on --topic orders': 'target topic',
  'Read on --topic orders': 'open transactions',
  'DescribeConfigs on --topic orders': 'replicas asked for',
  'Create on --topic edgehub-ckafka-abcdefgh-': 'own topics',
  'Create on --topic orders': 'creation of a target topic',
}
const names = Object.keys(NEEDED_FOR)
const userWithout = (name: string) => `without-${names.indexOf(name)}`
const instanceWithout = (name: string) =>
  instanceNamed(`lacks${String(names.indexOf(name)).padStart(2, '0')}`)
const instanceNamed = (name: string) => InstanceId.parse(`ckafka-${name.padEnd(8, '0')}`)
const ALL = 'with-all'
const OPERATED = 'without-create'
const TARGET = 'acl-orders'
const DENIED = 'acl-denied'

let kafka: SecuredKafka

beforeAll(async () => {
  kafka = await startSecuredKafka([ALL, OPERATED, ...names.map(userWithout)])
  const rights = await readRights()
  await kafka.createTopics([TARGET, DENIED])
  await grant(kafka.admin, [
    { user: ALL, instance: instanceNamed('all'), topic: TARGET, rights },
    {
      user: OPERATED,
      instance: instanceNamed('operated'),
      topic: TARGET,
      rights: rights.filter(({ name }) => name !== 'Create on --topic edgehub-ckafka-abcdefgh-'),
    },
    ...names.map((without) => ({
      user: userWithout(without),
      instance: instanceWithout(without),
      topic: TARGET,
      rights: rights.filter(({ name }) => name !== without),
    })),
  ])
})
afterAll(() => kafka.stop())

function settings(variables: Variables): KafkaSettings {
  const read = resolveKafka(variables, () => '')
  const config = z.object(KafkaEnvironment).parse(read.variables)
  if (read.problems.length > 0) throw new Error(read.problems.join('\n'))
  return kafkaSettingsOf({ ...config, RELAY_ID: 'security-test' })
}

const byPassword = (mechanism: string, username = CHIEF): Variables => ({
  KAFKA_BROKERS: kafka.passwordBrokers,
  KAFKA_TLS: 'true',
  KAFKA_TLS_CA: kafka.ca,
  KAFKA_SASL_MECHANISM: mechanism,
  KAFKA_SASL_USERNAME: username,
  KAFKA_SASL_PASSWORD: PASSWORD,
})

const byCertificate = (): Variables => ({
  KAFKA_BROKERS: kafka.certificateBrokers,
  KAFKA_TLS: 'true',
  KAFKA_TLS_CA: kafka.ca,
  KAFKA_TLS_CERT: kafka.client.cert,
  KAFKA_TLS_KEY: kafka.client.key,
})

async function newTopics(name: string, config?: Variables) {
  const topics = {
    data: { topic: name, partition: 0 },
    ledger: { topic: `${name}-ledger`, partition: 0 },
  }
  await kafka.createTopics([topics.data.topic, topics.ledger.topic], config)
  return topics
}

const values = async (topic: string) =>
  (await readTopic({ brokers: kafka.admin.brokers, topic })).map(({ value }) => String(value))

describe('a relay that proves who it is, over TLS with an authority of its own', () => {
  it.for<[string, () => Variables]>([
    ['SASL PLAIN', () => byPassword('plain')],
    ['SCRAM-SHA-256', () => byPassword('scram-sha-256')],
    ['SCRAM-SHA-512', () => byPassword('scram-sha-512')],
    ['a client certificate', byCertificate],
    [
      'a client certificate, and another name for the broker',
      () => ({ ...byCertificate(), KAFKA_TLS_SERVERNAME: kafka.serverName }),
    ],
  ])(
    'commits a report with its ledger record, and reads the ledger: %s',
    async (row, { expect }) => {
      const [name, variables] = row
      const id = name.replaceAll(/\W/g, '-')
      const { data, ledger } = await newTopics(id)
      const lane = await openLane(settings(variables()), id, ledger.topic)
      await send(lane, data, name, ledger)
      const read: string[] = []
      await lane.readLedger({ partition: 0, from: 0n, through: 0n }, ({ value }) =>
        read.push(String(value)),
      )
      await lane.close()
      expect(read).toEqual([name])
      expect(await values(data.topic)).toEqual([name])
    },
  )
})

describe.concurrent("a connection that can't come about", () => {
  const without = (variables: Variables, ...left: string[]): Variables =>
    Object.fromEntries(Object.entries(variables).filter(([name]) => !left.includes(name)))
  const wrong = { KAFKA_SASL_PASSWORD: 'wrong' }

  it.for<[string, () => Variables, RegExp]>([
    [
      'a wrong password, by PLAIN',
      () => ({ ...byPassword('plain'), ...wrong }),
      /SASL PLAIN authentication failed: .*Invalid username or password/,
    ],
    [
      'a wrong password, by SCRAM-SHA-256',
      () => ({ ...byPassword('scram-sha-256'), ...wrong }),
      /SCRAM SHA256 authentication failed: .*invalid credentials/,
    ],
    [
      'a wrong password, by SCRAM-SHA-512',
      () => ({ ...byPassword('scram-sha-512'), ...wrong }),
      /SCRAM SHA512 authentication failed: .*invalid credentials/,
    ],
    [
      'no authority',
      () => without(byPassword('plain'), 'KAFKA_TLS_CA'),
      /self-signed certificate in certificate chain; KAFKA_TLS_CA or KAFKA_TLS_CA_FILE must hold/,
    ],
    [
      'no client certificate',
      () => without(byCertificate(), 'KAFKA_TLS_CERT', 'KAFKA_TLS_KEY'),
      /the broker wants a client certificate, or refuses this one: see KAFKA_TLS_CERT/,
    ],
    [
      'another name than the certificate has',
      () => ({ ...byCertificate(), KAFKA_TLS_SERVERNAME: 'other.test' }),
      /Host: other.test. is not in the cert's altnames: .*; see .* KAFKA_TLS_SERVERNAME/,
    ],
    [
      'no TLS where the broker speaks it',
      () => without(byPassword('plain'), 'KAFKA_TLS', 'KAFKA_TLS_CA'),
      /Closed connection; .* see KAFKA_TLS and KAFKA_SASL_MECHANISM/,
    ],
    [
      'no log-in where the broker wants one',
      () => ({
        KAFKA_BROKERS: kafka.passwordBrokers,
        KAFKA_TLS: 'true',
        KAFKA_TLS_CA: kafka.ca,
      }),
      /Closed connection; .* see KAFKA_TLS and KAFKA_SASL_MECHANISM/,
    ],
    [
      'TLS where the broker speaks none',
      () => ({ KAFKA_BROKERS: kafka.admin.brokers.join(), KAFKA_TLS: 'true' }),
      /does not seem to speak TLS at this port: see KAFKA_TLS/,
    ],
  ])(
    'says why, at the check of the topics and at the lane, and does not hang: %s',
    { timeout: 15_000 },
    async ([name, variables, message], { expect }) => {
      const to = settings(variables())
      const results = await Promise.allSettled([
        ensureOwnTopics(to, instanceNamed('refused'), 1),
        openLane(to, name, 'never-reached'),
      ])
      const errors = results.map((r) => (r.status === 'rejected' ? (r.reason as Error) : undefined))
      for (const error of errors) expect(error?.message).toMatch(message)
      expect(errors[1]).toMatchObject({ name: 'Doubt', step: 'init', fenced: false })
    },
  )
})

describe('compression', () => {
  const message = (value: Buffer | string | null, i = 0): LaneMessage => ({
    key: i % 2 ? Buffer.from(`k${i}`) : null,
    value: value === null ? null : Buffer.from(value),
    headers: { n: String(i) },
    timestamp: Date.now(),
  })
  const compressed = (name: string) => settings({ ...byPassword('plain'), KAFKA_COMPRESSION: name })

  it.for(COMPRESSIONS)(
    'stores report and ledger as %s, and both are read back as they were',
    async (name, { expect }) => {
      const { data, ledger } = await newTopics(`compressed-${name}`)
      const lane = await openLane(compressed(name), data.topic, ledger.topic)
      const bodies = [
        ...Array.from({ length: 100 }, (_, i) => Buffer.from(`${i}`.repeat(50))),
        randomBytes(1_000),
        Buffer.alloc(0),
        null,
      ]
      await lane.topology([data.topic])
      await lane.add([data, ledger])
      await lane.append([
        { ...data, messages: bodies.map(message) },
        { ...ledger, messages: [message('ledger')] },
      ])
      await lane.commit()
      const read: string[] = []
      await lane.readLedger({ partition: 0, from: 0n, through: 0n }, ({ value }) =>
        read.push(String(value)),
      )
      await lane.close()

      expect(read).toEqual(['ledger'])
      const records = await readTopic({ brokers: kafka.admin.brokers, topic: data.topic })
      expect(records.map(({ value }) => value)).toEqual(bodies)
      expect(records.map(({ key, headers }) => [key?.toString(), String(headers['n'])])).toEqual(
        bodies.map((_, i) => [i % 2 ? `k${i}` : undefined, String(i)]),
      )
      for (const { topic, partition } of [data, ledger]) {
        expect(await kafka.codecsOf(topic, partition)).toEqual(new Set([compressionCode(name)]))
      }
    },
  )

  it.for(['gzip', 'zstd'])(
    'leaves the size to the broker: with %s only what stays too large is refused, alone',
    async (name, { expect }) => {
      const { data, ledger } = await newTopics(`large-${name}`, { 'max.message.bytes': '2000' })
      const lane = await openLane(compressed(name), data.topic, ledger.topic)
      await lane.topology([data.topic])
      await lane.add([data])
      const bodies = ['a', 'x'.repeat(50_000), randomBytes(5_000), 'b']
      const [results = []] = await lane.append([{ ...data, messages: bodies.map(message) }])
      await lane.commit()
      await lane.close()
      expect(results.map((r) => (r.status === 'refused' ? r.reason : r.status))).toEqual([
        'stored',
        'stored',
        'record_too_large',
        'stored',
      ])
      expect((await values(data.topic)).map(({ length }) => length)).toEqual([1, 50_000, 1])
    },
  )

  it("of the broker's own making is read as well", async ({ expect }) => {
    const { data, ledger } = await newTopics('recompressed', { 'compression.type': 'zstd' })
    const lane = await openLane(compressed('gzip'), data.topic, ledger.topic)
    await send(lane, data, 'x'.repeat(1_000), ledger)
    const read: number[] = []
    await lane.readLedger({ partition: 0, from: 0n, through: 0n }, ({ value }) =>
      read.push(value?.length ?? 0),
    )
    await lane.close()
    expect(read).toEqual([1_000])
    expect(await kafka.codecsOf(ledger.topic, 0)).toEqual(new Set([compressionCode('zstd')]))
  })

  it('that a boot could not read is refused at the ledger', async ({ expect }) => {
    const instance = instanceNamed('lz4')
    await kafka.createTopics([ledgerTopic(instance)], { 'compression.type': 'lz4' })
    await expect(ensureOwnTopics(kafka.admin, instance, 1)).rejects.toThrow(
      /compression.type is lz4, it must be one of producer, uncompressed, gzip, zstd/,
    )
  })
})

describe('the rights that docs/operations.md lists', () => {
  const work = (user: string, instance: string) =>
    failingStep({ kafka: settings(byPassword('plain', user)), instance, topic: TARGET })

  it('are these', async ({ expect }) => {
    expect((await readRights()).map(({ name }) => name)).toEqual(names)
  })

  it('are enough for all that a relay does, making its topics included', async ({ expect }) => {
    expect(await work(ALL, instanceNamed('all'))).toBeUndefined()
  })

  it('are enough without Create, when somebody else has made the topics', async ({ expect }) => {
    const instance = instanceNamed('operated')
    await ensureOwnTopics(kafka.admin, instance, 1)
    expect(await work(OPERATED, instance)).toBeUndefined()
  })

  it.for(Object.entries(NEEDED_FOR))(
    'are all needed: without %s it fails at: %s',
    async ([name, step], { expect }) => {
      const failed = await work(userWithout(name), instanceWithout(name))
      expect(failed?.error.message).toMatch(/[Aa]uthori[sz]|group coordinator|: 29/)
      expect(failed?.step).toBe(step)
    },
  )

  it('block one target topic when it has none, and neither the others nor the ledger', async ({
    expect,
  }) => {
    const instance = instanceNamed('all')
    const ledger = { topic: ledgerTopic(instance), partition: 0 }
    const lane = await openLane(
      settings(byPassword('plain', ALL)),
      transactionalId(instance, 0),
      ledger.topic,
    )
    const topology = await lane.topology([TARGET, DENIED, 'acl-does-not-exist'])
    expect(topology.get(TARGET)?.status).toBe('ok')
    // A topic that does not exist is hidden from who might not see it.
    for (const topic of [DENIED, 'acl-does-not-exist']) {
      expect(topology.get(topic)).toEqual({ status: 'unavailable', code: 29 })
    }
    const partitions = [TARGET, DENIED].map((topic) => ({ topic, partition: 0 }))
    expect(await lane.add([...partitions, ledger])).toEqual([{ ...partitions[1], code: 29 }])
    const messages = [{ key: null, value: Buffer.from('beside a denied'), timestamp: Date.now() }]
    const results = await lane.append([
      { topic: TARGET, partition: 0, messages },
      { ...ledger, messages },
    ])
    await lane.commit()
    const [offset] = results.slice(1).flatMap(([r]) => (r?.status === 'stored' ? [r.offset] : []))
    const read: string[] = []
    await lane.readLedger({ partition: 0, from: 0n, through: offset ?? -1n }, ({ value }) =>
      read.push(String(value)),
    )
    await lane.close()
    expect(read.at(-1)).toBe('beside a denied')
    expect(await values(TARGET)).toContain('beside a denied')
    expect(await values(DENIED)).toEqual([])
  })
})
