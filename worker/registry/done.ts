/** The two ends of a change in the control plane. */
import type { Rejection } from '../rejection.ts'
import type { Done } from './control-plane.ts'

export function done<T>(value: T): Done<T> {
  return { status: 'done', value }
}

export type Refused = Extract<Done<never>, { status: 'rejected' }>

export function refused(rejection: Rejection): Refused {
  return { status: 'rejected', rejection }
}
