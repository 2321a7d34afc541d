/**
 * The KAFKA_* settings: how to reach the brokers, prove who the relay is, and compress. Checks that keys and certificates are what they
 * claim to be and belong together, because the first TLS handshake would only say that something failed. Reads no file itself: whoever
 * calls passes the way to read one. Certificates are read once; a new one needs a new process.
 */
import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto'
import { isIP } from 'node:net'
import * as z from 'zod'
import { COMPRESSIONS, compressionCode } from './compression.ts'
import type { KafkaSettings } from './kafkajs.ts'

type Variables = Readonly<Record<string, string>>

/** Throws when the file can't be read. */
export type ReadFile = (path: string) => string

const Text = z.string().optional()

/** The part of the relay's environment that is about Kafka, variable by variable. */
export const KafkaEnvironment = {
  KAFKA_BROKERS: z
    .string()
    .transform((text) => text.split(',').map((broker) => broker.trim()))
    .refine(
      (brokers) => brokers.every((b) => /^[^:\s]+:\d+$/.test(b)),
      'must be host:port, separated by commas',
    )
    .describe('bootstrap servers'),
  KAFKA_TLS: z.stringbool().default(false).describe('speak TLS to the brokers'),
  KAFKA_TLS_CA: Text.describe('PEM of the certificate authority, when it is not a public one'),
  KAFKA_TLS_CA_FILE: Text.describe('a file that holds KAFKA_TLS_CA'),
  KAFKA_TLS_CERT: Text.describe('PEM of the client certificate, and of its chain'),
  KAFKA_TLS_CERT_FILE: Text.describe('a file that holds KAFKA_TLS_CERT'),
  KAFKA_TLS_KEY: Text.describe('PEM of the private key of KAFKA_TLS_CERT'),
  KAFKA_TLS_KEY_FILE: Text.describe('a file that holds KAFKA_TLS_KEY'),
  KAFKA_TLS_KEY_PASSPHRASE: Text.describe('opens KAFKA_TLS_KEY when it is encrypted'),
  KAFKA_TLS_SERVERNAME: z
    .string()
    // Node and RFC 6066 know names only; without this setting an address is checked as an address.
    .refine((name) => isIP(name) === 0, 'must be a host name, not an address')
    .optional()
    .describe("the name that the brokers' certificates must have, when it is not their host"),
  KAFKA_SASL_MECHANISM: z.enum(['plain', 'scram-sha-256', 'scram-sha-512']).optional(),
  KAFKA_SASL_USERNAME: Text,
  KAFKA_SASL_PASSWORD: Text,
  KAFKA_COMPRESSION: z
    .enum(COMPRESSIONS, `must be ${COMPRESSIONS.join(', ')}; snappy and lz4 are not offered`)
    .default('none')
    .describe('how record batches are compressed'),
}

export type KafkaConfig = Readonly<z.infer<z.ZodObject<typeof KafkaEnvironment>>>

export const KAFKA_SECRETS = [
  'KAFKA_SASL_PASSWORD',
  'KAFKA_TLS_KEY',
  'KAFKA_TLS_KEY_PASSPHRASE',
] as const

/** No secrets, but long, and nobody reads PEM in a log. */
export const KAFKA_LONG_TEXTS = ['KAFKA_TLS_CA', 'KAFKA_TLS_CERT'] as const

const SASL = ['KAFKA_SASL_MECHANISM', 'KAFKA_SASL_USERNAME', 'KAFKA_SASL_PASSWORD'] as const

/** A certificate or key, given as text or as a file. */
interface Pem {
  /** The variable that the operator has set, or may set, for messages. */
  source: string
  isSet: boolean
  /** Undefined also when its file can't be read. */
  text: string | undefined
}

/**
 * Puts the text of each KAFKA_TLS_*_FILE into the variable without _FILE, and lists what no schema of single variables can see. The
 * variables are the present ones only. The problems name the variable that somebody has to change.
 */
export function resolveKafka(
  variables: Variables,
  readFile: ReadFile,
): { variables: Variables; problems: string[] } {
  const problems: string[] = []
  const read = (name: string) => readPem(name, variables, readFile, problems)
  const ca = read('KAFKA_TLS_CA')
  const cert = read('KAFKA_TLS_CERT')
  const key = read('KAFKA_TLS_KEY')
  problems.push(
    ...tlsProblems(variables),
    ...pemProblems(ca, cert, key, variables['KAFKA_TLS_KEY_PASSPHRASE']),
    ...saslProblems(variables),
  )
  const texts = { KAFKA_TLS_CA: ca.text, KAFKA_TLS_CERT: cert.text, KAFKA_TLS_KEY: key.text }
  return { variables: { ...variables, ...present(texts) }, problems }
}

function readPem(name: string, variables: Variables, readFile: ReadFile, problems: string[]): Pem {
  const file = `${name}_FILE`
  const path = variables[file]
  if (path === undefined) {
    // One line with \n in it is how PEM fits into an env file; PEM itself has no backslash.
    const text = variables[name]?.replaceAll('\\n', '\n')
    return { source: name, isSet: text !== undefined, text }
  }
  if (variables[name] !== undefined) {
    problems.push(`${file}: ${name} is set as well; set one of the two`)
  }
  let text: string | undefined
  try {
    text = readFile(path)
  } catch (error) {
    problems.push(`${file}: can't be read: ${messageOf(error)}`)
  }
  return { source: file, isSet: true, text }
}

/** TLS details without TLS mean that somebody believes the connection to be safe. */
function tlsProblems(variables: Variables): string[] {
  const tls = KafkaEnvironment.KAFKA_TLS.safeParse(variables['KAFKA_TLS'])
  if (!tls.success || tls.data) return []
  const details = Object.keys(variables).filter((name) => name.startsWith('KAFKA_TLS_'))
  return details.length === 0
    ? []
    : [`KAFKA_TLS: is not on, but ${details.toSorted().join(', ')} only matter with it`]
}

function pemProblems(ca: Pem, cert: Pem, key: Pem, passphrase: string | undefined): string[] {
  const problems: string[] = []
  const attempt = <T>({ source, text }: Pem, parse: (text: string) => T): T | undefined => {
    if (text === undefined) return undefined
    try {
      return parse(text)
    } catch (error) {
      problems.push(`${source}: ${messageOf(error)}`)
      return undefined
    }
  }
  attempt(ca, parseCertificates)
  const [certificate] = attempt(cert, parseCertificates) ?? []
  const privateKey = attempt(key, (text) => parseKey(text, passphrase))
  if (certificate && privateKey && !certificate.checkPrivateKey(privateKey)) {
    problems.push(`${key.source}: is not the key of the first certificate in ${cert.source}`)
  }
  if (cert.isSet && !key.isSet) {
    problems.push(`${cert.source}: needs KAFKA_TLS_KEY or KAFKA_TLS_KEY_FILE beside it`)
  }
  if (key.isSet && !cert.isSet) {
    problems.push(`${key.source}: needs KAFKA_TLS_CERT or KAFKA_TLS_CERT_FILE beside it`)
  }
  if (passphrase !== undefined && !key.isSet) {
    problems.push('KAFKA_TLS_KEY_PASSPHRASE: there is no key that it could open')
  }
  return problems
}

const BEGIN = '-----BEGIN CERTIFICATE-----'

/** Every one is parsed: Node would silently pass over what it doesn't understand. */
function parseCertificates(pem: string): X509Certificate[] {
  const blocks = pem.split(new RegExp(`(?=${BEGIN})`)).filter((b) => b.startsWith(BEGIN))
  if (blocks.length === 0) throw new Error('holds no certificate in PEM form')
  return blocks.map((block, i) => {
    try {
      return new X509Certificate(block)
    } catch {
      throw new Error(`certificate ${i + 1} of ${blocks.length} in it is damaged`)
    }
  })
}

function parseKey(pem: string, passphrase: string | undefined): KeyObject {
  if (!/-----BEGIN (?:\w+ )*PRIVATE KEY-----/.test(pem)) {
    throw new Error('holds no private key in PEM form')
  }
  const isEncrypted = /ENCRYPTED/.test(pem)
  if (isEncrypted && passphrase === undefined) {
    throw new Error('is encrypted; set KAFKA_TLS_KEY_PASSPHRASE')
  }
  try {
    return createPrivateKey({
      key: pem,
      format: 'pem',
      ...(passphrase === undefined ? {} : { passphrase }),
    })
  } catch {
    // OpenSSL's own words depend on its version, and help nobody.
    throw new Error(
      isEncrypted
        ? "can't be opened: it is damaged, or KAFKA_TLS_KEY_PASSPHRASE is not its passphrase"
        : 'the private key in it is damaged',
    )
  }
}

function saslProblems(variables: Variables): string[] {
  const missing = SASL.filter((name) => !(name in variables))
  if (missing.length === 0 || missing.length === SASL.length) return []
  return missing.map((name) => `${name}: is missing; ${SASL.join(', ')} go together`)
}

/** What works and is seldom meant. To be logged, not refused: a tunnel or a test may have good reasons. */
export function kafkaWarnings(config: KafkaConfig): string[] {
  return config.KAFKA_SASL_MECHANISM === 'plain' && !config.KAFKA_TLS
    ? ['KAFKA_SASL_MECHANISM=plain without KAFKA_TLS sends the password in clear text']
    : []
}

/** The settings in the form that the relay's Kafka side takes. */
export function kafkaSettingsOf(
  config: KafkaConfig & { readonly RELAY_ID: string },
): KafkaSettings {
  const {
    KAFKA_SASL_MECHANISM: mechanism,
    KAFKA_SASL_USERNAME: username = '',
    KAFKA_SASL_PASSWORD: password = '',
  } = config
  return {
    brokers: config.KAFKA_BROKERS,
    clientId: `edgehub-${config.RELAY_ID}`,
    compression: compressionCode(config.KAFKA_COMPRESSION),
    ...(config.KAFKA_TLS ? { ssl: tlsOptions(config) } : {}),
    ...(mechanism === undefined
      ? {}
      : { sasl: { mechanism, username, password } as NonNullable<KafkaSettings['sasl']> }),
  }
}

function tlsOptions(config: KafkaConfig) {
  return present({
    // Instead of the public authorities, not beside them: a broker whose certificate anybody else has signed is not ours.
    ca: config.KAFKA_TLS_CA,
    cert: config.KAFKA_TLS_CERT,
    key: config.KAFKA_TLS_KEY,
    passphrase: config.KAFKA_TLS_KEY_PASSPHRASE,
    servername: config.KAFKA_TLS_SERVERNAME,
  })
}

/** Without what is not set: Node takes some options for given when they are undefined. */
function present(values: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(values).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  )
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
