/**
 * The relay's side of the relay link: the relay dials the worker and answers what it is asked, so that nothing needs to reach the relay.
 * One connection at a time, and another one after it for as long as the process runs. A link that is down costs answers, and nothing
 * else: no report waits for it.
 */
import { backoffMs } from '../backoff.ts'
import {
  runConnection,
  type ConnectionDeps,
  type ConnectionEnd,
  type ConnectionEvents,
  type ConnectionTimes,
} from './connection.ts'

export interface LinkOptions extends Omit<ConnectionDeps, 'url' | 'times' | 'observe'> {
  /** WORKER_URL. */
  url: string
  times?: Partial<LinkTimes>
  observe: LinkEvents
}

export interface LinkEvents extends ConnectionEvents {
  /** Each connection that was not ended by the relay's stop, and each try. */
  ended(end: Exclude<ConnectionEnd, { status: 'stopped' }>): void
  /** There will be none any more. */
  stopped(): void
}

export interface LinkTimes extends ConnectionTimes {
  /** Between two tries. */
  retryFirstMs: number
  /** The longest; a connection that lived for so long sets the wait back to the shortest. */
  retryMaxMs: number
  /** The longest after a refusal. */
  refusedMs: number
}

const TIMES: LinkTimes = {
  welcomeMs: 10_000,
  silenceMs: 25_000,
  pongMs: 10_000,
  closeMs: 1_000,
  targetsMs: 30_000,
  targetsRetry: { firstMs: 1_000, maxMs: 30_000 },
  retryFirstMs: 200,
  retryMaxMs: 10_000,
  refusedMs: 30_000,
}

export interface Link {
  /** Resolves when the signal has aborted and nothing of it is left. */
  run(signal: AbortSignal): Promise<void>
}

export function createLink(options: LinkOptions): Link {
  const times = { ...TIMES, ...options.times }
  const { clock, random, sleep, observe } = options
  const retry = { firstMs: times.retryFirstMs, maxMs: times.retryMaxMs }
  const refused = { firstMs: times.refusedMs, maxMs: times.refusedMs }
  const url = new URL('/internal/link', options.url.replace(/^http/, 'ws'))

  return {
    async run(signal) {
      let failures = 0
      while (!signal.aborted) {
        let connectedAt: number | undefined
        const connected = () => {
          connectedAt = clock()
          observe.connected()
        }
        const end = await runConnection(
          { ...options, url, times, observe: { ...observe, connected } },
          signal,
        )
        if (end.status === 'stopped') break
        observe.ended(end)
        if (connectedAt !== undefined && clock() - connectedAt >= times.retryMaxMs) failures = 0
        const pace = end.status === 'refused' ? refused : retry
        await sleep(backoffMs(++failures, pace, random), signal)
      }
      observe.stopped()
    },
  }
}
