/**
 * ModifyDatahubTask, PauseDatahubTask, ResumeDatahubTask, RestartDatahubTask, DeleteDatahubTask. None can change the target: at Tencent only
 * the console can, here only REST.
 */
import * as z from 'zod/mini'
import { rejectionOf } from '../../parse.ts'
import { TaskChanges } from '../../registry/forms.ts'
import { rejected } from '../../rejection.ts'
import type { Action } from '../action.ts'
import { formOf, TASK, unsupportedOf } from './fields.ts'
import { answerOf, idsOf, renamed, taskAction } from './task-action.ts'

const { TaskMax: TasksMax, ...others } = TASK
const FIXED = { TasksMax, ...others }

const NAMES = { name: 'TaskName', description: 'Description' }

export const modifyDatahubTask = taskAction(
  z.strictObject({
    TaskId: z.string(),
    TaskName: z.optional(z.string()),
    Description: z.optional(z.string()),
    ...formOf(FIXED),
  }),
  async ({ TaskId: taskId, TaskName, Description, ...fixed }, { credential }, { control }) => {
    const unsupported = unsupportedOf(FIXED, fixed)
    if (unsupported) return rejected(unsupported)
    const changes = {
      ...(TaskName !== undefined && { name: TaskName }),
      ...(Description !== undefined && { description: Description }),
    }
    const parsed = TaskChanges.safeParse(changes)
    if (!parsed.success) return rejected(renamed(rejectionOf(parsed.error), NAMES))
    const modified = await control.tasks.modify(credential, { taskId }, parsed.data)
    return answerOf(modified, idsOf, NAMES)
  },
)

function change(how: 'pause' | 'resume' | 'restart' | 'delete'): Action {
  return taskAction(
    z.strictObject({ TaskId: z.string() }),
    async ({ TaskId: taskId }, { credential }, { control }) =>
      answerOf(await control.tasks[how](credential, { taskId }), idsOf),
  )
}

export const pauseDatahubTask = change('pause')
export const resumeDatahubTask = change('resume')
export const restartDatahubTask = change('restart')
export const deleteDatahubTask = change('delete')
