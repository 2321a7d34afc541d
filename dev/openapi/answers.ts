/**
 * The forms of the answers, for the description. The worker makes its answers without them; the tests hold real answers against them, and
 * so they are strict: a member that is not described fails a test. The description itself leaves them open, so that members may be added.
 */
import * as z from 'zod/mini'
import {
  AbsentReason,
  DatahubId,
  FailureReason,
  InstanceId,
  StoredRecord,
  TargetProblem,
  TopicDetail,
  TopicName,
} from '#contract'
import { SCOPES } from '../../worker/registry/directory.ts'
import { SchemaId } from '../../worker/registry/forms.ts'
import { SchemaField } from '../../worker/schema/form.ts'
import { PROBLEM_TYPES } from './problems.ts'

const Time = z.int().check(z.minimum(0))
const Count = z.int().check(z.minimum(0))
const Offset = z.string().check(z.regex(/^\d{1,19}$/))
const SecretId = z.string().check(z.regex(/^AKID[A-Za-z0-9]{20}[0-9a-f]{12}$/))
const Cursor = z.optional(z.string())

const managed = { created: Time, changed: Time, revision: z.int().check(z.minimum(1)) }

export const Datahub = z.strictObject({
  datahubId: DatahubId,
  taskId: z.string().check(z.regex(/^task-[a-z0-9]{8}$/)),
  name: z.string(),
  description: z.string(),
  topic: TopicName,
  instanceId: InstanceId,
  status: z.literal([-1, 0, 1, 2, 5, 6, 8]),
  state: z.enum(['failed', 'creating', 'running', 'deleting', 'pausing', 'paused', 'resuming']),
  problem: z.optional(TargetProblem),
  partitions: z.optional(Count),
  maxMessageBytes: z.optional(Count),
  nextTopic: z.optional(TopicName),
  nextProblem: z.optional(TargetProblem),
  createTopic: z.optional(z.strictObject({ partitions: z.optional(Count) })),
  schemaId: z.optional(SchemaId),
  qpsLimit: Count,
  ...managed,
})
export const Datahubs = z.strictObject({ datahubs: z.array(Datahub), cursor: Cursor })

const credential = {
  secretId: SecretId,
  name: z.string(),
  scopes: z.array(z.enum(SCOPES)),
  datahubs: z.union([z.literal('all'), z.array(DatahubId)]),
  disabled: z.boolean(),
  expires: z.optional(Time),
  temporary: z.boolean(),
  olderSecrets: z.array(Time),
  ...managed,
}
export const Credential = z.strictObject(credential)
export const Credentials = z.strictObject({ credentials: z.array(Credential), cursor: Cursor })
export const CredentialWithSecrets = z.strictObject({
  secretKey: z.string(),
  sessionToken: z.optional(z.string()),
  ...credential,
})
export const Resealed = z.strictObject({ resealed: Count, total: Count })

export const Schema = z.strictObject({
  schemaId: SchemaId,
  name: z.string(),
  fields: z.array(SchemaField),
  datahubs: z.array(DatahubId),
  ...managed,
})
export const Schemas = z.strictObject({ schemas: z.array(Schema), cursor: Cursor })

export const AuditLog = z.strictObject({
  entries: z.array(
    z.strictObject({
      id: z.int().check(z.minimum(1)),
      at: Time,
      by: z.string(),
      action: z.string(),
      target: z.string(),
      detail: z.record(z.string(), z.unknown()),
    }),
  ),
  cursor: Cursor,
})

const head = { receipt: z.string().check(z.regex(/^[A-Za-z0-9_-]{43}$/)), count: Count }
const Outcome = z.union([
  z.strictObject({
    status: z.literal('delivered'),
    messageId: z.string(),
    partition: Count,
    offset: Offset,
  }),
  z.strictObject({ status: z.literal('failed'), reason: FailureReason }),
])
export const Queued = z.strictObject({ ...head, status: z.literal('queued') })
export const Settled = z.strictObject({
  ...head,
  status: z.enum(['delivered', 'partial', 'failed']),
  messages: z.array(Outcome),
})
export const Receipt = z.union([
  z.strictObject({ ...head, status: z.enum(['queued', 'expired']) }),
  Settled,
])
export const Receipts = z.strictObject({ receipts: z.array(Receipt) })

const Message = z.strictObject({
  topic: TopicName,
  ...z.omit(StoredRecord, { bytes: true, timestamp: true }).shape,
  timestamp: z.nullable(Time),
})
export const Messages = z.union([
  z.strictObject({ message: Message }),
  z.strictObject({ messages: z.array(Message), cursor: Cursor }),
])

/** REST calls a topic's name `topic`. */
const Listed = z.strictObject({ topic: TopicName, partitions: Count, replicas: Count })
export const Topics = z.strictObject({ topics: z.array(Listed), cursor: Cursor })
export const Topic = z.strictObject({
  ...Listed.shape,
  ...z.omit(TopicDetail, { name: true }).shape,
})

/** Its other members belong to the action. */
export const TencentAnswer = z.strictObject({
  Response: z.looseObject({
    RequestId: z.string(),
    Error: z.optional(z.strictObject({ Code: z.string(), Message: z.string() })),
  }),
})

export const Live = z.strictObject({ status: z.literal('ok') })

/** RFC 9457. */
export const Problem = z.strictObject({
  type: z.enum(PROBLEM_TYPES),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  path: z.optional(z.string()),
  field: z.optional(z.string()),
  reason: z.optional(z.union([AbsentReason, z.enum(['queued', 'failed', 'receipt_expired'])])),
  start: z.optional(Offset),
  end: z.optional(Offset),
  requestId: z.string(),
})
