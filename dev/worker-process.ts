/** The pull simulator and the worker, in one wrangler. The simulator is listed first: it is the one that answers HTTP. */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'
import { Child } from './child.ts'
import { writeAtomically } from './files.ts'

export interface WorkerOptions {
  root: string
  state: string
  port: number
  api: string
  restart: boolean
  /** Vars and secrets of both workers. */
  vars: Readonly<Record<string, string>>
  onChange(): void
  onDeath(how: string, final: boolean): void
}

/** No calls home, no prompts, no registry shared with other stacks of this machine. */
const QUIET = {
  CI: 'true',
  CLOUDFLARE_CF_FETCH_ENABLED: 'false',
  WRANGLER_HIDE_BANNER: 'true',
  WRANGLER_SEND_METRICS: 'false',
  // Both record every request, which takes more of the processor than the worker itself.
  X_LOCAL_EXPLORER: 'false',
  X_LOCAL_OBSERVABILITY: 'false',
}
const READY_DEADLINE_MS = 90_000
const POLL_MS = 50

/** Resolves when the worker answers. `onChild` gets the child before that, so that it can be stopped. @throws when it never answers */
export async function startWorker(
  options: WorkerOptions,
  onChild: (child: Child) => void,
): Promise<Child> {
  const { root, state, port, api, restart, vars, onChange, onDeath } = options
  const envFile = join(state, 'dev.env')
  await mkdir(join(state, 'registry'), { recursive: true })
  await writeAtomically(
    envFile,
    Object.entries(vars)
      .map(([name, value]) => `${name}=${value}\n`)
      .join(''),
  )
  const child = new Child({
    command: process.execPath,
    args: [
      join(root, 'node_modules/wrangler/bin/wrangler.js'),
      'dev',
      ...['-c', join(root, 'dev/queue-pull/wrangler.toml'), '-c', join(root, 'wrangler.toml')],
      ...['--env-file', envFile, '--persist-to', join(state, 'worker')],
      ...['--ip', '127.0.0.1', '--port', String(port), '--inspector-port', '0'],
      ...['--show-interactive-dev-session=false', '--log-level=warn'],
    ],
    env: {
      ...process.env,
      ...QUIET,
      WRANGLER_REGISTRY_PATH: join(state, 'registry'),
      WRANGLER_LOG_PATH: join(state, 'logs'),
    },
    cwd: root,
    logFile: join(state, 'logs/worker.log'),
    restart,
    stopDeadlineMs: 10_000,
    onStart: onChange,
    onDeath,
  })
  onChild(child)
  await child.start()
  const deadline = Date.now() + READY_DEADLINE_MS
  while (!(await answers(new URL('/livez', api)))) {
    if (child.pid === undefined || Date.now() > deadline) {
      throw new Error(
        `The worker does not come up. The end of ${join(state, 'logs/worker.log')}:\n${await child.tail()}`,
      )
    }
    await delay(POLL_MS)
  }
  onChange()
  return child
}

async function answers(url: URL): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(2_000) })
    await response.body?.cancel()
    return response.ok
  } catch {
    return false
  }
}
