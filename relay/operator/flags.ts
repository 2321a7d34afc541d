/** What the command lines of the operator's commands have in common. Pure. */

export const DEFAULT_STATE = '.edgehub'

/** `--dev` may stand alone: the word after it is its folder, unless it is a flag or the command's own. */
export function withStateFolder(
  argv: readonly string[],
  isOwnWord: (word: string) => boolean,
): string[] {
  const args: string[] = []
  for (let i = 0; i < argv.length; i++) {
    const arg = argv[i] ?? ''
    const next = argv[i + 1]
    if (arg !== '--dev') args.push(arg)
    else if (next === undefined || next.startsWith('-') || isOwnWord(next)) {
      args.push(`--dev=${DEFAULT_STATE}`)
    } else {
      args.push(`--dev=${next}`)
      i++
    }
  }
  return args
}

const UNIT_MS: Record<string, number> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }
// A time of day without its zone would mean another moment on another machine.
const ISO = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d))?$/

export const TIME_FORMS = 'a time like 2026-09-21, 2026-09-21T10:00:00Z, 90s, 30m, 2h or 3d'

/** Unix ms; `2h` is counted back from `now`. */
export function readTime(text: string, now: number): number | undefined {
  const ago = readDuration(text)
  if (ago !== undefined) return now - ago
  const time = ISO.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(time) ? undefined : time
}

/** `90s`, `30m`, `2h` or `3d` in ms. */
export function readDuration(text: string): number | undefined {
  const m = /^(\d{1,6})([smhd])$/.exec(text)
  return m ? Number(m[1]) * (UNIT_MS[m[2] ?? ''] ?? 0) : undefined
}

export function wholeNumber(text: string, min: number, max: number): number | undefined {
  const n = Number(text)
  return /^\d+$/.test(text) && n >= min && n <= max ? n : undefined
}
