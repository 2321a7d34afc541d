/**
 * What the edge costs in CPU: signed SendMessage calls through the product's own code beside empty routes, in one workerd process. Queues,
 * status store and relay link answer at once, so this is the worker's own part and not that of the platform behind it. The cases take
 * turns, in the reverse order every other round; the load comes from another process. Nothing is asserted on time.
 */
import { fork } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { loadavg, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { watchChild } from './child.ts'
import { bundleWorker } from './edge/bundle.ts'
import {
  allCases,
  loadOf,
  nameOf,
  STAGED,
  type Access,
  type Caller,
  type Case,
} from './edge/cases.ts'
import type { Load, LoadDone } from './edge/load-child.ts'
import { costsOf, profiled, type Costs } from './edge/profile.ts'
import { describeEdge, type Measured } from './edge/report.ts'
import { ADMIN_TOKEN, startEdge, type EdgeServer } from './edge/server.ts'
import type { EdgeFlags } from './flags.ts'

/** So that the code is compiled and the caches are full. */
const WARM_UP_SHARE = 0.2
const RUN_DEADLINE_MS = 300_000
const TOPIC = 'bench'
/** They take turns: what one may send in a second is limited. */
const CALLERS = 4

interface Bench {
  flags: EdgeFlags
  server: EdgeServer
  access: Access
  /** Resolves when all answers are there and right. */
  run: (load: Load) => Promise<void>
}

export async function benchEdge(flags: EdgeFlags, signal: AbortSignal): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'edgehub-bench-'))
  try {
    const bundle = await bundleWorker(folder)
    const loadBefore = loadavg()[0] ?? 0
    const [measured, server] = await withBench(folder, flags, signal, false, async (bench) => [
      await measureAll(bench, signal),
      bench.server,
    ])
    const costs = await profileSend(folder, flags, signal, await readFile(bundle.path, 'utf8'))
    const report = { flags, measured, costs, bundle, server, loadBefore, now: new Date() }
    process.stdout.write(`${describeEdge(report)}\n`)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function measureAll(bench: Bench, signal: AbortSignal): Promise<Measured[]> {
  const { flags, server } = bench
  const measured = allCases().map((which): Measured => ({ which, micros: [] }))
  say('Warming up')
  for (const { which } of measured) {
    await runCase(bench, which, Math.ceil(flags.requests * WARM_UP_SHARE))
  }
  for (let round = 0; round < flags.rounds; round++) {
    say(`Round ${round + 1} of ${flags.rounds}`)
    for (const { which, micros } of round % 2 === 0 ? measured : measured.toReversed()) {
      signal.throwIfAborted()
      const before = await server.cpuSeconds()
      await runCase(bench, which, flags.requests)
      micros.push((((await server.cpuSeconds()) - before) / flags.requests) * 1e6)
    }
  }
  return measured
}

/** In a process of its own, because a profiler slows down what it watches. */
function profileSend(
  folder: string,
  flags: EdgeFlags,
  signal: AbortSignal,
  bundle: string,
): Promise<Costs> {
  return withBench(folder, flags, signal, true, async (bench) => {
    say('Profiling')
    const which: Case = { what: 'send', ...STAGED }
    await runCase(bench, which, flags.requests)
    const profile = await profiled(bench.server.inspector ?? '', () =>
      runCase(bench, which, flags.requests),
    )
    if (flags.profile !== undefined) {
      await mkdir(flags.profile, { recursive: true })
      const path = resolve(flags.profile, 'edge.cpuprofile')
      await writeFile(path, JSON.stringify(profile))
      say(`Profile: ${path}`)
    }
    return costsOf(profile, bundle)
  })
}

async function runCase(
  { flags, server, access, run }: Bench,
  which: Case,
  requests: number,
): Promise<void> {
  const { datahub, topic } = access
  await control(server, '/tell', { datahub, topic, count: which.messages })
  const { connections } = flags
  try {
    await run(loadOf(which, { server, access, requests, connections }))
  } catch (error) {
    throw new Error(`${nameOf(which)}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    })
  }
}

async function withBench<T>(
  folder: string,
  flags: EdgeFlags,
  signal: AbortSignal,
  inspect: boolean,
  use: (bench: Bench) => Promise<T>,
): Promise<T> {
  const server = await startEdge(folder, { inspect, signal })
  try {
    const access = await makeAccess(server)
    const path = fileURLToPath(new URL('./edge/load-child.ts', import.meta.url))
    const child = fork(path, [], { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] })
    const watched = watchChild('load-child', child, signal)
    const run = async (load: Load): Promise<void> => {
      const message = watched.message<LoadDone>(RUN_DEADLINE_MS)
      child.send(load)
      const done = await Promise.race([message, server.gone])
      if (done.status === 'failed') throw new Error(done.problem)
    }
    try {
      return await use({ flags, server, access, run })
    } finally {
      await watched.end(0)
    }
  } finally {
    await server.end()
  }
}

/** A task and credentials, made as an operator does; the topic is found as a relay does it. */
async function makeAccess(server: EdgeServer): Promise<Access> {
  const task = { name: 'bench', topic: TOPIC, qpsLimit: 100_000 }
  const { datahubId } = await create<{ datahubId: string }>(server, '/v1/datahubs', task)
  const callers: Caller[] = []
  for (let i = 0; i < CALLERS; i++) callers.push(await create(server, '/v1/credentials', {}))
  const fit = { topic: TOPIC, status: 'fit', partitions: 3, maxMessageBytes: 1_048_588 }
  await control(server, '/targets', [fit])
  return { datahub: datahubId, topic: TOPIC, callers }
}

async function create<T>({ origins }: EdgeServer, path: string, body: unknown): Promise<T> {
  const answer = await fetch(`${origins.send}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  const text = await answer.text()
  if (answer.status !== 201) throw new Error(`POST ${path}: ${answer.status} ${text}`)
  return JSON.parse(text) as T
}

async function control({ origins }: EdgeServer, path: string, body: unknown): Promise<void> {
  const answer = await fetch(`${origins.control}${path}`, {
    method: 'POST',
    body: JSON.stringify(body),
  })
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`)
}

const say = (line: string) => process.stderr.write(`${line}\n`)
