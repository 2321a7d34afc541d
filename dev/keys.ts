/**
 * The local stack's own secrets and its name: generated once, kept in its state folder, the same after every restart. Each folder has an
 * instance id of its own, so that two stacks on one Kafka cluster have two ledgers.
 */
import { randomBytes, randomInt } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import * as z from 'zod'
import { InstanceId } from '#contract'
import { isErrno, writeAtomically } from './files.ts'

const Keys = z.object({
  instanceId: InstanceId,
  receiptKey: z.string(),
  masterKey: z.string(),
  adminToken: z.string(),
  relayToken: z.string(),
  queueToken: z.string(),
})
export type Keys = z.infer<typeof Keys>

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz0123456789'

export async function openKeys(path: string): Promise<Keys> {
  try {
    return Keys.parse(JSON.parse(await readFile(path, 'utf8')))
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) {
      throw new Error(`${path} can't be read; without its keys the data beside it is of no use`, {
        cause: error,
      })
    }
  }
  const secret = () => randomBytes(32).toString('base64url')
  const keys: Keys = {
    instanceId: `ckafka-${Array.from({ length: 8 }, () => ALPHABET[randomInt(ALPHABET.length)]).join('')}`,
    receiptKey: secret(),
    masterKey: secret(),
    adminToken: secret(),
    relayToken: secret(),
    queueToken: secret(),
  }
  await writeAtomically(path, `${JSON.stringify(keys, undefined, 2)}\n`)
  return keys
}
