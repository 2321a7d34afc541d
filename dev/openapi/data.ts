/** The routes that send and read: TencentCloud's, reports, receipts, messages and topics. */
import { MAX_LIST_BYTES, MAX_WAIT_SECONDS } from '#contract'
import { DEFAULT_LIMIT, MAX_LIMIT } from '../../worker/query/message-query.ts'
import { BODY, PAGE, type Operation, type Operations, type Parameter } from './operation.ts'
import { cursor, page, sessionToken, wait } from './parameters.ts'
import type { Reason } from './problems.ts'

/** Why Kafka could not be asked. */
const QUERY: readonly Reason[] = [
  'topic_not_found',
  'partition_not_found',
  'topic_not_readable',
  'relay_not_connected',
  'relay_busy',
  'relay_timed_out',
  'kafka_unavailable',
]

function header(name: string, description: string): Parameter {
  return { name, in: 'header', description, schema: { type: 'string' } }
}

/** OpenAPI reserves Authorization for security schemes: TC3 is one. */
const TENCENT_HEADERS = [
  header('X-TC-Action', 'The action, such as `SendMessage`.'),
  header('X-TC-Version', '`2019-08-19`.'),
  header('X-TC-Timestamp', 'Unix seconds, at most 300 off; signed.'),
  header('X-TC-Region', 'Any; it helps to find the host name that was signed.'),
  header('X-TC-Token', 'The session token of a temporary credential.'),
  header('X-TC-Language', '`zh-CN` or `en-US`; messages are English.'),
  header('X-TC-TraceId', 'Echoed when it is valid.'),
]

const TENCENT: Omit<Operation, 'id' | 'summary' | 'description' | 'answers'> = {
  tag: 'TencentCloud',
  caller: 'signed',
  problems: [],
}

const ENVELOPE = {
  description:
    'Success and errors alike; an error stands in `Response.Error`. Which actions there are, their parameters and codes: docs/http-api.md.',
  schema: 'TencentAnswer',
} as const

export const DATA: Operations = {
  'POST /': {
    ...TENCENT,
    id: 'callTencentAction',
    summary: 'Call a TencentCloud action',
    description:
      'Signed with TC3-HMAC-SHA256 (JSON), or with signature v1 (form). An official SDK works after changing endpoint, protocol and keys.',
    parameters: TENCENT_HEADERS,
    body: {
      schema: 'TencentCall',
      example: { DataHubId: 'datahub-abcdefgh', Message: [{ Key: 'k1', Body: 'hello' }] },
    },
    answers: { 200: ENVELOPE },
  },
  'GET /': {
    ...TENCENT,
    id: 'callTencentActionByQuery',
    summary: 'Call a TencentCloud action by its query string',
    description:
      'Parameters by dotted names (`Message.0.Body`), signed with TC3-HMAC-SHA256 or with signature v1 (`Action`, `SecretId`, `Signature`, …). A browser is sent to this page.',
    parameters: TENCENT_HEADERS,
    answers: {
      200: ENVELOPE,
      302: {
        description: 'Neither signed nor an action, and HTML is preferred.',
        headers: ['Location'],
      },
    },
  },
  'POST /v1/datahubs/{datahub}/reports': {
    id: 'postReports',
    tag: 'Reports',
    caller: 'send',
    summary: 'Send reports',
    description:
      'All reports are accepted, or none is. At most 1,000,000 bytes a report (key, value and headers, decoded), 5,242,880 bytes of them in all, 10,485,760 bytes of body.',
    parameters: [
      header(
        'Prefer',
        `\`wait=n\`: hold the answer at most n seconds for the outcome, ${MAX_WAIT_SECONDS} at most.`,
      ),
      header(
        'Idempotency-Key',
        'A quoted string or a token, 1 to 255 characters. POSTs of one key are stored once; good for 24 hours.',
      ),
      header('traceparent', 'W3C Trace Context; stored as a header of each record.'),
      sessionToken,
    ],
    body: {
      schema: 'Reports',
      example: { reports: [{ key: 'k1', value: 'hello', headers: { source: 'web' } }] },
    },
    answers: {
      200: {
        description: 'The outcome, which came in time or was there for the key.',
        schema: 'Settled',
        headers: ['Location', 'Preference-Applied', 'Idempotent-Replayed'],
      },
      202: { description: 'Durably queued.', schema: 'Queued', headers: ['Location'] },
    },
    problems: [
      ...BODY,
      'forbidden',
      'invalid_header',
      'datahub_not_found',
      'task_not_running',
      'report_too_large',
      'schema_mismatch',
      'idempotency_key_reused',
      'rate_limited',
      'datahub_rate_limited',
      'not_confirmed',
    ],
  },
  'GET /v1/receipts/{receipt}': {
    id: 'getReceipt',
    tag: 'Reports',
    caller: 'anyone',
    summary: 'Ask what became of reports',
    parameters: [wait],
    answers: {
      200: { description: 'With `messages` once there is an outcome.', schema: 'Receipt' },
    },
    problems: ['receipt_not_valid', 'invalid_value'],
  },
  'POST /v1/receipts/query': {
    id: 'queryReceipts',
    tag: 'Reports',
    caller: 'anyone',
    summary: 'Ask for many receipts',
    body: {
      schema: 'ReceiptsQuery',
      example: { receipts: ['AaDEUGwAAAECAwQFBgcICQoLAAAAAwAAAABYM7zJRVQ'] },
    },
    answers: { 200: { description: 'In the order given.', schema: 'Receipts' } },
    problems: BODY,
  },
  'GET /v1/messages': {
    id: 'getMessages',
    tag: 'Messages',
    caller: 'adminOrQuery',
    summary: 'Read messages back',
    description: `By \`messageId\`; by \`topic\`, \`partition\` and \`offset\`, with \`limit\` a list from there; or by \`topic\` and \`from\`. A list ends early before it would have more than ${MAX_LIST_BYTES} bytes.`,
    parameters: [
      parameter('messageId', 'All by itself.', { type: 'string' }),
      parameter('topic', '', { type: 'string' }),
      parameter('partition', '', { type: 'integer', minimum: 0, maximum: 2 ** 31 - 1 }),
      parameter('offset', '', { type: 'string', pattern: String.raw`^\d{1,19}$` }),
      parameter('from', 'Unix ms, or RFC 3339 with `Z` or an offset.', { type: 'string' }),
      parameter('limit', `A list; ${DEFAULT_LIMIT} with \`from\` when left out.`, {
        type: 'integer',
        minimum: 1,
        maximum: MAX_LIMIT,
      }),
      cursor,
      sessionToken,
    ],
    answers: {
      200: { description: 'The message, or a page of them.', schema: 'Messages' },
    },
    problems: [
      ...QUERY,
      'missing',
      'unknown_field',
      'invalid_value',
      'invalid_cursor',
      'message_not_found',
      'receipt_not_valid',
    ],
  },
  'GET /v1/topics': {
    id: 'listTopics',
    tag: 'Messages',
    caller: 'adminOrQuery',
    summary: 'List topics',
    description: 'By name: those that the caller’s datahubs write to; all for the admin.',
    parameters: [...page, sessionToken],
    answers: { 200: { description: 'A page.', schema: 'Topics', headers: ['Link'] } },
    problems: [...QUERY, ...PAGE],
  },
  'GET /v1/topics/{topic}': {
    id: 'getTopic',
    tag: 'Messages',
    caller: 'adminOrQuery',
    summary: 'Get a topic',
    parameters: [sessionToken],
    answers: { 200: { description: 'With partitions and configuration.', schema: 'Topic' } },
    problems: QUERY,
  },
}

function parameter(
  name: string,
  description: string,
  schema: Readonly<Record<string, unknown>>,
): Parameter {
  return { name, in: 'query', description, schema }
}
