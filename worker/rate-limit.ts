/**
 * How often something may be done: a token bucket for each key, as full as one second's worth. Pure over the clock. It counts for one
 * isolate only; a client that reaches several of them gets that much from each. A bounded number of keys is remembered: the one that was
 * used least lately is forgotten first, and then has a full bucket again.
 */
export interface RateLimit {
  /** Whether it may be done now; if so, it counts. */
  take: (key: string, perSecond: number) => boolean
}

/** Calls a second that one credential sends reports with, by SendMessage and by POST together. As Tencent documents for SendMessage. */
export const SENDS_PER_SECOND = 5_000

/** All that a credential sends counts together, by whichever route. */
export function takeSend(rateLimit: RateLimit, { secretId }: { secretId: string }): boolean {
  return rateLimit.take(`${secretId} SendMessage`, SENDS_PER_SECOND)
}

/** Calls a second by which one credential reads or manages over REST, all routes together. */
export const REST_CALLS_PER_SECOND = 100

/** In thousandths, so that a refill is a whole number each millisecond, and no rounding adds up. */
const TOKEN = 1_000

export function createRateLimit({
  now,
  maxKeys,
}: {
  /** Unix ms. */
  now: () => number
  maxKeys: number
}): RateLimit {
  const buckets = new Map<string, { level: number; at: number }>()

  return {
    take(key, perSecond) {
      const at = now()
      const full = perSecond * TOKEN
      const known = buckets.get(key) ?? { level: full, at }
      const refill = Math.max(0, at - known.at) * perSecond
      const level = Math.min(full, known.level + refill)
      const allowed = level >= TOKEN
      // A map keeps the order of insertion: put last, the key is the one used most lately.
      buckets.delete(key)
      buckets.set(key, { level: allowed ? level - TOKEN : level, at })
      const [oldest] = buckets.keys()
      if (buckets.size > maxKeys && oldest !== undefined) buckets.delete(oldest)
      return allowed
    },
  }
}
