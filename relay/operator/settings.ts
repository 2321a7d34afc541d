/**
 * Where the operator's commands get their cluster from: the environment, with the relay's own variables, or the file that a local stack
 * writes. All problems are listed at once. Reads neither `process` nor files itself.
 */
import * as z from 'zod'
import type { ReadFile } from '../kafka/settings.ts'

export type SettingsResult<S> =
  | { status: 'ok'; settings: S }
  | { status: 'invalid'; problems: string[] }

export const Origin = z
  .url({ protocol: /^https?$/ })
  // Asked also of what is no URL; that has its own message.
  .refine((url) => (URL.parse(url)?.pathname ?? '/') === '/', 'must be an origin, without a path')

/** An empty variable is how a shell or a container file says "not set". */
export function presentOf(
  env: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) => (value ? [[name, value]] : [])),
  )
}

/** What is said when a command can't start for want of its settings. */
export function settingsNote(problems: readonly string[]): string {
  return [
    'The settings are not right; they come from the environment, or with --dev from a local stack:',
    ...problems.map((problem) => `  ${problem}`),
  ].join('\n')
}

/** One line each; none without an error. */
export function problemsOf(error: z.ZodError | undefined): string[] {
  return (error?.issues ?? []).map((i) => `${i.path.join('.')}: ${i.message}`)
}

/** What a command needs of `<state>/dev.json`, which the local stack writes while it runs. */
export function readStackFile<T>(
  file: string,
  schema: z.ZodType<T>,
  readFile: ReadFile,
): SettingsResult<T> {
  let json: unknown
  try {
    json = JSON.parse(readFile(file))
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error)
    const problem = `${file} can't be read; it is there while the local stack runs: ${said}`
    return { status: 'invalid', problems: [problem] }
  }
  const parsed = schema.safeParse(json)
  return parsed.success
    ? { status: 'ok', settings: parsed.data }
    : {
        status: 'invalid',
        problems: problemsOf(parsed.error).map((problem) => `${file}: ${problem}`),
      }
}
