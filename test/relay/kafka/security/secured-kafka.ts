// One broker that asks who is there: by password or client certificate, over TLS with an authority of its
// own, with ACLs. Its plain listener is for the tests themselves, and may do everything.
import { open, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startKafka } from '../../../../dev/kafka/cluster.ts'
import { createAdmin, type KafkaSettings } from '../../../../relay/kafka/kafkajs.ts'
import { createAuthority, type Signed } from './certificates.ts'

// A super user, by password and by client certificate (CN=chief).
export const CHIEF = 'chief'
export const PASSWORD = 'password-of-the-tests'

export interface SecuredKafka {
  // As a super user, without TLS.
  readonly admin: KafkaSettings
  // 'host:port', where a password or a client certificate is asked for.
  readonly passwordBrokers: string
  readonly certificateBrokers: string
  // PEM of the authority that signed all certificates.
  readonly ca: string
  // Of the chief.
  readonly client: Signed
  // The server's certificate has this name, and the address 127.0.0.1.
  readonly serverName: string
  createTopics(topics: readonly string[], config?: Readonly<Record<string, string>>): Promise<void>
  // Compression codes of the batches of data in a partition's log file.
  codecsOf(topic: string, partition: number): Promise<Set<number>>
  stop(): Promise<void>
}

const SERVER_NAME = 'kafka.test'

// `users` are those that only have what ACLs give them; all have the one password.
export async function startSecuredKafka(users: readonly string[]): Promise<SecuredKafka> {
  const dir = await mkdtemp(join(tmpdir(), 'edgehub-test-secured-'))
  const authority = await createAuthority(join(dir, 'certificates'), 'authority of the tests')
  const [server, client] = await Promise.all([
    authority.sign('broker', `DNS:${SERVER_NAME},IP:127.0.0.1`),
    authority.sign(CHIEF),
  ])
  const keystore = join(dir, 'certificates', 'broker.pem')
  await writeFile(keystore, `${server.key}${server.cert}${authority.cert}`)
  const cluster = await startKafka({
    dir: join(dir, 'kafka'),
    brokers: 1,
    security: {
      keystore,
      clientCa: authority.certFile,
      users: Object.fromEntries([CHIEF, ...users].map((user) => [user, PASSWORD])),
      superUsers: [`User:${CHIEF}`, `User:CN=${CHIEF}`],
    },
  })
  const admin = { brokers: [...cluster.brokers], clientId: 'security-test' }
  return {
    admin,
    passwordBrokers: cluster.passwordBrokers.join(','),
    certificateBrokers: cluster.certificateBrokers.join(','),
    ca: authority.cert,
    client,
    serverName: SERVER_NAME,
    createTopics: (topics, config) => createTopics(admin, topics, config),
    codecsOf: (topic, partition) =>
      readCodecs(join(dir, 'kafka', 'node-1', 'data', `${topic}-${partition}`)),
    async stop() {
      await cluster.kill()
      await rm(dir, { recursive: true, force: true })
    },
  }
}

async function createTopics(
  settings: KafkaSettings,
  topics: readonly string[],
  config: Readonly<Record<string, string>> = {},
): Promise<void> {
  const admin = createAdmin(settings)
  await admin.connect()
  try {
    await admin.createTopics({
      waitForLeaders: true,
      topics: topics.map((topic) => ({
        topic,
        numPartitions: 1,
        replicationFactor: 1,
        configEntries: Object.entries(config).map(([name, value]) => ({ name, value })),
      })),
    })
  } finally {
    await admin.disconnect()
  }
}

// https://kafka.apache.org/documentation/#recordbatch
const LENGTH_AT = 8
const ATTRIBUTES_AT = 21
const HEADER_BYTES = 12
const CODEC_MASK = 0x07
const CONTROL_FLAG = 0x20

async function readCodecs(dir: string): Promise<Set<number>> {
  const file = await open(join(dir, '00000000000000000000.log'))
  try {
    const log = await file.readFile()
    const codecs = new Set<number>()
    for (let at = 0; at + ATTRIBUTES_AT < log.length;) {
      const attributes = log.readInt16BE(at + ATTRIBUTES_AT)
      if (!(attributes & CONTROL_FLAG)) codecs.add(attributes & CODEC_MASK)
      at += HEADER_BYTES + log.readInt32BE(at + LENGTH_AT)
    }
    return codecs
  } finally {
    await file.close()
  }
}
