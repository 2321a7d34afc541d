/**
 * Why a request is refused: one tagged union for the whole worker. Each boundary has one exhaustive table from here to its wire form:
 * `problem.ts` (RFC 9457 for REST) and `tencent/error.ts` (Tencent's envelope for `/`). Paths are dotted with zero-based indexes, as the
 * client wrote them (`reports.3.value`, `Message.3.Body`). Nothing here quotes a secret.
 */
import type { AbsentReason, InstanceId } from '#contract'
import type { TaskStatus } from './registry/directory.ts'

/** What a function answers in place of a value. */
export interface Rejected {
  status: 'rejected'
  rejection: Rejection
}

/** A problem as a sentence of its own: some stand in the middle of one elsewhere. */
export function sentence(problem: string): string {
  return problem.charAt(0).toUpperCase() + problem.slice(1)
}

export function rejected(rejection: Rejection): Rejected {
  return { status: 'rejected', rejection }
}

export type MediaHeader = 'Content-Type' | 'Content-Encoding'

export type Rejection =
  /** Without a path the raw body, with one the decoded bytes of that part of it. */
  | { reason: 'body_too_large'; limit: number; path?: string }
  /** The topic would refuse it: `bytes` is what it would become there, `limit` the topic's `max.message.bytes`. */
  | { reason: 'report_too_large'; path: string; topic: string; bytes: number; limit: number }
  | { reason: 'not_utf8' }
  | { reason: 'invalid_json'; problem: string }
  /** `problem` is a sentence that names the header to blame, `Content-Type` or `Content-Encoding`, and what it may be. */
  | { reason: 'unsupported_media_type'; header: MediaHeader; problem: string }
  /** A query or form that can't be read one way only. `path` is the parameter's name as the client wrote it, or '' for all of them. */
  | { reason: 'malformed_parameter'; path: string; problem: string }
  /** Wrong JSON type. `hint` says what to do instead. */
  | { reason: 'invalid_type'; path: string; expected: string; hint?: string }
  /** `hint` says which other ways there are. */
  | { reason: 'missing'; path: string; hint?: string }
  | { reason: 'unknown_field'; path: string }
  /** Right type, value not allowed: a count, a size, a name, a number. `problem` is a sentence that names the limit. */
  | { reason: 'invalid_value'; path: string; problem: string }
  /** A request header that can't be honoured, and must not be ignored. */
  | { reason: 'invalid_header'; header: string; problem: string }
  /** No credentials, or none that this route takes. */
  | { reason: 'unauthenticated'; problem: string }
  /** The credential is real, but may not do this. */
  | { reason: 'forbidden'; problem: string }
  | { reason: 'datahub_not_found'; datahub: string }
  | { reason: 'task_not_running'; datahub: string; status: TaskStatus }
  | { reason: 'receipt_not_valid' }
  /** Its own reason: the relay must be able to tell a lost object from a wrong URL. */
  | { reason: 'envelope_not_found'; object: string }
  | { reason: 'conflict'; problem: string }
  /** By its TaskId. Also for one that the caller may not manage. */
  | { reason: 'task_not_found'; taskId: string }
  | { reason: 'credential_not_found'; secretId: string }
  | { reason: 'schema_not_found'; schemaId: string }
  /** `path` is where the name stood. */
  | { reason: 'name_taken'; path: string; name: string }
  /** What was asked for is not possible in the task's state. */
  | { reason: 'task_state_conflict'; datahub: string; status: TaskStatus; change: string }
  | { reason: 'schema_in_use'; schemaId: string; datahubs: readonly string[] }
  /** `If-Match` names another revision than the current one. */
  | { reason: 'precondition_failed'; current: number }
  /** There are as many of them as there may be. */
  | { reason: 'quota_exceeded'; what: string; limit: number }
  /** A report's value does not fit its datahub's schema: `path` is the report, `field` the schema's field, `problem` the rule. */
  | { reason: 'schema_mismatch'; path: string; field?: string; problem: string }
  /** Something that Tencent has and Edgehub has not. `supported` says what there is. */
  | { reason: 'not_supported'; path: string; what: string; supported: string }
  /** Another body has the outcome of this idempotency key. */
  | { reason: 'idempotency_key_reused' }
  | { reason: 'instance_not_found'; instance: string; own: InstanceId }
  /** It does not exist, or the caller may not know of it. */
  | { reason: 'topic_not_found'; topic: string }
  | { reason: 'partition_not_found'; topic: string; partition: number }
  /** Kafka does not let the relay read it. */
  | { reason: 'topic_not_readable'; topic: string }
  /** `why` is stable; `problem` is a sentence. `range` is what the partition has: from `start` to before `end`. */
  | {
      reason: 'message_not_found'
      why: AbsentReason | 'queued' | 'failed' | 'receipt_expired'
      problem: string
      range?: { start: string; end: string }
    }
  | { reason: 'invalid_cursor' }
  /** One more than `perSecond` in a second. */
  | { reason: 'rate_limited'; perSecond: number }
  /** Of one datahub, by all its callers together. */
  | { reason: 'datahub_rate_limited'; datahub: string; perSecond: number }
  /** Of one address, before it is known who calls. */
  | { reason: 'address_rate_limited' }
  /** No relay holds a link, so nothing can be asked of Kafka. */
  | { reason: 'relay_not_connected' }
  | { reason: 'relay_busy' }
  | { reason: 'relay_timed_out' }
  /** Kafka did not answer the relay. */
  | { reason: 'kafka_unavailable' }
  | { reason: 'route_not_found' }
  | { reason: 'method_not_allowed'; allow: string }
  /** This address speaks another protocol, by `Upgrade`. */
  | { reason: 'upgrade_required'; protocol: string }
  /** The queue or the object store did not confirm: it may or may not have been taken. Keyed, a repeat stores nothing twice. */
  | { reason: 'not_confirmed'; keyed: boolean }
  /** A part of Edgehub that this request needs can't be reached now. */
  | { reason: 'unavailable'; retryAfterSeconds: number }
  | { reason: 'internal' }
