/**
 * The relay link as the worker sees it: one object, asked by RPC. Asking changes nothing, so a call that fails is repeated once, with a new
 * stub, because a broken stub stays broken. Nothing here throws but `connect`.
 */
import { LINK_QUERY_MS, type LinkQuery } from '#contract'
import { describeError, type Log } from '../log.ts'
import { TimeLimitError, withinMs } from '../time-limit.ts'
import { UnavailableError } from '../unavailable.ts'
import type { Asked } from './questions.ts'

/** What the worker asks of the link object. */
export interface RelayLinkStub {
  fetch: (request: Request) => Promise<Response>
  ask: (query: LinkQuery, withinMs: number) => Promise<Asked>
  watchTargets: () => Promise<void>
  wake: (shards: number[]) => Promise<void>
}

export interface RelayLinkClient {
  /**
   * Hands over an upgrade; whoever calls has looked who it is.
   * @throws UnavailableError
   */
  connect: (request: Request) => Promise<Response>
  /** Answers within the time. A link object that can't be reached is as good as no relay. */
  ask: (query: LinkQuery, ms?: number) => Promise<Asked>
  /** After a task was made: its topic is to be looked at. A failure is logged; the relays' next connection makes up for it. */
  watchTargets: () => Promise<void>
  /** A hint, so a failure is logged and no more. */
  wake: (shards: readonly number[]) => Promise<void>
}

export interface RelayLinkDeps {
  /** A new stub each time. */
  stub: () => RelayLinkStub
  now: () => number
  log: Log
}

const CALL_LIMIT_MS = 5_000

export function createRelayLink({ stub, now, log }: RelayLinkDeps): RelayLinkClient {
  /** Both tries have one limit together. */
  async function call<T>(
    ms: number,
    run: (stub: RelayLinkStub, leftMs: number) => Promise<T>,
  ): Promise<T> {
    const deadline = now() + ms
    const once = (): Promise<T> => {
      const left = deadline - now()
      return withinMs(left, run(stub(), left))
    }
    try {
      return await once()
    } catch (error) {
      if (now() >= deadline || isOverloaded(error)) throw error
      return once()
    }
  }

  async function tell(failure: string, run: (stub: RelayLinkStub) => Promise<void>): Promise<void> {
    try {
      await call(CALL_LIMIT_MS, run)
    } catch (error) {
      log({ level: 'error', message: failure, cause: describeError(error) })
    }
  }

  return {
    async connect(request) {
      try {
        return await stub().fetch(request)
      } catch (cause) {
        throw new UnavailableError('the relay link does not answer', { cause })
      }
    },

    async ask(query, ms = LINK_QUERY_MS) {
      try {
        return await call(ms, (link, left) => link.ask(query, left))
      } catch (error) {
        if (error instanceof TimeLimitError) return { status: 'timed_out' }
        const message = 'The relay link does not answer.'
        log({ level: 'error', message, cause: describeError(error) })
        return { status: isOverloaded(error) ? 'busy' : 'no_relay' }
      }
    },

    watchTargets: () =>
      tell('Relays were not told of a new target.', (link) => link.watchTargets()),
    wake: (shards) => tell('Relays were not woken.', (link) => link.wake([...shards])),
  }
}

/** https://developers.cloudflare.com/durable-objects/best-practices/error-handling/: an overloaded object must not be asked again. */
function isOverloaded(error: unknown): boolean {
  return (Object(error) as { overloaded?: unknown }).overloaded === true
}
