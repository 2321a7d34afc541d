/** A stand-in for the link object: what it was asked, and an answer that each test chooses. */
import type { AbsentReason, LinkAnswer, LinkQuery, StoredRecord } from '#contract'
import type { Asked } from '../../../worker/link/questions.ts'

export interface FakeRelay {
  asked: LinkQuery[]
  answer: (query: LinkQuery) => Asked
  ask: (query: LinkQuery, withinMs?: number) => Promise<Asked>
  /** As the binding RELAY_LINK. */
  binding: unknown
}

export function fakeRelay(answer: FakeRelay['answer'] = () => ({ status: 'no_relay' })): FakeRelay {
  const relay: FakeRelay = {
    asked: [],
    answer,
    async ask(query) {
      relay.asked.push(query)
      return relay.answer(query)
    },
    binding: { getByName: () => ({ ask: (query: LinkQuery) => relay.ask(query) }) },
  }
  return relay
}

export const answered = (answer: LinkAnswer): Asked => ({ status: 'answered', answer })

/** Of a partition that goes from offset 5 to before 99. */
export function absent(reason: AbsentReason): Asked {
  const bytes = reason === 'too_large' && { bytes: 2_000_000 }
  return answered({ status: 'absent', reason, start: '5', end: '99', ...bytes })
}

export function recordOf(fields: Partial<StoredRecord> = {}): StoredRecord {
  const content = { key: 'k', value: 'v', headers: [{ name: 'source', value: 'web' }] }
  return {
    partition: 1,
    offset: '12',
    timestamp: 1_790_000_000_000,
    bytes: 8,
    ...content,
    ...fields,
  }
}

/** Each way in which a relay does not answer with what was asked for, and what comes of it in REST and in Tencent's codes. */
export const FAILURES: [name: string, asked: Asked, status: number, type: string, code: string][] =
  [
    ['no relay', { status: 'no_relay' }, 503, 'relay-not-connected', 'ResourceUnavailable'],
    ['busy', { status: 'busy' }, 503, 'relay-busy', 'ServiceUnavailable'],
    ['time', { status: 'timed_out' }, 504, 'relay-timed-out', 'ServiceUnavailable'],
    ...(
      [
        ['topic_not_found', 404, 'topic-not-found', 'ResourceNotFound'],
        ['partition_not_found', 404, 'partition-not-found', 'InvalidParameterValue'],
        ['not_authorized', 503, 'topic-not-readable', 'FailedOperation'],
        ['kafka_unavailable', 503, 'kafka-unavailable', 'ResourceUnavailable'],
        ['timed_out', 504, 'relay-timed-out', 'ServiceUnavailable'],
        ['busy', 503, 'relay-busy', 'ServiceUnavailable'],
      ] as const
    ).map(([reason, status, type, code]): [string, Asked, number, string, string] => [
      `failed: ${reason}`,
      answered({ status: 'failed', reason, problem: 'broker-1.internal:9092 says so' }),
      status,
      type,
      code,
    ]),
    [
      'an answer to something else',
      answered({ status: 'cluster', clusterId: 'c', brokers: 3 }),
      500,
      'internal',
      'InternalError',
    ],
  ]

export const REASONS = [
  ['beyond_end', 'nothing was written there yet'],
  ['undecided', 'not decided yet'],
  ['control', 'end marker of a transaction'],
  ['aborted', 'aborted'],
  ['compacted', 'compacted'],
  ['expired', 'deleted'],
  ['too_large', 'too large: 2000000 bytes'],
] as const
