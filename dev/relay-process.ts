/** The relay, as its users run it: `node relay/main.ts` with everything in the environment. */
import { join } from 'node:path'
import process from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'
import { Child } from './child.ts'
import { RELAY_NODE_FLAGS, relayRuntime } from './relay-runtime.ts'

export interface RelayOptions {
  root: string
  state: string
  /** Of its log file, too. */
  name: string
  restart: boolean
  /** Failpoints can be armed. */
  failpoints: boolean
  /** Where it serves its health and metrics. */
  ops: string
  env: Readonly<Record<string, string>>
  onChange(): void
  onDeath(how: string, final: boolean): void
}

const EXIT_CONFIG = 78
const READY_DEADLINE_MS = 90_000
const POLL_MS = 50

/** Resolves with its address when it is a member of the group and every shard of its own is booted. @throws when it never is */
export async function startRelay(
  options: RelayOptions,
  onChild: (child: Child) => void,
): Promise<string> {
  const { root, state, name, restart, failpoints, ops, env, onChange, onDeath } = options
  const logFile = join(state, 'logs', `${name}.log`)
  const child = new Child({
    command: process.execPath,
    args: [
      ...RELAY_NODE_FLAGS,
      join(root, 'relay/main.ts'),
      ...(failpoints ? ['--failpoints'] : []),
    ],
    env: { ...process.env, KAFKA_BROKERS: undefined, ...relayRuntime(root), ...env },
    cwd: root,
    logFile,
    restart,
    finalCodes: [EXIT_CONFIG],
    stopDeadlineMs: 12_000,
    onStart: onChange,
    onDeath,
  })
  onChild(child)
  await child.start()
  const deadline = Date.now() + READY_DEADLINE_MS
  while (!(await isReady(ops))) {
    if (child.pid === undefined || Date.now() > deadline) {
      throw new Error(`The relay does not come up. The end of ${logFile}:\n${await child.tail()}`)
    }
    await delay(POLL_MS)
  }
  return ops
}

async function isReady(ops: string): Promise<boolean> {
  try {
    const response = await fetch(new URL('/readyz', ops), { signal: AbortSignal.timeout(2_000) })
    await response.body?.cancel()
    return response.ok
  } catch {
    return false
  }
}
