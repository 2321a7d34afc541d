/** The command line of the local stack. Pure: says what is wrong, prints and ends nothing. */
import { parseArgs } from 'node:util'
import { isShardCount, SHARD_COUNTS, type ShardCount } from '#contract'

export interface Flags {
  port: number
  kafkaPort: number
  state: string
  relays: number
  shards: ShardCount
  brokers: 1 | 3
  /** Print dev.json once, on one line, and nothing else. */
  jsonOnly: boolean
  /** A process that dies stays dead. */
  noRestart: boolean
  /** The relays can be made to fail on purpose. */
  failpoints: boolean
}

export type FlagsResult =
  | { status: 'ok'; flags: Flags }
  | { status: 'help' }
  | { status: 'invalid'; problems: string[] }

export const USAGE = `npm run dev -- [flags]

  --port 8787         port of the API and of the local queue API
  --kafka-port 19092  port of the first broker; broker n uses 10 more each, its controller the port after
  --state .edgehub    folder of all data, keys and logs
  --relays 1          relay processes, 1 to 8; they share the shards out among themselves
  --shards 2          queues and ledger partitions in use: ${SHARD_COUNTS.join(', ')}
  --brokers 1         Kafka brokers: 1 or 3
  --json-only         print what <state>/dev.json says, once, and nothing else
  --no-restart        a process that dies stays dead
  --failpoints        the relays can be made to fail on purpose (docs/reliability.md)

KAFKA_BROKERS=host:port,… uses that cluster instead of starting one.
`

export function readFlags(argv: readonly string[]): FlagsResult {
  let values
  try {
    ;({ values } = parseArgs({
      args: [...argv],
      options: {
        port: { type: 'string', default: '8787' },
        'kafka-port': { type: 'string', default: '19092' },
        state: { type: 'string', default: '.edgehub' },
        relays: { type: 'string', default: '1' },
        shards: { type: 'string', default: '2' },
        brokers: { type: 'string', default: '1' },
        'json-only': { type: 'boolean', default: false },
        'no-restart': { type: 'boolean', default: false },
        failpoints: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }))
  } catch (error) {
    return { status: 'invalid', problems: [error instanceof Error ? error.message : String(error)] }
  }
  if (values.help) return { status: 'help' }

  const port = wholeNumber(values.port, 1, 65_535)
  const kafkaPort = wholeNumber(values['kafka-port'], 1, 65_000)
  const relays = wholeNumber(values.relays, 1, 8)
  const shards = wholeNumber(values.shards, 1, 8)
  const brokers = wholeNumber(values.brokers, 1, 3)
  const problems: string[] = []
  if (port === undefined) problems.push(`--port ${values.port}: a port from 1 to 65535 is needed`)
  if (kafkaPort === undefined) {
    problems.push(`--kafka-port ${values['kafka-port']}: a port from 1 to 65000 is needed`)
  }
  if (values.state === '') problems.push('--state: a folder is needed')
  if (relays === undefined) {
    problems.push(`--relays ${values.relays}: must be 1 to 8`)
  }
  if (shards === undefined || !isShardCount(shards)) {
    problems.push(`--shards ${values.shards}: must be ${SHARD_COUNTS.join(', ')}`)
  }
  if (brokers !== 1 && brokers !== 3) problems.push(`--brokers ${values.brokers}: must be 1 or 3`)
  if (
    problems.length > 0 ||
    port === undefined ||
    kafkaPort === undefined ||
    relays === undefined ||
    shards === undefined ||
    !isShardCount(shards) ||
    (brokers !== 1 && brokers !== 3)
  ) {
    return { status: 'invalid', problems }
  }
  return {
    status: 'ok',
    flags: {
      port,
      kafkaPort,
      state: values.state,
      relays,
      shards,
      brokers,
      jsonOnly: values['json-only'],
      noRestart: values['no-restart'],
      failpoints: values.failpoints,
    },
  }
}

function wholeNumber(text: string, min: number, max: number): number | undefined {
  const n = Number(text)
  return /^\d+$/.test(text) && n >= min && n <= max ? n : undefined
}
