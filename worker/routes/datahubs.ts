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
import { answerDone, answerWithTag, readNew, routesOf } from './managed.ts'

export async function createDatahub(c: AppContext): Promise<Response> {
  const input = await readNew(c, NewTask)
  if (input.status === 'rejected') return refuse(c, input.rejection)
  const created = await tasksOf(c).create(c.get('manager'), input.value)
  return answerDone(c, created, (task) =>
    answerWithTag(201, show(task), { Location: `/v1/datahubs/${task.datahub}` }),
  )
}

const datahubs = routesOf({
  list: 'datahubs',
  filters: ['name'],
  changes: TaskChanges,
  keyOf: (task) => [task.created, task.datahub],
  show,
  async all(c, { name = '' }) {
    const all = await tasksOf(c).list(c.get('manager'))
    return all.status === 'done' ? done(all.value.filter((t) => t.name.includes(name))) : all
  },
  find,
  modify: (c, changes, guard) => tasksOf(c).modify(c.get('manager'), refOf(c), changes, guard),
})

export const { list: listDatahubs, get: getDatahub, change: changeDatahub } = datahubs

export const deleteDatahub = changesState('delete', 202)
export const pauseDatahub = changesState('pause', 200)
export const resumeDatahub = changesState('resume', 200)
export const restartDatahub = changesState('restart', 200)

function changesState(
  change: 'delete' | 'pause' | 'resume' | 'restart',
  status: 200 | 202,
): (c: AppContext) => Promise<Response> {
  return (c) =>
    datahubs.act(
      c,
      (guard) => tasksOf(c)[change](c.get('manager'), refOf(c), guard),
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
