/** Why a question can't be answered, in the words of the link; and how what Kafka and kafkajs say becomes that. */
import type { LinkFailure } from '#contract'
import { Code } from '../kafka/codes.ts'
import { explain } from '../kafka/explain.ts'
import { errorName } from '../kafka/kafkajs.ts'
import { UnreadableBatch } from '../kafka/read-batch.ts'

/** The end of a question. */
export class QueryTrouble extends Error {
  override readonly name = 'QueryTrouble'
  readonly reason: LinkFailure
  constructor(reason: LinkFailure, problem: string, cause?: unknown) {
    super(problem, { cause })
    this.reason = reason
  }
}

export const OFFSET_OUT_OF_RANGE = 1

/** An error code that looking again does not change; undefined for all that may pass. */
export function lasting(code: number, where: string): QueryTrouble | undefined {
  switch (code) {
    case Code.TOPIC_AUTHORIZATION_FAILED:
      return new QueryTrouble('not_authorized', `the relay's Kafka user may not read ${where}`)
    case Code.INVALID_TOPIC:
      return new QueryTrouble('topic_not_found', `Kafka takes ${where} for no topic's name`)
    default:
      return undefined
  }
}

export function passing(code: number, where: string): QueryTrouble {
  return new QueryTrouble('kafka_unavailable', `${where}: ${errorName(code)} (${code})`)
}

/** What became of it, whatever was thrown. */
export function troubleOf(error: unknown, where: string): QueryTrouble {
  if (error instanceof QueryTrouble) return error
  const explained = explain(error)
  const said = explained instanceof Error ? explained.message : String(explained)
  // The link has no word for it; the text says that waiting does not help.
  const unreadable = error instanceof UnreadableBatch ? ", which this relay can't read" : ''
  return new QueryTrouble('kafka_unavailable', `${where}: ${said}${unreadable}`, error)
}
