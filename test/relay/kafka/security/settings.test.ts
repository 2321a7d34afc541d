import { createPrivateKey } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, it } from 'vitest'
import * as z from 'zod'
import {
  KafkaEnvironment,
  kafkaSettingsOf,
  resolveKafka,
} from '../../../../relay/kafka/settings.ts'
import { createAuthority, type Signed } from './certificates.ts'

type Variables = Record<string, string>

let dir = ''
let ca = ''
let client: Signed
let other: Signed
let encrypted = ''

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'edgehub-test-settings-'))
  const authority = await createAuthority(dir, 'authority of the tests')
  ca = authority.cert
  client = await authority.sign('client')
  other = await authority.sign('other')
  encrypted = createPrivateKey(client.key).export({
    type: 'pkcs8',
    format: 'pem',
    cipher: 'aes-256-cbc',
    passphrase: 'open',
  }) as string
})
afterAll(() => rm(dir, { recursive: true, force: true }))

const base = { KAFKA_BROKERS: 'a:9092,b:9092' }

function settings(variables: Variables, files: Variables = {}) {
  const read = resolveKafka({ ...base, ...variables }, (path) => files[path] ?? '')
  if (read.problems.length > 0) throw new Error(read.problems.join('\n'))
  const config = z.object(KafkaEnvironment).parse(read.variables)
  return kafkaSettingsOf({ ...config, RELAY_ID: 'r1' })
}

const problems = (variables: Variables, files: Variables = {}) =>
  resolveKafka({ ...base, ...variables }, (path) => {
    const text = files[path]
    if (text === undefined) throw new Error('ENOENT')
    return text
  }).problems

const damaged = (pem: string) => pem.replace(/\n[^-\n]{20}/, '\nAAAAAAAAAAAAAAAAAAAA')

describe('the Kafka settings', () => {
  it('are brokers and a name when nothing else is set', ({ expect }) => {
    expect(settings({})).toEqual({
      brokers: ['a:9092', 'b:9092'],
      clientId: 'edgehub-r1',
      compression: 0,
    })
  })

  it('carry the log-in, TLS without an authority of its own, and the compression', ({ expect }) => {
    expect(
      settings({
        KAFKA_TLS: 'true',
        KAFKA_SASL_MECHANISM: 'scram-sha-512',
        KAFKA_SASL_USERNAME: 'relay',
        KAFKA_SASL_PASSWORD: 'secret',
        KAFKA_COMPRESSION: 'zstd',
      }),
    ).toMatchObject({
      ssl: {},
      sasl: { mechanism: 'scram-sha-512', username: 'relay', password: 'secret' },
      compression: 4,
    })
  })

  it('take certificates and keys as text, as text in one line, and as files, with one result', ({
    expect,
  }) => {
    const text = {
      KAFKA_TLS: 'true',
      KAFKA_TLS_CA: ca,
      KAFKA_TLS_CERT: client.cert + ca,
      KAFKA_TLS_KEY: encrypted,
      KAFKA_TLS_KEY_PASSPHRASE: 'open',
      KAFKA_TLS_SERVERNAME: 'kafka.test',
    }
    const oneLine = Object.fromEntries(
      Object.entries(text).map(([name, value]) => [name, value.replaceAll('\n', '\\n')]),
    )
    const { KAFKA_TLS_CA: caText, KAFKA_TLS_CERT: certText, KAFKA_TLS_KEY: keyText, ...rest } = text
    const files = settings(
      {
        ...rest,
        KAFKA_TLS_CA_FILE: '/ca',
        KAFKA_TLS_CERT_FILE: '/cert',
        KAFKA_TLS_KEY_FILE: '/key',
      },
      { '/ca': caText, '/cert': certText, '/key': keyText },
    )
    expect(files.ssl).toEqual({
      ca,
      cert: client.cert + ca,
      key: encrypted,
      passphrase: 'open',
      servername: 'kafka.test',
    })
    expect(settings(text)).toEqual(files)
    expect(settings(oneLine)).toEqual(files)
  })

  it.for<[string, () => Variables, string[]]>([
    [
      'a certificate without its key',
      () => ({ KAFKA_TLS_CERT: client.cert }),
      ['KAFKA_TLS_CERT: needs KAFKA_TLS_KEY or KAFKA_TLS_KEY_FILE beside it'],
    ],
    [
      'a key without its certificate',
      () => ({ KAFKA_TLS_KEY: client.key }),
      ['KAFKA_TLS_KEY: needs KAFKA_TLS_CERT or KAFKA_TLS_CERT_FILE beside it'],
    ],
    [
      'a key of another certificate',
      () => ({ KAFKA_TLS_CERT: client.cert, KAFKA_TLS_KEY: other.key }),
      ['KAFKA_TLS_KEY: is not the key of the first certificate in KAFKA_TLS_CERT'],
    ],
    [
      'what is no PEM',
      () => ({ KAFKA_TLS_CA: 'ca', KAFKA_TLS_CERT: client.key, KAFKA_TLS_KEY: client.cert }),
      [
        'KAFKA_TLS_CA: holds no certificate in PEM form',
        'KAFKA_TLS_CERT: holds no certificate in PEM form',
        'KAFKA_TLS_KEY: holds no private key in PEM form',
      ],
    ],
    [
      'damaged PEM, also of a later certificate',
      () => ({
        KAFKA_TLS_CA: ca + damaged(ca),
        KAFKA_TLS_CERT: client.cert,
        KAFKA_TLS_KEY: damaged(client.key),
      }),
      [
        'KAFKA_TLS_CA: certificate 2 of 2 in it is damaged',
        'KAFKA_TLS_KEY: the private key in it is damaged',
      ],
    ],
    [
      'an encrypted key without a passphrase',
      () => ({ KAFKA_TLS_CERT: client.cert, KAFKA_TLS_KEY: encrypted }),
      ['KAFKA_TLS_KEY: is encrypted; set KAFKA_TLS_KEY_PASSPHRASE'],
    ],
    [
      'an encrypted key with a wrong one',
      () => ({
        KAFKA_TLS_CERT: client.cert,
        KAFKA_TLS_KEY: encrypted,
        KAFKA_TLS_KEY_PASSPHRASE: 'shut',
      }),
      [
        "KAFKA_TLS_KEY: can't be opened: it is damaged, or KAFKA_TLS_KEY_PASSPHRASE is not its passphrase",
      ],
    ],
    [
      'a passphrase of no key',
      () => ({ KAFKA_TLS_KEY_PASSPHRASE: 'open' }),
      ['KAFKA_TLS_KEY_PASSPHRASE: there is no key that it could open'],
    ],
    [
      'a file that is not there, and one beside its text',
      () => ({
        KAFKA_TLS_CERT_FILE: '/none',
        KAFKA_TLS_KEY: client.key,
        KAFKA_TLS_CA: ca,
        KAFKA_TLS_CA_FILE: '/ca',
      }),
      [
        'KAFKA_TLS_CA_FILE: KAFKA_TLS_CA is set as well; set one of the two',
        "KAFKA_TLS_CERT_FILE: can't be read: ENOENT",
      ],
    ],
    [
      'details of TLS without TLS',
      () => ({ KAFKA_TLS: 'false', KAFKA_TLS_SERVERNAME: 'kafka.test', KAFKA_TLS_CA_FILE: '/ca' }),
      ['KAFKA_TLS: is not on, but KAFKA_TLS_CA_FILE, KAFKA_TLS_SERVERNAME only matter with it'],
    ],
    [
      'half of a log-in',
      () => ({ KAFKA_SASL_MECHANISM: 'plain', KAFKA_SASL_PASSWORD: 'secret' }),
      [
        'KAFKA_SASL_USERNAME: is missing; KAFKA_SASL_MECHANISM, KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD go together',
      ],
    ],
  ])('refuse %s', ([, variables, expected], { expect }) => {
    expect(problems({ KAFKA_TLS: 'true', ...variables() }, { '/ca': ca })).toEqual(expected)
  })

  it.for<[Variables, RegExp]>([
    [{ KAFKA_COMPRESSION: 'lz4' }, /must be none, gzip, zstd; snappy and lz4 are not offered/],
    [{ KAFKA_TLS_SERVERNAME: '10.0.0.1' }, /must be a host name, not an address/],
    [{ KAFKA_SASL_MECHANISM: 'oauthbearer' }, /plain/],
    [{ KAFKA_BROKERS: 'kafka' }, /must be host:port/],
  ])('refuse %o', ([variables, message], { expect }) => {
    const read = z.object(KafkaEnvironment).safeParse({ ...base, ...variables })
    expect(read.error?.issues.map((issue) => issue.message).join()).toMatch(message)
  })
})
