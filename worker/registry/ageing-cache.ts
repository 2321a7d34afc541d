/**
 * A cache whose entries age: fresh for 5 s, then served once more while a background read refreshes them, never served when older than
 * 15 s. "Not there" is remembered too, but for 5 s only, so that a new task or key works soon; a value that is about to change for 1 s.
 * Concurrent reads of one key are one read. The age counts from when a read began: what was true then may have changed while it was under
 * way. It serves nothing older than whoever asks wants.
 */
import { describeError, type Log } from '../log.ts'
import { withinMs } from '../time-limit.ts'
import { UnavailableError } from '../unavailable.ts'

const FRESH_MS = 5_000
export const MAX_AGE_MS = 15_000

/** What is stored can be asked for this often, and not more often: a second look-up a second would be a lever for whoever asks in vain. */
export const SOON_MS = 1_000

/** Of the registry: an object that is slow for longer counts as away. */
const READ_LIMIT_MS = 5_000

/**
 * A read belongs to the request that began it and dies with it when that client leaves. So others wait for it only so long, then read
 * for themselves.
 */
const SHARED_LIMIT_MS = 1_500

export interface AgeingCacheDeps<V> {
  now: () => number
  log: Log
  maxEntries: number
  /** Of a value that somebody waits for to change: it is fresh for `SOON_MS`, and not served when older. */
  isPassing?: (value: V) => boolean
  sharedLimitMs?: number
}

export class AgeingCache<V> {
  readonly #entries = new Map<string, { value: V | undefined; began: number }>()
  readonly #reads = new Map<string, { reading: Promise<V | undefined>; began: number }>()
  readonly #deps: AgeingCacheDeps<V>

  constructor(deps: AgeingCacheDeps<V>) {
    this.#deps = deps
  }

  has(key: string): boolean {
    return this.#entries.has(key)
  }

  /**
   * `notOlderThanMs`: an entry of that age is read again before there is an answer.
   * @throws UnavailableError when there is nothing young enough and the read fails
   */
  async get(
    key: string,
    read: () => Promise<V | undefined>,
    waitUntil: (promise: Promise<unknown>) => void,
    notOlderThanMs?: number,
  ): Promise<V | undefined> {
    const entry = this.#entries.get(key)
    const age = entry ? this.#deps.now() - entry.began : Infinity
    const soonest = notOlderThanMs ?? (this.#isPassing(entry?.value) ? SOON_MS : undefined)
    if (entry && age < (soonest ?? FRESH_MS)) return entry.value
    if (entry?.value !== undefined && age < MAX_AGE_MS && soonest === undefined) {
      if (!this.#shared(key)) waitUntil(this.#read(key, read).catch((e) => this.#complain(e)))
      return entry.value
    }
    const shared = this.#shared(key, soonest)
    if (shared) {
      try {
        return await withinMs(this.#deps.sharedLimitMs ?? SHARED_LIMIT_MS, shared)
      } catch {
        // It failed or hangs for that request, which says nothing about a read of our own.
      }
    }
    const own = this.#read(key, read)
    // Others may join it, so it goes on when this client leaves.
    waitUntil(own.catch(() => undefined))
    try {
      return await own
    } catch (cause) {
      throw new UnavailableError('the registry can not be read', { cause })
    }
  }

  #isPassing(value: V | undefined): boolean {
    return value !== undefined && this.#deps.isPassing?.(value) === true
  }

  /** The read under way, unless it began too long ago: by default so long that its request must have died with it. */
  #shared(key: string, maxAgeMs = READ_LIMIT_MS): Promise<V | undefined> | undefined {
    const shared = this.#reads.get(key)
    return shared && this.#deps.now() - shared.began < maxAgeMs ? shared.reading : undefined
  }

  async #read(key: string, read: () => Promise<V | undefined>): Promise<V | undefined> {
    const began = this.#deps.now()
    const reading = withinMs(READ_LIMIT_MS, read())
    this.#reads.set(key, { reading, began })
    try {
      const value = await reading
      this.#store(key, value, began)
      return value
    } finally {
      if (this.#reads.get(key)?.reading === reading) this.#reads.delete(key)
    }
  }

  #store(key: string, value: V | undefined, began: number): void {
    const known = this.#entries.get(key)
    if (known && known.began > began) return
    this.#entries.delete(key)
    this.#entries.set(key, { value, began })
    // A map keeps the order of insertion, so the first key is the one read longest ago.
    const [oldest] = this.#entries.keys()
    if (this.#entries.size > this.#deps.maxEntries && oldest !== undefined) {
      this.#entries.delete(oldest)
    }
  }

  #complain(error: unknown): void {
    const cause = describeError(error)
    this.#deps.log({ level: 'warn', message: 'A cached registry entry was not refreshed.', cause })
  }
}
