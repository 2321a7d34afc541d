/** Registry objects of their own for tests, things to put into them, and a clock that they share with the test. */
import { env } from 'cloudflare:workers'
import { vi } from 'vitest'
import type { Done } from '../../../worker/registry/control-plane.ts'
import type { DrawnCredential } from '../../../worker/registry/credentials-table.ts'
import type { Registry } from '../../../worker/registry/registry.ts'
import type { DrawnTask } from '../../../worker/registry/tasks-table.ts'
import type { Rejection } from '../../../worker/rejection.ts'

export const ADMIN = 'admin'
/** When the clock is first set. */
export const START = Date.UTC(2026, 10, 29)

export const newRegistry = (): Stub => env.REGISTRY.getByName(crypto.randomUUID())

/** Object and test run in one isolate, so they have one clock. */
export function setClock(now: number): void {
  vi.useFakeTimers({ toFake: ['Date'], now })
}

/** The n-th one: each has its own ids and its own name. */
export function drawnTask(n: number, more: Partial<DrawnTask> = {}): DrawnTask {
  const id = String(n).padStart(8, '0')
  return {
    datahub: `datahub-${id}`,
    taskId: `task-${id}`,
    name: `task${n}`,
    instance: 'ckafka-devlocal',
    topic: `topic${n}`,
    description: '',
    qpsLimit: 2_000,
    ...more,
  }
}

export function drawnCredential(n: number, more: Partial<DrawnCredential> = {}): DrawnCredential {
  return {
    secretId: `AKID${n}`,
    name: '',
    sealedKey: `sealed ${n}`,
    scopes: ['send'],
    datahubs: 'all',
    ...more,
  }
}

export const fit = (topic: string, partitions = 3) =>
  ({ topic, status: 'fit', partitions, maxMessageBytes: 1_000 }) as const
export const unfit = (topic: string) =>
  ({ topic, status: 'unfit', reason: 'topic_not_found' }) as const

export function valueOf<T>(result: Done<T> | 'id_taken'): T {
  if (result === 'id_taken') throw new Error('the id is taken')
  if (result.status === 'rejected') throw new Error(JSON.stringify(result.rejection))
  return result.value
}

export function rejectionOf(result: Done<unknown> | 'id_taken'): Rejection {
  if (result === 'id_taken' || result.status === 'done') throw new Error('it was not refused')
  return result.rejection
}

export type Stub = DurableObjectStub<Registry>

/** The first task's. */
export const one = { datahub: drawnTask(1).datahub }

/** A registry with the first task, which waits for a relay. */
export async function withTask(more: Partial<DrawnTask> = {}): Promise<Stub> {
  const registry = newRegistry()
  valueOf(await registry.createTask(ADMIN, drawnTask(1, more)))
  return registry
}

/** The same, once a relay has found its topic. */
export async function withRunning(more: Partial<DrawnTask> = {}): Promise<Stub> {
  const registry = await withTask(more)
  await registry.applyTargets([fit(drawnTask(1, more).topic)])
  return registry
}

/** Who did what to what, newest first. */
export async function logged(registry: Stub): Promise<string[]> {
  return valueOf(await registry.auditLog(ADMIN, { limit: 100 })).map(
    ({ by, action, target }) => `${by} ${action} ${target}`,
  )
}
