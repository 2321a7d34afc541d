/** Waiting times. Pure: `random` is a parameter. */

export interface BackoffOptions {
  firstMs: number
  maxMs: number
}

/** Full jitter between half of and the whole exponential step, so that many relays don't come back together. */
export function backoffMs(
  failures: number,
  { firstMs, maxMs }: BackoffOptions,
  random: () => number,
): number {
  const step = Math.min(firstMs * 2 ** Math.max(failures - 1, 0), maxMs)
  return step / 2 + (random() * step) / 2
}
