/** What the lane throws: one word for "only the ledger can say what is in Kafka now". */
import { AppendError } from './append.ts'
import { isFenced } from './codes.ts'
import { errorCode, errorName } from './kafkajs.ts'

export interface TopicPartition {
  topic: string
  partition: number
}

/** Something happened after which only the ledger can say what is in Kafka. `fenced`: another owner has taken over the shard. */
export class Doubt extends Error {
  override readonly name = 'Doubt'
  readonly step: string
  readonly fenced: boolean
  /** The partitions that it came from, when it came from some and not from the coordinator. */
  readonly partitions: readonly TopicPartition[]
  constructor(step: string, cause: unknown) {
    super(`${step}: ${messageOf(cause)}`, { cause })
    this.step = step
    this.fenced = isFenced(errorCode(cause))
    this.partitions = cause instanceof AppendError ? cause.partitions : []
  }
}

/** A broker's answer that is an error code and no exception. */
export class AnswerError extends Error {
  override readonly name = 'AnswerError'
  readonly code: number
  constructor(code: number, where: string) {
    super(`${errorName(code)} (${code}) ${where}`)
    this.code = code
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
