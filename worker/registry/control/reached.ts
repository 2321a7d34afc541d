/** Asking the registry object: one that fails or is slow is away, and whether it did what was asked is then not known. */
import { withinMs } from '../../time-limit.ts'
import { UnavailableError } from '../../unavailable.ts'
import type { Manager } from '../control-plane.ts'

const CALL_LIMIT_MS = 10_000

/** @throws UnavailableError */
export async function reached<T>(asked: Promise<T>): Promise<T> {
  try {
    return await withinMs(CALL_LIMIT_MS, asked)
  } catch (cause) {
    throw new UnavailableError('the registry can not be reached', { cause })
  }
}

/** How the registry and the audit log name who asks. */
export function nameOf(by: Manager): string {
  return by === 'admin' ? by : by.secretId
}
