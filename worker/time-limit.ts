/** A time limit for promises of platform calls, which may stall far longer than any client waits (cloudflare: workerd#6053). */

export class TimeLimitError extends Error {
  override name = 'TimeLimitError'
}

/** @throws TimeLimitError when the promise has not settled in time. It goes on; its late result is dropped. */
export async function withinMs<T>(ms: number, promise: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | null = null
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new TimeLimitError(`no answer within ${ms} ms`)), ms)
  })
  try {
    return await Promise.race([promise, limit])
  } finally {
    clearTimeout(timer)
  }
}
