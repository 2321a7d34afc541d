/**
 * Where the audit gets its cluster from, and what else it may ask: the environment, with the relay's own variables, or the file of a local
 * stack. Kafka is needed; the status store and the queues are asked when the settings say how. Reads neither `process` nor files itself.
 */
import * as z from 'zod'
import { InstanceId } from '#contract'
import type { KafkaSettings } from '../kafka/kafkajs.ts'
import {
  KafkaEnvironment,
  kafkaSettingsOf,
  resolveKafka,
  type ReadFile,
} from '../kafka/settings.ts'
import {
  Origin,
  presentOf,
  problemsOf,
  readStackFile,
  type SettingsResult,
} from '../operator/settings.ts'

export interface Settings {
  kafka: KafkaSettings
  instance: InstanceId
  /** How to ask the worker for outcomes. */
  worker?: { url: string; token: string }
  /** How to ask for backlogs: all queues, dead-letter queues among them. */
  queues?: { url: string; token: string; accountId: string; ids: string[] }
  /** How to read the log of the local queues: by the id of each shard's queue. */
  log?: { url: string; token: string; ids: string[] }
}

/** Names the command to the brokers, where the relay has its RELAY_ID. */
const CLIENT = 'audit'

const Reading = z.object({ INSTANCE_ID: InstanceId, ...KafkaEnvironment })

const Asking = z.object({ WORKER_URL: Origin, RELAY_TOKEN: z.string() })

const Ids = z.string().transform((text) => text.split(',').map((id) => id.trim()))
const Queues = z.object({
  ACCOUNT_ID: z.string(),
  QUEUE_API_TOKEN: z.string(),
  QUEUE_IDS: Ids,
  DEAD_LETTER_QUEUE_IDS: Ids,
})
const QueueApi = z.object({ QUEUE_API_URL: Origin.default('https://api.cloudflare.com') })

const DevJson = z.object({
  kafka: z.string(),
  instanceId: InstanceId,
  api: Origin,
  relayToken: z.string(),
  queueApi: Origin,
  queueToken: z.string(),
  queues: z.array(z.object({ id: z.string() })),
})

export function settingsOfEnvironment(
  env: Readonly<Record<string, string | undefined>>,
  readFile: ReadFile,
): SettingsResult<Settings> {
  const { variables, problems } = resolveKafka(presentOf(env), readFile)
  const reading = Reading.safeParse(variables)
  const asking = isAnySet(Asking, variables) ? Asking.safeParse(variables) : undefined
  const queues = isAnySet(Queues, variables) ? Queues.safeParse(variables) : undefined
  const api = QueueApi.safeParse(variables)
  const errors = [reading.error, asking?.error, queues?.error, api.error]
  problems.unshift(...errors.flatMap(problemsOf))
  if (!reading.success || !api.success || problems.length > 0) {
    return { status: 'invalid', problems }
  }
  return {
    status: 'ok',
    settings: {
      kafka: kafkaSettingsOf({ ...reading.data, RELAY_ID: CLIENT }),
      instance: reading.data.INSTANCE_ID,
      ...(asking?.data && {
        worker: { url: asking.data.WORKER_URL, token: asking.data.RELAY_TOKEN },
      }),
      ...(queues?.data && {
        queues: {
          url: api.data.QUEUE_API_URL,
          token: queues.data.QUEUE_API_TOKEN,
          accountId: queues.data.ACCOUNT_ID,
          ids: [...queues.data.QUEUE_IDS, ...queues.data.DEAD_LETTER_QUEUE_IDS],
        },
      }),
    },
  }
}

/** One of a group makes the others needed: half a setting is a mistake, not a wish. */
function isAnySet({ shape }: z.ZodObject, variables: Readonly<Record<string, string>>): boolean {
  return Object.keys(shape).some((name) => name in variables)
}

/** @param file `dev.json` of a state folder */
export function settingsOfStack(file: string, readFile: ReadFile): SettingsResult<Settings> {
  const read = readStackFile(file, DevJson, readFile)
  if (read.status === 'invalid') return read
  const { kafka, instanceId, api, relayToken, queueApi, queueToken, queues } = read.settings
  return {
    status: 'ok',
    settings: {
      kafka: { brokers: kafka.split(','), clientId: `edgehub-${CLIENT}` },
      instance: instanceId,
      worker: { url: api, token: relayToken },
      log: { url: queueApi, token: queueToken, ids: queues.map(({ id }) => id) },
    },
  }
}
