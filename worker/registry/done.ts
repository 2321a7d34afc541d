/** What a change in the control plane answers when it was made; when not, it is `rejected`. */
import type { Done } from './control-plane.ts'

export function done<T>(value: T): Done<T> {
  return { status: 'done', value }
}
