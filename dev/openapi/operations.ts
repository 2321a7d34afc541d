/** All routes of the worker, described. A test compares with its route table. */
import { CONTROL } from './control.ts'
import { DATA } from './data.ts'
import { INTERNAL } from './internal.ts'
import type { Operations } from './operation.ts'

export const OPERATIONS: Operations = { ...DATA, ...CONTROL, ...INTERNAL }
