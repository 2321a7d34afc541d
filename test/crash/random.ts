// Randomness that a seed repeats. Pure.

export interface Random {
  // 0 ≤ x < 1.
  next(): number
  // Whole, from 0 to below n.
  below(n: number): number
  pick<T>(of: readonly T[]): T
  shuffled<T>(of: readonly T[]): T[]
  // Another sequence, which takes nothing out of this one.
  fork(name: string): Random
}

export function createRandom(seed: number): Random {
  let state = seed | 0
  // Mulberry32: 32 bits of state are plenty for plans and loads.
  const next = () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (n: number) => Math.floor(next() * n)
  return {
    next,
    below,
    pick(of) {
      const picked = of[below(of.length)]
      if (picked === undefined) throw new Error('nothing to pick from')
      return picked
    },
    shuffled(of) {
      const all = [...of]
      for (let i = all.length - 1; i > 0; i--) {
        const j = below(i + 1)
        const [a, b] = [all[i], all[j]]
        if (a !== undefined && b !== undefined) [all[i], all[j]] = [b, a]
      }
      return all
    },
    fork: (name) =>
      createRandom(Buffer.from(name).reduce((hash, byte) => Math.imul(hash, 31) + byte, seed)),
  }
}
