/** A control plane that remembers what it was asked, and answers as it is told. It knows no rules of states or rights. */
import type { Done, ManagedTask, TaskControl } from '../../../../worker/registry/control-plane.ts'
import type { Rejection } from '../../../../worker/rejection.ts'

export const MANAGED: ManagedTask = {
  datahub: 'datahub-lzxxxxx6',
  taskId: 'task-abcd1234',
  name: 'http-report-1',
  instance: 'ckafka-00000000',
  topic: 'topicDev',
  targetType: 'KAFKA',
  status: 1,
  qpsLimit: 2_000,
  partitions: 3,
  description: 'orders of the shop',
  revision: 4,
  created: Date.UTC(2026, 10, 29, 19, 12, 22, 999),
  changed: Date.UTC(2026, 10, 29, 19, 30),
}

export interface FakeTasks extends TaskControl {
  /** Method and arguments, in order. */
  asked: unknown[][]
}

export function fakeTasks({
  tasks = [MANAGED],
  rejection,
}: { tasks?: ManagedTask[]; rejection?: Rejection } = {}): FakeTasks {
  const asked: unknown[][] = []
  const [task = MANAGED] = tasks
  const done =
    (method: string) =>
    async (...given: unknown[]): Promise<Done<ManagedTask>> => {
      asked.push([method, ...given])
      return rejection ? { status: 'rejected', rejection } : { status: 'done', value: task }
    }
  return {
    asked,
    create: done('create'),
    find: done('find'),
    modify: done('modify'),
    pause: done('pause'),
    resume: done('resume'),
    restart: done('restart'),
    delete: done('delete'),
    async list(by) {
      asked.push(['list', by])
      return rejection ? { status: 'rejected', rejection } : { status: 'done', value: tasks }
    },
  }
}
