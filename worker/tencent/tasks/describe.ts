/** DescribeDatahubTask and DescribeDatahubTasks: tasks as the credential may see them. */
import * as z from 'zod/mini'
import { result, whole } from '../action.ts'
import { SOURCE_TYPE, TASK_TYPE, taskDetail, taskInfo } from './show.ts'
import { answerOf, taskAction } from './task-action.ts'

export const describeDatahubTask = taskAction(
  z.strictObject({ TaskId: z.string() }),
  async ({ TaskId: taskId }, { credential }, { control }) =>
    answerOf(await control.tasks.find(credential, { taskId }), taskDetail),
)

/** Tasks in one answer; more are not refused but not given, as at Tencent. */
const MAX_TASKS_SHOWN = 100

/** An empty one does not filter. */
const Filter = z._default(z.string(), '')

export const describeDatahubTasks = taskAction(
  z.strictObject({
    Limit: z._default(whole(1, Number.MAX_SAFE_INTEGER), 20),
    Offset: z._default(whole(0, Number.MAX_SAFE_INTEGER), 0),
    SearchWord: Filter,
    TargetType: Filter,
    TaskType: Filter,
    SourceType: Filter,
    Resource: Filter,
  }),
  async ({ Limit, Offset, SearchWord, Resource, ...types }, { credential }, { control }) => {
    const word = SearchWord.toLowerCase()
    const fits = (filter: string, ...values: string[]): boolean =>
      filter === '' || values.includes(filter)
    const all = await control.tasks.list(credential)
    if (all.status === 'rejected') return all
    const tasks = all.value.filter(
      ({ name, instance, topic, targetType }) =>
        name.toLowerCase().includes(word) &&
        fits(types.TargetType, targetType) &&
        fits(types.TaskType, TASK_TYPE) &&
        fits(types.SourceType, SOURCE_TYPE) &&
        fits(Resource, instance, topic),
    )
    const page = tasks.slice(Offset, Offset + Math.min(Limit, MAX_TASKS_SHOWN))
    return result({ TotalCount: tasks.length, TaskList: page.map(taskInfo) })
  },
)
