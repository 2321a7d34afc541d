/** The local stack's own secrets: generated once, kept in its state folder, the same after every restart. */
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import * as z from 'zod'
import { isMissing, writeAtomically } from './files.ts'

const Keys = z.object({
  receiptKey: z.string(),
  masterKey: z.string(),
  adminToken: z.string(),
  relayToken: z.string(),
  queueToken: z.string(),
})
export type Keys = z.infer<typeof Keys>

export async function openKeys(path: string): Promise<Keys> {
  try {
    return Keys.parse(JSON.parse(await readFile(path, 'utf8')))
  } catch (error) {
    if (!isMissing(error)) throw new Error(`${path} can't be read; without its keys the data beside it is of no use`, { cause: error })
  }
  const secret = () => randomBytes(32).toString('base64url')
  const keys: Keys = {
    receiptKey: secret(),
    masterKey: secret(),
    adminToken: secret(),
    relayToken: secret(),
    queueToken: secret(),
  }
  await writeAtomically(path, `${JSON.stringify(keys, undefined, 2)}\n`)
  return keys
}
