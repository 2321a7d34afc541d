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

export type SettingsResult =
  | { status: 'ok'; settings: Settings }
  | { status: 'invalid'; problems: string[] }

/** Names the command to the brokers, where the relay has its RELAY_ID. */
const CLIENT = 'dead-letters'

const Origin = z
  .url({ protocol: /^https?$/ })
  // Asked also of what is no URL; that has its own message.
  .refine((url) => (URL.parse(url)?.pathname ?? '/') === '/', 'must be an origin, without a path')

const Reading = z.object({ INSTANCE_ID: InstanceId, ...KafkaEnvironment })

const Sending = z.object({
  EDGEHUB_URL: Origin,
  EDGEHUB_SECRET_ID: z.string(),
  EDGEHUB_SECRET_KEY: z.string(),
})

/** What this command needs of `<state>/dev.json`, which the local stack writes while it runs. */
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
): SettingsResult {
  // An empty variable is how a shell or a container file says "not set".
  const present = Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) => (value ? [[name, value]] : [])),
  )
  const { variables, problems } = resolveKafka(present, readFile)
  const reading = Reading.safeParse(variables)
  const sending = sends ? Sending.safeParse(variables) : undefined
  const issues = [...(reading.error?.issues ?? []), ...(sending?.error?.issues ?? [])]
  problems.unshift(...issues.map((i) => `${i.path.join('.')}: ${i.message}`))
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
): SettingsResult {
  let json: unknown
  try {
    json = JSON.parse(readFile(file))
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error)
    const problem = `${file} can't be read; it is there while the local stack runs: ${said}`
    return { status: 'invalid', problems: [problem] }
  }
  const parsed = DevJson.safeParse(json)
  if (!parsed.success) {
    const problems = parsed.error.issues.map((i) => `${file}: ${i.path.join('.')}: ${i.message}`)
    return { status: 'invalid', problems }
  }
  const { kafka, instanceId: instance, api: url, secretId, secretKey } = parsed.data
  return {
    status: 'ok',
    settings: {
      kafka: { brokers: kafka.split(','), clientId: `edgehub-${CLIENT}` },
      instance,
      ...(sends ? { worker: { url, secretId, secretKey } } : {}),
    },
  }
}
