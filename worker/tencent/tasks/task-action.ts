/** What the DatahubTask actions share: scope, rate, the form of their answers, and the names of fields in refusals. */
import type { Refusal } from '../../query/view.ts'
import type { Done, ManagedTask } from '../../registry/control-plane.ts'
import { rejected, type Rejection } from '../../rejection.ts'
import { defineAction, result, type Action, type ActionRules, type Answered } from '../action.ts'

/** 20 calls a second are documented for Create and Describe, and assumed for the others. */
export function taskAction<T>(
  parameters: ActionRules<T>['parameters'],
  run: Parameters<typeof defineAction<T>>[1],
): Action {
  return defineAction({ scope: 'manage', perSecond: 20, parameters }, run)
}

/** The control plane's names → those that the client wrote. */
export type PathNames = Readonly<Record<string, string>>

/** The task as `show` has it, or the refusal with the names of fields as the client wrote them. */
export function answerOf(
  done: Done<ManagedTask>,
  show: (task: ManagedTask) => object,
  names: PathNames = {},
): Answered | Refusal {
  if (done.status === 'rejected') return rejected(renamed(done.rejection, names))
  return result(show(done.value))
}

/** What all actions answer that change a task. */
export const idsOf = ({ taskId, datahub }: ManagedTask) => ({
  TaskId: taskId,
  DatahubId: datahub,
})

/** The same refusal, its path as the client wrote it. */
export function renamed(rejection: Rejection, names: PathNames): Rejection {
  if (!('path' in rejection) || rejection.path === undefined) return rejection
  const name = names[rejection.path]
  return name === undefined ? rejection : { ...rejection, path: name }
}
