/** How many cases the fuzz takes and which: read by vitest.config.ts, which alone knows the environment, and given to the tests. */

export interface FuzzOptions {
  cases: number
  /** undefined: another one each time. */
  seed: number | undefined
}

declare module 'vitest' {
  interface ProvidedContext {
    fuzz: FuzzOptions
  }
}

const DEFAULT_CASES = 2_000

/** @throws for what is no whole number */
export function fuzzOptions(
  environment: Readonly<Record<string, string | undefined>>,
): FuzzOptions {
  const numberOf = (name: string): number | undefined => {
    const text = environment[name] ?? ''
    if (text === '') return undefined
    if (!/^-?\d{1,10}$/.test(text)) throw new Error(`${name}=${text}: a whole number is expected`)
    return Number(text)
  }
  return { cases: numberOf('FUZZ_CASES') ?? DEFAULT_CASES, seed: numberOf('FUZZ_SEED') }
}
