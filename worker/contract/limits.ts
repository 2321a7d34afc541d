/**
 * Every number that both sides depend on, once. The unit is the last word of the name.
 */

/** Reports in one POST. The limit that Tencent documents for SendMessage of CKafka, version 2019-08-19. */
export const MAX_REPORTS = 500

/** Sum of the decoded keys, values and headers of one POST. */
export const MAX_POST_BYTES = 5_242_880

/** Raw HTTP body; also Tencent's cap for a TC3 POST. */
export const MAX_BODY_BYTES = 10_485_760

/**
 * Key, value and headers of one report. Kafka's default `max.message.bytes` is 1,048,588 for a whole record batch; this leaves
 * room for the batch header and the headers that the relay adds.
 */
export const MAX_REPORT_BYTES = 1_000_000

/** Headers of one report. */
export const MAX_REPORT_HEADERS = 32

/**
 * Above this many bytes of JSON an envelope's records go to object storage and the queue message carries the claim alone.
 * A queue message may hold 128,000 bytes: https://developers.cloudflare.com/queues/platform/limits/
 */
export const CLAIM_CHECK_BYTES = 96_000

/** Messages in one pull, and leases in one ack: https://developers.cloudflare.com/queues/configuration/pull-consumers/ */
export const MAX_PULL_MESSAGES = 100

/** Longest delay that a retry can ask of the queue: https://developers.cloudflare.com/queues/platform/limits/ */
export const MAX_RETRY_DELAY_SECONDS = 86_400

/** Body of one `POST /internal/outcomes`. */
export const MAX_OUTCOMES_BYTES = 1_000_000

/** Ids in one `POST /internal/lookups`. */
export const MAX_LOOKUP_IDS = 1_000

/** Longest `Prefer: wait=n` and long poll. */
export const MAX_WAIT_SECONDS = 25

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

/** How long a queue and its dead-letter queue keep a message; set explicitly on both. */
export const QUEUE_RETENTION_MS = 4 * DAY_MS

/** No envelope is sent to Kafka later than this after its accept: two retentions, queue and dead-letter queue. */
export const MAX_SEND_AGE_MS = 8 * DAY_MS

/** A receipt without a row reads `queued` for this long after its accept, then `expired`. */
export const RECEIPT_QUEUED_MS = MAX_SEND_AGE_MS + 6 * HOUR_MS

/**
 * A status row lives this long from when it was written: longer than MAX_SEND_AGE_MS after the last repeat of a keyed POST, which may
 * come a day after the first. docs/decisions/0014-status-rows-ten-days.md
 */
export const STATUS_ROW_MS = 10 * DAY_MS

/** Retention of the ledger topic. */
export const LEDGER_RETENTION_MS = 14 * DAY_MS

/** An envelope waits this long for a topic or partition that can't take it; then it is dead-lettered. */
export const MAX_UNAVAILABLE_MS = DAY_MS

/** Tasks of a deployment. */
export const MAX_TASKS = 1_000

/** Records in one answer of the relay link. */
export const MAX_LIST_RECORDS = 1_000

/** Keys, values and headers in one answer of the relay link, decoded; a list ends before it would have more. */
export const MAX_LIST_BYTES = 4_194_304

/** One frame of the relay link: a full answer in base64, and the JSON around it. */
export const MAX_LINK_FRAME_BYTES = 8_388_608

/** Questions that a relay takes at once; the rest is refused as `busy`. */
export const MAX_LINK_QUERIES = 256

/** How long a question may take, ms. */
export const LINK_QUERY_MS = 10_000
