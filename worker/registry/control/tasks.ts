/** Tasks in the control plane: draws ids, passes changes on to the registry, and has the relays look where a task waits for a topic. */
import type { InstanceId } from '#contract'
import { rejected } from '../../rejection.ts'
import type { Done, ManagedTask, TaskControl, TaskRef } from '../control-plane.ts'
import type { TaskChanges } from '../forms.ts'
import { LOWERCASE_ALPHABET, randomText } from '../random-text.ts'
import type { StateChange } from '../task-status.ts'
import type { DrawnTask } from '../tasks-table.ts'
import { nameOf, reached } from './reached.ts'

/** What it asks of the registry object. */
export interface TaskRegistry {
  createTask: (by: string, task: DrawnTask) => Promise<Done<ManagedTask> | 'id_taken'>
  readTask: (by: string, ref: TaskRef) => Promise<Done<ManagedTask>>
  listTasks: (by: string) => Promise<Done<ManagedTask[]>>
  modifyTask: (
    by: string,
    ref: TaskRef,
    changes: TaskChanges,
    ifRevision: number | undefined,
  ) => Promise<Done<ManagedTask>>
  changeTaskState: (
    by: string,
    ref: TaskRef,
    change: StateChange,
    ifRevision: number | undefined,
  ) => Promise<Done<ManagedTask>>
}

export interface TaskControlDeps {
  instance: InstanceId
  registry: TaskRegistry
  randomBytes: (length: number) => Uint8Array<ArrayBuffer>
  /** There is a target topic that no relay may have looked at. Never fails; nobody waits for it. */
  onNewTarget: () => void
}

export function createTaskControl(deps: TaskControlDeps): TaskControl {
  const { registry, randomBytes } = deps
  const drawId = (kind: string): string =>
    `${kind}-${randomText(LOWERCASE_ALPHABET, 8, randomBytes)}`

  /** A task that waits for a topic waits for a relay to look at it. */
  function looked(result: Done<ManagedTask>): Done<ManagedTask> {
    if (result.status === 'done') {
      const { status, nextTopic } = result.value
      if (status === 0 || nextTopic !== undefined) deps.onNewTarget()
    }
    return result
  }

  const changesState =
    (change: StateChange): TaskControl['pause'] =>
    (by, ref, guard) =>
      reached(registry.changeTaskState(nameOf(by), ref, change, guard?.ifRevision))
  const restart = changesState('restart')

  return {
    async create(by, { instance = deps.instance, ...input }) {
      if (instance !== deps.instance) {
        const problem = `this deployment serves ${deps.instance} only.`
        return rejected({ reason: 'invalid_value', path: 'instance', problem })
      }
      for (;;) {
        const ids = { datahub: drawId('datahub'), taskId: drawId('task') }
        const created = await reached(
          registry.createTask(nameOf(by), { ...input, ...ids, instance }),
        )
        if (created !== 'id_taken') return looked(created)
      }
    },

    find: (by, ref) => reached(registry.readTask(nameOf(by), ref)),
    list: (by) => reached(registry.listTasks(nameOf(by))),

    async modify(by, ref, changes, guard) {
      const asked = registry.modifyTask(nameOf(by), ref, changes, guard?.ifRevision)
      return looked(await reached(asked))
    },

    pause: changesState('pause'),
    resume: changesState('resume'),
    restart: async (by, ref, guard) => looked(await restart(by, ref, guard)),
    delete: changesState('delete'),
  }
}
