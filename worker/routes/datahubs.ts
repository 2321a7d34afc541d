/**
 * `/v1/datahubs`, `/v1/datahubs/{datahub}` and its actions: tasks and their access points, named by the datahub. A deleted one is not
 * there. What may be done in which state, and by whom, is the control plane's to say.
 */
import { refuse, type AppContext } from '../context.ts'
import type { Done, ManagedTask, TaskControl } from '../registry/control-plane.ts'
import { STATES } from '../registry/directory.ts'
import { done } from '../registry/done.ts'
import { NewTask, TaskChanges } from '../registry/forms.ts'
import { rejected } from '../rejection.ts'
import {
  answerDone,
  answerPage,
  answerUnlessKnown,
  answerWithTag,
  changeIf,
  readChanges,
  readNew,
} from './managed.ts'

export async function createDatahub(c: AppContext): Promise<Response> {
  const input = await readNew(c, NewTask)
  if (input.status === 'rejected') return refuse(c, input.rejection)
  const created = await tasksOf(c).create(c.get('manager'), input.value)
  return answerDone(c, created, (task) =>
    answerWithTag(201, show(task), { Location: `/v1/datahubs/${task.datahub}` }),
  )
}

export function listDatahubs(c: AppContext): Promise<Response> {
  return answerPage(
    c,
    'datahubs',
    async ({ name = '' }) => {
      const all = await tasksOf(c).list(c.get('manager'))
      return all.status === 'done' ? done(all.value.filter((t) => t.name.includes(name))) : all
    },
    { keyOf: (task) => [task.created, task.datahub], show, filters: ['name'] },
  )
}

export async function getDatahub(c: AppContext): Promise<Response> {
  return answerDone(c, await find(c), (task) => answerUnlessKnown(c, show(task)))
}

export async function changeDatahub(c: AppContext): Promise<Response> {
  const input = await readChanges(c, TaskChanges)
  if (input.status === 'rejected') return refuse(c, input.rejection)
  return act(c, 200, (tasks, ref, guard) => tasks.modify(c.get('manager'), ref, input.value, guard))
}

export function deleteDatahub(c: AppContext): Promise<Response> {
  return act(c, 202, (tasks, ref, guard) => tasks.delete(c.get('manager'), ref, guard))
}

export function pauseDatahub(c: AppContext): Promise<Response> {
  return act(c, 200, (tasks, ref, guard) => tasks.pause(c.get('manager'), ref, guard))
}

export function resumeDatahub(c: AppContext): Promise<Response> {
  return act(c, 200, (tasks, ref, guard) => tasks.resume(c.get('manager'), ref, guard))
}

export function restartDatahub(c: AppContext): Promise<Response> {
  return act(c, 200, (tasks, ref, guard) => tasks.restart(c.get('manager'), ref, guard))
}

function act(
  c: AppContext,
  status: 200 | 202,
  change: (
    tasks: TaskControl,
    ref: { datahub: string },
    guard: { ifRevision?: number },
  ) => Promise<Done<ManagedTask>>,
): Promise<Response> {
  return changeIf(
    c,
    () => find(c),
    (guard) => change(tasksOf(c), refOf(c), guard),
    (task) => answerWithTag(status, show(task)),
  )
}

async function find(c: AppContext): Promise<Done<ManagedTask>> {
  const ref = refOf(c)
  const found = await tasksOf(c).find(c.get('manager'), ref)
  return found.status === 'done' && found.value.status === 3
    ? rejected({ reason: 'datahub_not_found', ...ref })
    : found
}

function tasksOf(c: AppContext): TaskControl {
  return c.get('services').control.tasks
}

function refOf(c: AppContext): { datahub: string } {
  return { datahub: c.req.param('datahub') ?? '' }
}

/** With what a relay found of its topic, once it has looked. */
function show(task: ManagedTask) {
  const { datahub, taskId, name, description, topic, instance, status } = task
  const { problem, partitions, maxMessageBytes, nextTopic, nextProblem } = task
  const { createTopic, schema, qpsLimit, created, changed, revision } = task
  return {
    datahubId: datahub,
    taskId,
    name,
    description,
    topic,
    instanceId: instance,
    status,
    state: STATES[status],
    problem,
    partitions,
    maxMessageBytes,
    nextTopic,
    nextProblem,
    createTopic,
    schemaId: schema?.schemaId,
    qpsLimit,
    created,
    changed,
    revision,
  }
}
