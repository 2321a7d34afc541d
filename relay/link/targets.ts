/**
 * The target topics that the worker watches: looked at again and again for as long as the connection lasts, and told when they changed.
 * After each `watch` everything that is known is told once, because the worker may have forgotten it. What can't be found out now leaves
 * what was told before as it is; what could not be said at all so far, or is not fit, is looked at sooner. A topic that was fit is not
 * created again while one `watch` lasts: that it is gone is for people to see. A restart of its task has the worker watch anew, and may
 * create it again.
 */
import type { TargetState } from '#contract'
import { backoffMs, type BackoffOptions } from '../backoff.ts'
import type { Queries } from '../query/query.ts'
import type { WatchedTargets } from '../query/targets.ts'

export interface TargetWatchDeps {
  queries: Pick<Queries, 'targets'>
  tell(targets: TargetState[]): void
  everyMs: number
  /** While something is not known, or looking fails. */
  retry: BackoffOptions
  random(): number
  /** Ends early when the signal aborts; never throws. */
  sleep(ms: number, signal: AbortSignal): Promise<void>
  /** Once for failures in a row. */
  onFailed(error: unknown): void
}

export interface TargetWatch {
  /** These from now on, at once. */
  watch(watched: WatchedTargets): void
  end(): void
}

export function createTargetWatch(deps: TargetWatchDeps): TargetWatch {
  const { queries, tell, everyMs, retry, random, sleep, onFailed } = deps
  let watching = new AbortController()

  async function look(watched: WatchedTargets, signal: AbortSignal): Promise<void> {
    const told = new Map<string, string>()
    const fit = new Set<string>()
    const wasFit = new Set<string>()
    let tries = 0
    let isFailing = false
    while (!signal.aborted) {
      try {
        const create = watched.create?.filter(({ topic }) => !wasFit.has(topic))
        const states = await queries.targets({ ...watched, create }, signal)
        if (signal.aborted) return
        isFailing = false
        const changed = states.filter((state) => told.get(state.topic) !== JSON.stringify(state))
        for (const state of changed) told.set(state.topic, JSON.stringify(state))
        for (const { topic, status } of states) {
          if (status === 'fit') fit.add(topic)
          else fit.delete(topic)
        }
        for (const topic of fit) wasFit.add(topic)
        if (changed.length > 0) tell(changed)
      } catch (error) {
        if (signal.aborted) return
        if (!isFailing) onFailed(error)
        isFailing = true
      }
      // Somebody may wait for what could not be said at all so far, and for what is not fit yet.
      tries = !isFailing && watched.topics.every((topic) => fit.has(topic)) ? 0 : tries + 1
      await sleep(tries > 0 ? backoffMs(tries, retry, random) : everyMs, signal)
    }
  }

  return {
    watch(watched) {
      watching.abort()
      watching = new AbortController()
      if (watched.topics.length > 0) void look(watched, watching.signal)
    },
    end: () => watching.abort(),
  }
}
