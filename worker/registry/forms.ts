/**
 * What the control plane takes: the forms of its inputs, which validate the requests and from which the OpenAPI description is made. Names
 * are those of REST.
 */
import * as z from 'zod/mini'
import { DatahubId, InstanceId, isReservedTopic, TopicName } from '#contract'
import { MAX_SCHEMA_FIELDS, SchemaField } from '../schema/form.ts'
import { SCOPES } from './directory.ts'

/** As Tencent documents for an access point. */
export const DEFAULT_QPS_LIMIT = 2_000
const MAX_QPS_LIMIT = 100_000

/** Kafka's own bound is far higher; Tencent documents this one for a topic. */
const MAX_CREATED_PARTITIONS = 3_000

/** What the registry gives back as it was given: half a surrogate pair, which JSON can escape, would come back as something else. */
const wellFormed = z.refine<string>((text) => text.isWellFormed(), 'the text has a lone surrogate')

function whole(min: number, max: number) {
  const problem = `${min} to ${max} is allowed`
  return z.int().check(z.minimum(min, problem), z.maximum(max, problem))
}

function text(maxChars: number) {
  const problem = `at most ${maxChars} characters are allowed`
  return z.string().check(z.maxLength(maxChars, problem), wellFormed)
}

const Name = z
  .string()
  .check(
    z.regex(
      /^[A-Za-z][A-Za-z0-9._-]{0,63}$/,
      'it starts with a letter and has at most 64 letters, digits, "-", "." and "_"',
    ),
  )
const Description = text(512)
const QpsLimit = whole(1, MAX_QPS_LIMIT)
const Topic = TopicName.check(
  z.refine((t) => !isReservedTopic(t), 'topics edgehub-* and __* are reserved'),
)
export const SchemaId = z
  .string()
  .check(z.regex(/^schema-[a-z0-9]{8}$/, '"schema-" and 8 small letters or digits are expected'))
export type SchemaId = z.infer<typeof SchemaId>

/** Has the relay create the topic when it is not there: with this many partitions, or with as many as the brokers give by default. */
const CreateTopic = z.strictObject({
  partitions: z.optional(whole(1, MAX_CREATED_PARTITIONS)),
})
export type CreateTopic = z.infer<typeof CreateTopic>

export const NewTask = z.strictObject({
  /** Tencent's TaskName. */
  name: Name,
  topic: Topic,
  instance: z.optional(InstanceId),
  description: z._default(Description, ''),
  schemaId: z.optional(SchemaId),
  qpsLimit: z._default(QpsLimit, DEFAULT_QPS_LIMIT),
  createTopic: z.optional(CreateTopic),
})
export type NewTask = z.infer<typeof NewTask>

/** What is left out stays. */
export const TaskChanges = z.strictObject({
  name: z.optional(Name),
  description: z.optional(Description),
  /** The new target: reports go there once a relay has found it fit, and to the old one until then. */
  topic: z.optional(Topic),
  createTopic: z.optional(CreateTopic),
  /** null unbinds. */
  schemaId: z.optional(z.nullable(SchemaId)),
  qpsLimit: z.optional(QpsLimit),
})
export type TaskChanges = z.infer<typeof TaskChanges>

const CredentialName = text(64)
const Scopes = z.array(z.enum(SCOPES)).check(z.minLength(1, 'at least one scope is expected'))
const DATAHUBS = '"all" or 1 to 1000 ids of datahubs are expected'
const Datahubs = z.union(
  [
    z.literal('all'),
    z.array(DatahubId).check(z.minLength(1, DATAHUBS), z.maxLength(1_000, DATAHUBS)),
  ],
  DATAHUBS,
)
/** Unix ms, in the future when it is set. */
const Expires = z.int().check(z.minimum(0, 'Unix ms are expected'))

export const NewCredential = z.strictObject({
  name: z._default(CredentialName, ''),
  scopes: z._default(Scopes, ['send']),
  datahubs: z._default(Datahubs, 'all'),
  /** From then on it is as if it did not exist. */
  expires: z.optional(Expires),
  /** Makes a temporary credential: a session token is drawn as well, and every call must send it. Needs `expires`. */
  sessionToken: z._default(z.boolean(), false),
})
export type NewCredential = z.infer<typeof NewCredential>

export const CredentialChanges = z.strictObject({
  name: z.optional(CredentialName),
  scopes: z.optional(Scopes),
  datahubs: z.optional(Datahubs),
  /** null: it does not expire. */
  expires: z.optional(z.nullable(Expires)),
  disabled: z.optional(z.boolean()),
})
export type CredentialChanges = z.infer<typeof CredentialChanges>

/** Longest time that two secrets are live, s. */
const MAX_KEPT_SECONDS = 30 * 86_400

export const Rotation = z.strictObject({
  /** How long the secret of before is good as well; 0: not at all. */
  keepSeconds: z._default(whole(0, MAX_KEPT_SECONDS), 86_400),
})
export type Rotation = z.infer<typeof Rotation>

const SchemaName = z
  .string()
  .check(z.regex(/^[A-Za-z0-9._-]{1,64}$/, 'it has 1 to 64 letters, digits, "-", "." and "_"'))
const FIELDS = `1 to ${MAX_SCHEMA_FIELDS} fields are expected`
const Fields = z
  .array(SchemaField)
  .check(z.minLength(1, FIELDS), z.maxLength(MAX_SCHEMA_FIELDS, FIELDS))

/** Names of fields differ, and a default fits its type: `worker/schema/` checks that. */
export const NewSchema = z.strictObject({ name: SchemaName, fields: Fields })
export type NewSchema = z.infer<typeof NewSchema>

export const SchemaChanges = z.strictObject({
  name: z.optional(SchemaName),
  fields: z.optional(Fields),
})
export type SchemaChanges = z.infer<typeof SchemaChanges>
