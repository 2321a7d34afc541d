/** Kafka's error codes that the relay tells apart: https://kafka.apache.org/protocol#protocol_error_codes */
export const Code = {
  NONE: 0,
  UNKNOWN_TOPIC_OR_PARTITION: 3,
  LEADER_NOT_AVAILABLE: 5,
  REQUEST_TIMED_OUT: 7,
  MESSAGE_TOO_LARGE: 10,
  COORDINATOR_LOAD_IN_PROGRESS: 14,
  COORDINATOR_NOT_AVAILABLE: 15,
  NOT_COORDINATOR: 16,
  INVALID_TOPIC: 17,
  TOPIC_AUTHORIZATION_FAILED: 29,
  CLUSTER_AUTHORIZATION_FAILED: 31,
  INVALID_TIMESTAMP: 32,
  UNSUPPORTED_VERSION: 35,
  TOPIC_ALREADY_EXISTS: 36,
  NOT_CONTROLLER: 41,
  INVALID_PRODUCER_EPOCH: 47,
  INVALID_TXN_STATE: 48,
  INVALID_PRODUCER_ID_MAPPING: 49,
  CONCURRENT_TRANSACTIONS: 51,
  OPERATION_NOT_ATTEMPTED: 55,
  INVALID_RECORD: 87,
  THROTTLING_QUOTA_EXCEEDED: 89,
  /** kafkajs's own, for every code that it does not know. */
  UNKNOWN_TO_KAFKAJS: -99,
} as const

/** Another owner has initialised the transactional id after this one did. */
export function isFenced(code: number | undefined): boolean {
  return (
    code === Code.INVALID_PRODUCER_EPOCH ||
    code === Code.INVALID_TXN_STATE ||
    code === Code.INVALID_PRODUCER_ID_MAPPING ||
    code === Code.UNKNOWN_TO_KAFKAJS
  )
}
