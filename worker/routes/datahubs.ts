/** `POST /v1/datahubs`, `GET /v1/datahubs`: makes a task and its access point, which takes reports once a relay has found its topic; lists them. */
import { answer, refuse, type AppContext } from '../context.ts'
import { readJsonAs } from '../parse.ts'
import { NewTask } from '../registry/control.ts'
import type { Task } from '../registry/directory.ts'

const MAX_CONTROL_BYTES = 65_536

export async function createDatahub(c: AppContext): Promise<Response> {
  const input = await readJsonAs(c.req.raw, MAX_CONTROL_BYTES, NewTask)
  if (input.status === 'rejected') return refuse(c, input.rejection)
  const created = await c.get('services').control.createTask(input.value)
  if (created.status === 'rejected') return refuse(c, created.rejection)
  return answer(201, show(created.task))
}

export async function listDatahubs(c: AppContext): Promise<Response> {
  const tasks = await c.get('services').control.listTasks()
  return answer(200, { datahubs: tasks.map((task) => show(task)) })
}

/** With what a relay found of its topic, once it has looked. */
function show(task: Task) {
  const { datahub, taskId, name, topic, instance, status } = task
  const { problem, partitions, maxMessageBytes } = task
  return {
    datahubId: datahub,
    taskId,
    name,
    topic,
    instanceId: instance,
    status,
    problem,
    partitions,
    maxMessageBytes,
  }
}
