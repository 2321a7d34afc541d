/**
 * Fields of Tencent's that can say one thing only here, as tables: from one table come what a request may hold, the refusal of another
 * value, and what an answer says. A field that would have to be passed over is refused, because the client relies on it.
 */
import * as z from 'zod/mini'
import type { Rejection } from '../../rejection.ts'

interface FixedField<V> {
  type: z.ZodMiniType
  /** What is the case here; null: nothing of the kind. */
  holds: V
}

export type FixedFields = Readonly<Record<string, FixedField<unknown>>>

const fixed = <T extends z.ZodMiniType, V>(type: T, holds: V) => ({ type, holds })
const list = (): string[] => []

/** Of KafkaParam: what is for tasks that read from Kafka, or write to several topics. */
export const KAFKA_PARAM = {
  OffsetType: fixed(z.string(), null),
  StartTime: fixed(z.int(), null),
  EnableToleration: fixed(z.boolean(), false),
  TableMappings: fixed(z.array(z.looseObject({})), null),
  UseTableMapping: fixed(z.boolean(), false),
  CompressionType: fixed(z.string(), 'none'),
  MsgMultiple: fixed(z.int(), 1),
  ConnectorSyncType: fixed(z.string(), ''),
  KeepPartition: fixed(z.boolean(), false),
  TopicRegularExpression: fixed(z.string(), ''),
  Prefix: fixed(z.string(), ''),
  Separator: fixed(z.string(), ''),
  TopicList: fixed(z.array(z.string()), list()),
}

export const TOPIC_PARAM = {
  OffsetType: fixed(z.string(), null),
  StartTime: fixed(z.int(), null),
  CompressionType: fixed(z.string(), 'none'),
  MsgMultiple: fixed(z.int(), 1),
}

/** Parameters that there are not. */
export const ABSENT = fixed(z.looseObject({}), null)

/** A resource's parameters for the types that there are not. */
export const OTHER_PARAMS = {
  EventBusParam: ABSENT,
  MongoDBParam: ABSENT,
  EsParam: ABSENT,
  TdwParam: ABSENT,
  DtsParam: ABSENT,
  ClickHouseParam: ABSENT,
  ClsParam: ABSENT,
  CosParam: ABSENT,
  MySQLParam: ABSENT,
  PostgreSQLParam: ABSENT,
  MariaDBParam: ABSENT,
  SQLServerParam: ABSENT,
  CtsdbParam: ABSENT,
  ScfParam: ABSENT,
  MqttParam: ABSENT,
  IcebergParam: ABSENT,
}

/** Of CreateDatahubTask. Its TaskId is only listed by Tencent, not described; here ids are drawn. */
export const NEW_TASK = {
  TransformParam: ABSENT,
  TransformsParam: ABSENT,
  PrivateLinkParam: ABSENT,
  TaskId: fixed(z.string(), ''),
  Tags: fixed(z.array(z.looseObject({})), list()),
}

/** Of a task. A request spells the first one TasksMax. SyncThrottleLimit is Tencent's default, a reference value; QpsLimit is what limits. */
export const TASK = {
  TaskMax: fixed(z.int(), 1),
  SyncThrottleLimit: fixed(z.int(), 20),
  AutoExpandFlag: fixed(z.boolean(), true),
}

/** The members of a strict object. */
export function formOf<T extends FixedFields>(
  fields: T,
): { [K in keyof T]: z.ZodMiniOptional<T[K]['type']> } {
  const form = Object.entries(fields).map(([name, { type }]) => [name, z.optional(type)])
  return Object.fromEntries(form) as { [K in keyof T]: z.ZodMiniOptional<T[K]['type']> }
}

/** As an answer says it. */
export function valuesOf<T extends FixedFields>(fields: T): { [K in keyof T]: T[K]['holds'] } {
  const values = Object.entries(fields).map(([name, { holds }]) => [name, holds])
  return Object.fromEntries(values) as { [K in keyof T]: T[K]['holds'] }
}

/** The first one that says something else. An empty text or list says nothing, like a field that is not there. */
export function unsupportedOf(
  fields: FixedFields,
  given: Readonly<Record<string, unknown>>,
  parent = '',
): Rejection | undefined {
  for (const [name, { holds }] of Object.entries(fields)) {
    const value = given[name]
    const saysNothing =
      value === undefined || value === '' || (Array.isArray(value) && value.length === 0)
    if (saysNothing || value === holds) continue
    const path = `${parent}${name}`
    const isPlain = typeof holds === 'number' || typeof holds === 'boolean' || holds === 'none'
    const supported = isPlain ? `use ${String(holds)}, or leave it out` : 'leave it out'
    const what = typeof value === 'object' ? 'it' : `${value as string | number | boolean}`
    return { reason: 'not_supported', path, what, supported }
  }
  return undefined
}
