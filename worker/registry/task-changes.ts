/**
 * What a wish for a change makes of a task. Pure: says which fields change, or that none does. What is refused and why is decided by whoever
 * holds the other rows.
 */
import type { TaskStatus } from './directory.ts'
import type { CreateTopic, TaskChanges } from './forms.ts'

/** What of a task can change after it was made. */
export interface ChangeableTask {
  name: string
  topic: string
  status: TaskStatus
  description: string
  qpsLimit: number
  schemaId: string | null
  nextTopic: string | null
  /** Of the topic that is waited for: the next one when there is one. */
  createTopic: CreateTopic | null
}

/** Only fields that change; none when the task is so already. `status` is what the stored one is now. */
export function fieldsChanged(
  task: ChangeableTask,
  status: TaskStatus,
  changes: TaskChanges,
): Partial<ChangeableTask> {
  const { name, description, qpsLimit, schemaId } = changes
  const wanted: Partial<ChangeableTask> = {
    ...(name !== undefined && { name }),
    ...(description !== undefined && { description }),
    ...(qpsLimit !== undefined && { qpsLimit }),
    ...(schemaId !== undefined && { schemaId }),
    ...targetWanted(task, status, changes),
  }
  const differs = Object.entries(wanted).filter(
    ([field, value]) =>
      JSON.stringify(value) !== JSON.stringify(task[field as keyof ChangeableTask]),
  )
  return Object.fromEntries(differs)
}

/**
 * A task that takes no reports for want of its topic gets the new one at once. Another one keeps its topic until the new one is found fit;
 * wishing for the topic that it has takes a pending change back.
 */
function targetWanted(
  task: ChangeableTask,
  status: TaskStatus,
  { topic, createTopic: given }: TaskChanges,
): Partial<ChangeableTask> {
  const waits = status === -1 || status === 0
  const pending = task.nextTopic ?? task.topic
  // Creating belongs to the topic: asked for one, it does not hold for another.
  const createTopic = given ?? (topic === undefined || topic === pending ? task.createTopic : null)
  const creates = JSON.stringify(createTopic) !== JSON.stringify(task.createTopic)
  if (topic === undefined) return creates ? { createTopic, ...(waits && { status: 0 }) } : {}
  if (!waits) return { nextTopic: topic === task.topic ? null : topic, createTopic }
  const isSame = topic === task.topic && task.nextTopic === null
  return isSame && !creates ? {} : { topic, nextTopic: null, createTopic, status: 0 }
}
