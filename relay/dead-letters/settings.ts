/**
 * Where the command gets its cluster, its instance and, for a replay, its worker from: the environment, with the relay's own variables,
 * or the file that a local stack writes. All problems are listed at once. Reads neither `process` nor files itself.
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

/** How a replay reaches the worker. */
export interface WorkerAccess {
  /** Its origin. */
  url: string
  secretId: string
  secretKey: string
}

export interface Settings {
  kafka: KafkaSettings
  instance: InstanceId
  /** Missing unless asked for. */
  worker?: WorkerAccess
}

/** Names the command to the brokers, where the relay has its RELAY_ID. */
const CLIENT = 'dead-letters'

const Reading = z.object({ INSTANCE_ID: InstanceId, ...KafkaEnvironment })

const Sending = z.object({
  EDGEHUB_URL: Origin,
  EDGEHUB_SECRET_ID: z.string(),
  EDGEHUB_SECRET_KEY: z.string(),
})

const DevJson = z.object({
  kafka: z.string(),
  instanceId: InstanceId,
  api: Origin,
  secretId: z.string(),
  secretKey: z.string(),
})

/** @param sends whether the worker will be called */
export function settingsOfEnvironment(
  env: Readonly<Record<string, string | undefined>>,
  { sends, readFile }: { sends: boolean; readFile: ReadFile },
): SettingsResult<Settings> {
  const { variables, problems } = resolveKafka(presentOf(env), readFile)
  const reading = Reading.safeParse(variables)
  const sending = sends ? Sending.safeParse(variables) : undefined
  problems.unshift(...problemsOf(reading.error), ...problemsOf(sending?.error))
  if (!reading.success || problems.length > 0) return { status: 'invalid', problems }
  const settings = {
    kafka: kafkaSettingsOf({ ...reading.data, RELAY_ID: CLIENT }),
    instance: reading.data.INSTANCE_ID,
  }
  if (!sending?.data) return { status: 'ok', settings }
  const {
    EDGEHUB_URL: url,
    EDGEHUB_SECRET_ID: secretId,
    EDGEHUB_SECRET_KEY: secretKey,
  } = sending.data
  return { status: 'ok', settings: { ...settings, worker: { url, secretId, secretKey } } }
}

/** @param file `dev.json` of a state folder */
export function settingsOfStack(
  file: string,
  { sends, readFile }: { sends: boolean; readFile: ReadFile },
): SettingsResult<Settings> {
  const read = readStackFile(file, DevJson, readFile)
  if (read.status === 'invalid') return read
  const { kafka, instanceId: instance, api: url, secretId, secretKey } = read.settings
  return {
    status: 'ok',
    settings: {
      kafka: { brokers: kafka.split(','), clientId: `edgehub-${CLIENT}` },
      instance,
      ...(sends ? { worker: { url, secretId, secretKey } } : {}),
    },
  }
}
