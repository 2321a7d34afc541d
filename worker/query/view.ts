/**
 * What one caller may ask about topics and messages, and what a relay's answer means: the core under REST and Tencent's actions. A topic
 * that the caller may not know of is answered like one that does not exist, in words and by asking no relay.
 */
import {
  isReservedTopic,
  LINK_QUERY_MS,
  TopicName,
  type AbsentReason,
  type LinkAnswer,
  type LinkQuery,
  type TopicSummary,
} from '#contract'
import type { RelayLinkClient } from '../link/link.ts'
import type { Credential, Directory } from '../registry/directory.ts'
import { rejected, type Rejected, type Rejection } from '../rejection.ts'

/** The admin sees all topics but internal ones. */
export type Reader = Credential | 'admin'

export interface ViewDeps {
  directory: Pick<Directory, 'topicsOf'>
  relayLink: Pick<RelayLinkClient, 'ask'>
}

export interface Refusal extends Rejected {
  /** What the relay said, for the log alone: it may name hosts. */
  cause?: string
}

export type Found<T> = { status: 'found'; value: T } | Refusal

type AnswerStatus = LinkAnswer['status']
type AnswerOf<S extends AnswerStatus> = Extract<LinkAnswer, { status: S }>

export interface View {
  /** The answer in its expected form, or why there is none. A topic that is not seen is not asked for. */
  ask: <S extends AnswerStatus>(
    query: LinkQuery,
    expected: S,
    withinMs?: number,
  ) => Promise<Found<AnswerOf<S>>>
  /** All that are seen and exist, by name. */
  topics: () => Promise<Found<TopicSummary[]>>
}

/** @throws UnavailableError when the registry can not be read */
export async function viewOf(reader: Reader, deps: ViewDeps): Promise<View> {
  const topics = reader === 'admin' ? undefined : await deps.directory.topicsOf(reader.datahubs)
  const sees = (topic: string): boolean =>
    topics ? topics.has(topic) : TopicName.safeParse(topic).success && !isReservedTopic(topic)

  const view: View = {
    async ask(query, expected, withinMs = LINK_QUERY_MS) {
      const topic = 'topic' in query ? query.topic : undefined
      if (topic !== undefined && !sees(topic)) return rejected({ reason: 'topic_not_found', topic })
      const asked = await deps.relayLink.ask(query, withinMs)
      if (asked.status !== 'answered') return rejected({ reason: REASONS[asked.status] })
      const { answer } = asked
      if (isAnswer(answer, expected)) return { status: 'found', value: answer }
      return refusalOf(query, answer)
    },

    async topics() {
      // Without names a relay would list them all.
      if (topics?.size === 0) return { status: 'found', value: [] }
      const names = topics && { names: [...topics] }
      const asked = await view.ask({ op: 'topics', ...names }, 'topics')
      if (asked.status === 'rejected') return asked
      const seen = asked.value.topics.filter(({ name }) => sees(name))
      return { status: 'found', value: seen.sort((a, b) => (a.name < b.name ? -1 : 1)) }
    },
  }
  return view
}

const REASONS = {
  no_relay: 'relay_not_connected',
  busy: 'relay_busy',
  timed_out: 'relay_timed_out',
} as const

function isAnswer<S extends AnswerStatus>(answer: LinkAnswer, status: S): answer is AnswerOf<S> {
  return answer.status === status
}

function refusalOf(query: LinkQuery, answer: LinkAnswer): Refusal {
  if (answer.status === 'absent') return rejected(absence(query, answer))
  if (answer.status !== 'failed') {
    const cause = `a relay answered ${query.op} with ${answer.status}`
    return { ...rejected({ reason: 'internal' }), cause }
  }
  const { reason, problem: cause } = answer
  const topic = 'topic' in query ? query.topic : ''
  switch (reason) {
    case 'topic_not_found':
      return rejected({ reason, topic })
    case 'partition_not_found': {
      const partition = 'partition' in query ? (query.partition ?? 0) : 0
      return rejected({ reason, topic, partition })
    }
    case 'not_authorized':
      return { ...rejected({ reason: 'topic_not_readable', topic }), cause }
    case 'kafka_unavailable':
      return { ...rejected({ reason }), cause }
    case 'timed_out':
    case 'busy':
      return { ...rejected({ reason: REASONS[reason] }), cause }
  }
}

const WHY: Record<AbsentReason, string> = {
  beyond_end: 'nothing was written there yet',
  undecided: 'its transaction is not decided yet; ask again',
  control: 'the end marker of a transaction is there, which is no message',
  aborted: 'its transaction was aborted, so it was never delivered',
  compacted: 'it is not there any more: the topic is compacted, or its records were deleted',
  expired: 'it was deleted, and the partition begins later now',
  too_large: 'it is too large',
}

function absence(
  query: LinkQuery,
  { reason: why, start, end, bytes }: AnswerOf<'absent'>,
): Rejection {
  const at =
    'offset' in query ? `offset ${query.offset} of partition ${query.partition}` : 'this place'
  const size =
    bytes !== undefined && 'maxBytes' in query
      ? `: ${bytes} bytes, where at most ${query.maxBytes} are shown`
      : ''
  const problem = `There is no message at ${at}: ${WHY[why]}${size}. The partition goes from offset ${start} to before ${end}.`
  return { reason: 'message_not_found', why, problem, range: { start, end } }
}
