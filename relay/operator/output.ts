/** What an operator's command writes, and what it says of an error. The streams are given. */
import type { Writable } from 'node:stream'
import { explain } from '../kafka/explain.ts'
import { Trouble } from './trouble.ts'

/** Exit codes of every command, beside 0. */
export const EXIT_TROUBLE = 1
export const EXIT_USAGE = 2
export const EXIT_SETTINGS = 78

/** Where a command writes to. */
export interface Output {
  /** One piece of the result, to be followed by a line end. Resolves when more may be written. */
  print(text: string): Promise<void>
  /** Something beside the result. */
  note(text: string): void
}

/** @param onClosed the reader of stdout has seen enough (`| head`), which is no error */
export function outputTo(
  { stdout, stderr }: { stdout: Writable; stderr: Writable },
  onClosed: () => void,
): Output {
  stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
    onClosed()
  })
  return {
    print: (text) =>
      new Promise((resolve) => {
        if (stdout.write(`${text}\n`)) resolve()
        else stdout.once('drain', resolve)
      }),
    note: (text) => void stderr.write(`${text}\n`),
  }
}

/** A stack only for what is a fault of the program. */
export function sentenceOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const explained = explain(error)
  if (explained instanceof Error && (explained !== error || isExpected(error))) {
    return explained.message
  }
  return error.stack ?? error.message
}

function isExpected({ name }: Error): boolean {
  return name === Trouble.name || name.startsWith('KafkaJS')
}
