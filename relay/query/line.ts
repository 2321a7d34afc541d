/**
 * So many at once, the others wait in the order in which they came. Knows nothing of what they do.
 */
export interface Line {
  /** Resolves when it is one's turn, with what ends it. @throws the signal's reason */
  enter(signal: AbortSignal): Promise<() => void>
}

export function createLine(atOnce: number): Line {
  const waiting = new Set<() => void>()
  let inside = 0
  const leave = () => {
    inside--
    const [next] = waiting
    next?.()
  }
  /** Leaving twice would let two in. */
  const place = (): (() => void) => {
    inside++
    let isIn = true
    return () => {
      if (isIn) leave()
      isIn = false
    }
  }
  return {
    async enter(signal) {
      signal.throwIfAborted()
      if (inside < atOnce) return place()
      const { promise, resolve, reject } = Promise.withResolvers<() => void>()
      const admit = () => {
        waiting.delete(admit)
        signal.removeEventListener('abort', giveUp)
        resolve(place())
      }
      const giveUp = () => {
        waiting.delete(admit)
        reject(signal.reason as Error)
      }
      waiting.add(admit)
      signal.addEventListener('abort', giveUp, { once: true })
      return promise
    },
  }
}
