/** How a route is described; `document.ts` makes OpenAPI of it. Names of schemas are those of `schemas.ts`. */
import type { Reason } from './problems.ts'
import type { SchemaName } from './schemas.ts'

export const TAGS = {
  TencentCloud: 'The API of TencentCloud CKafka, version 2019-08-19, for its SDKs.',
  Reports: 'Sending, and what became of it.',
  Messages: 'Reading topics and messages back.',
  Datahubs: 'Tasks and their access points.',
  Credentials: 'Who may call.',
  Schemas: 'What reports must look like.',
  Operation: 'Running a deployment.',
  internal: 'For relays only. Not an interface for others; it changes with them.',
} as const

/** One of them is enough. `manage` and `query` are scopes that a credential by Basic needs. */
export type Caller =
  | 'anyone'
  | 'signed'
  | 'send'
  | 'adminOrQuery'
  | 'adminOrManage'
  | 'admin'
  | 'relay'

export interface Parameter {
  name: string
  in: 'query' | 'header'
  description: string
  required?: true
  schema: Readonly<Record<string, unknown>>
}

export interface Answer {
  description: string
  /** Without it: bytes, or nothing. */
  schema?: SchemaName
  headers?: readonly AnswerHeader[]
}

export type AnswerHeader =
  | 'ETag'
  | 'Location'
  | 'Link'
  | 'Preference-Applied'
  | 'Idempotent-Replayed'

export interface Operation {
  id: string
  tag: keyof typeof TAGS
  caller: Caller
  summary: string
  description?: string
  parameters?: readonly Parameter[]
  body?: {
    schema: SchemaName
    example: unknown
    /** May be left out. */
    optional?: true
    /** Also taken as `application/merge-patch+json`. */
    patch?: true
  }
  answers: Readonly<Record<number, Answer>>
  /** Besides those of every route and of its callers. */
  problems: readonly Reason[]
}

/** `GET /v1/topics/{topic}` and so on. */
export type Operations = Readonly<Record<string, Operation>>

/** What is wrong with a JSON body. */
export const BODY: readonly Reason[] = [
  'body_too_large',
  'not_utf8',
  'invalid_json',
  'unsupported_media_type',
  'invalid_type',
  'missing',
  'unknown_field',
  'invalid_value',
]

/** What is wrong with the parameters of a list. */
export const PAGE: readonly Reason[] = ['invalid_value', 'unknown_field', 'invalid_cursor']

/** What a condition or its form can be refused for. */
export const CONDITION: readonly Reason[] = ['invalid_header', 'precondition_failed']
