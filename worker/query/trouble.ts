/** Why Kafka can't be asked now, in words: the same for every boundary. */
import { LINK_QUERY_MS } from '#contract'

export const TROUBLE = {
  relay_not_connected: 'No relay is connected, so Kafka can not be asked now.',
  relay_busy: 'The relay has as many questions as it takes at once.',
  relay_timed_out: `The relay did not answer within ${LINK_QUERY_MS / 1_000} s.`,
  kafka_unavailable: 'Kafka did not answer the relay.',
} as const
