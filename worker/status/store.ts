/**
 * The status store as the worker sees it: eight shards, found by id. Every call is repeatable, so a call that the platform calls
 * retryable is repeated once, with a new stub, because a broken stub stays broken. Outcomes are parsed where they come out, so what is
 * stored may grow.
 */
import {
  Outcome,
  statusShardOf,
  type EnvelopeId,
  type LookupsResponse,
  type SettledEnvelope,
} from '#contract'
import { describeError, type Log } from '../log.ts'
import { withinMs } from '../time-limit.ts'
import { UnavailableError } from '../unavailable.ts'
import type { OutcomeRow } from './outcome-tables.ts'

/** What the store asks of one shard object. */
export interface StatusShardStub {
  put: (rows: OutcomeRow[]) => Promise<string[]>
  get: (ids: string[]) => Promise<OutcomeRow[]>
  has: (ids: string[]) => Promise<string[]>
  wait: (id: string, ms: number) => Promise<string | null>
}

export interface StatusStore {
  /** The ids that durably have an outcome now. Ids of a shard that fails are left out; never throws. */
  put: (settled: readonly SettledEnvelope[]) => Promise<EnvelopeId[]>
  /** Which ids have an outcome and which have none. Ids of a shard that fails are in neither list; never throws. */
  lookUp: (ids: readonly EnvelopeId[]) => Promise<LookupsResponse>
  /**
   * The outcomes that exist. All shards answer within `limitMs`, or it throws.
   * @throws UnavailableError
   */
  find: (ids: readonly EnvelopeId[], limitMs?: number) => Promise<Map<EnvelopeId, Outcome>>
  /**
   * Answers when the outcome is there, or undefined after `ms`. One call to the shard however long it takes.
   * @throws UnavailableError
   */
  wait: (id: EnvelopeId, ms: number) => Promise<Outcome | undefined>
}

export interface StatusStoreDeps {
  /** A new stub each time. */
  shard: (index: number) => StatusShardStub
  now: () => number
  log: Log
}

export const statusShardName = (index: number): string => `status-${index}`

/** Beyond the time that a call may wait by itself. */
const CALL_LIMIT_MS = 10_000

export function createStatusStore({ shard, now, log }: StatusStoreDeps): StatusStore {
  /** Both tries have one limit together: a held answer must not take twice as long because its first try failed late. */
  async function call<T>(
    index: number,
    limitMs: number,
    ask: (stub: StatusShardStub) => Promise<T>,
  ): Promise<T> {
    const deadline = now() + limitMs
    try {
      return await withinMs(limitMs, ask(shard(index)))
    } catch (error) {
      if (!isRetryable(error)) throw error
      return withinMs(deadline - now(), ask(shard(index)))
    }
  }

  /** As `call`, but a failure is logged and answered as undefined: it costs the ids of that shard alone. */
  async function callOrLog<T>(
    index: number,
    failure: string,
    ask: (stub: StatusShardStub) => Promise<T>,
  ): Promise<T | undefined> {
    try {
      return await call(index, CALL_LIMIT_MS, ask)
    } catch (error) {
      log({ level: 'error', message: failure, shard: index, cause: describeError(error) })
      return undefined
    }
  }

  return {
    async put(settled) {
      const failure = 'A status shard did not take outcomes.'
      const taken = await Promise.all(
        [...groupByShard(settled, (s) => s.id)].map(async ([index, part]) => {
          const rows = part.map(({ id, outcome }): OutcomeRow => ({
            id,
            outcome: JSON.stringify(outcome),
          }))
          return (await callOrLog(index, failure, (stub) => stub.put(rows))) ?? []
        }),
      )
      const ids = new Set(taken.flat())
      return settled.flatMap(({ id }) => (ids.has(id) ? [id] : []))
    },

    async lookUp(ids) {
      const failure = 'A status shard did not answer a look-up.'
      const answers = await Promise.all(
        [...groupByShard([...new Set(ids)], (id) => id)].map(async ([index, part]) => {
          const answer = await callOrLog(index, failure, (stub) => stub.has(part))
          // In neither list: an id that is wrongly taken for absent is sent to Kafka a second time.
          if (!answer) return undefined
          const existing = new Set(answer)
          return Map.groupBy(part, (id) => existing.has(id))
        }),
      )
      return {
        found: answers.flatMap((answer) => answer?.get(true) ?? []),
        absent: answers.flatMap((answer) => answer?.get(false) ?? []),
      }
    },

    async find(ids, limitMs = CALL_LIMIT_MS) {
      const groups = [...groupByShard(ids, (id) => id)]
      const rows = await orUnavailable(
        Promise.all(groups.map(([index, part]) => call(index, limitMs, (stub) => stub.get(part)))),
      )
      return new Map(
        rows.flat().map(({ id, outcome }) => [id as EnvelopeId, parseOutcome(outcome)]),
      )
    },

    async wait(id, ms) {
      const deadline = now() + ms
      const left = (): number => Math.max(0, deadline - now())
      const outcome = await orUnavailable(
        call(statusShardOf(id), ms + CALL_LIMIT_MS, (stub) => stub.wait(id, left())),
      )
      return outcome === null ? undefined : parseOutcome(outcome)
    },
  }
}

function groupByShard<T>(items: readonly T[], idOf: (item: T) => EnvelopeId): Map<number, T[]> {
  return Map.groupBy(items, (item) => statusShardOf(idOf(item)))
}

function parseOutcome(text: string): Outcome {
  return Outcome.parse(JSON.parse(text))
}

/** https://developers.cloudflare.com/durable-objects/best-practices/error-handling/: an overloaded object must not be asked again. */
function isRetryable(error: unknown): boolean {
  const { retryable, overloaded } = Object(error) as { retryable?: unknown; overloaded?: unknown }
  return retryable === true && overloaded !== true
}

async function orUnavailable<T>(calls: Promise<T>): Promise<T> {
  try {
    return await calls
  } catch (cause) {
    throw new UnavailableError('a status shard does not answer', { cause })
  }
}
