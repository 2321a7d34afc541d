/** Small files that others may read at any moment: written beside and renamed, for their owner only. */
import { rename, writeFile } from 'node:fs/promises'
import process from 'node:process'

export async function writeAtomically(path: string, text: string): Promise<void> {
  const beside = `${path}.${process.pid}`
  await writeFile(beside, text, { mode: 0o600 })
  await rename(beside, path)
}

export function isErrno(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
