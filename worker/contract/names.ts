/** Names that are built from other names, each in one place. */
import * as z from 'zod/mini'

export const DatahubId = z
  .string()
  .check(z.regex(/^datahub-[a-z0-9]{8}$/, '"datahub-" and 8 small letters or digits are expected'))
export type DatahubId = z.infer<typeof DatahubId>

export const InstanceId = z
  .string()
  .check(z.regex(/^ckafka-[a-z0-9]{8}$/, '"ckafka-" and 8 small letters or digits are expected'))
export type InstanceId = z.infer<typeof InstanceId>

/** Kafka's rule for topic names (org.apache.kafka.common.internals.Topic). */
export const TopicName = z
  .string()
  .check(
    z.regex(
      /^(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}$/,
      'a topic has 1 to 249 letters, digits, ".", "_" and "-"',
    ),
  )
export type TopicName = z.infer<typeof TopicName>

/** Topics that are Edgehub's own or Kafka's own; no task may write to them. */
export function isReservedTopic(topic: string): boolean {
  return topic.startsWith('edgehub-') || topic.startsWith('__')
}

export const ledgerTopic = (instance: InstanceId): string => `edgehub-${instance}-ledger`
export const deadLetterTopic = (instance: InstanceId): string => `edgehub-${instance}-dead-letters`
export const transactionalId = (instance: InstanceId, shard: number): string =>
  `edgehub.${instance}.${shard}`

/** Record header that names a report: its envelope's id, a dot, its index. */
export const ID_HEADER = 'edgehub-id'
export const reportId = (id: string, index: number): string => `${id}.${index}`
