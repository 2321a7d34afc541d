/**
 * A task's states: which change leads from which to which, and what time makes of a stored one. Pure. A state that ends by itself (pausing,
 * resuming, deleting) is stored with the time at which it began; whoever reads it later derives what it has become.
 */
import { MAX_AGE_MS } from './ageing-cache.ts'
import type { TaskStatus } from './directory.ts'

/** After this no edge can still act on the state of before: none serves what it read earlier than this ago. */
export const SPREAD_MS = MAX_AGE_MS

/** What a stored status is now. `since` and `now` are Unix ms. */
export function statusAt(stored: TaskStatus, since: number, now: number): TaskStatus {
  if (now - since < SPREAD_MS) return stored
  switch (stored) {
    case 2:
      return 3
    case 5:
      return 6
    case 8:
      return 1
    default:
      return stored
  }
}

export type StateChange = 'pause' | 'resume' | 'restart' | 'delete'

/** The status to store, `unchanged` for one that is there or on its way already, or `refused`. */
export function afterChange(
  change: StateChange,
  status: TaskStatus,
): TaskStatus | 'unchanged' | 'refused' {
  switch (change) {
    case 'pause':
      if (status === 1 || status === 8) return 5
      return status === 5 || status === 6 ? 'unchanged' : 'refused'
    case 'resume':
      if (status === 5 || status === 6) return 8
      return status === 1 || status === 8 ? 'unchanged' : 'refused'
    case 'restart':
      return status === 2 || status === 3 ? 'refused' : 0
    case 'delete':
      if (status === 2) return 'unchanged'
      return status === 3 ? 'refused' : 2
  }
}

/** One that is resuming does: whoever knows that much knows the newest. */
export function takesReports(status: TaskStatus): boolean {
  return status === 1 || status === 8
}
