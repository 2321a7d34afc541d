/**
 * One workerd process that serves the bench's worker, one socket an entrypoint, with nothing in front of it. Its CPU time is read from
 * `/proc`, so this works on Linux only, and says so. Ports are the kernel's choice.
 */
import { spawn } from 'node:child_process'
import { mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import process from 'node:process'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { watchChild, type BenchChild } from '../child.ts'
import { readProduct } from './product.ts'

export const SOCKETS = ['empty', 'send', 'pending', 'stages', 'control'] as const
export type Socket = (typeof SOCKETS)[number]

export const ADMIN_TOKEN = 'admin-token-of-the-bench'

const START_DEADLINE_MS = 20_000
const STOP_GRACE_MS = 2_000

/** What a deployment has as secrets. Calls come from one address, so they are not counted by it. */
const OWN_VARS = {
  INSTANCE_ID: 'ckafka-benchben',
  ADDRESS_RATE_LIMIT: 'off',
  RECEIPT_KEY: 'receipt key of the bench, 32 or more',
  MASTER_KEY: 'master key of the bench, 32 or more!',
  ADMIN_TOKEN,
  RELAY_TOKEN: 'relay-token-of-the-bench',
}

export interface EdgeServer {
  version: string
  compatibilityDate: string
  origins: Readonly<Record<Socket, string>>
  /** `ws://` address of the inspector, when it was asked for. */
  inspector: string | undefined
  /** CPU seconds so far of all threads that it has, user and system. workerd keeps its threads. */
  cpuSeconds(): Promise<number>
  /** Rejects when it ends. */
  gone: Promise<never>
  end(): Promise<void>
}

/** `folder` holds `worker.js`, and what the server writes. */
export async function startEdge(
  folder: string,
  { inspect, signal }: { inspect: boolean; signal: AbortSignal },
): Promise<EdgeServer> {
  if (process.platform !== 'linux') throw new Error('CPU time is read from /proc: Linux only')
  const workerd = createRequire(import.meta.url)('workerd') as { default: string; version: string }
  const { compatibilityDate, vars } = readProduct()
  const objects = await mkdtemp(`${folder}/objects-`)
  const config = `${folder}/config.capnp`
  const bindings = { ...vars, ...OWN_VARS }
  await writeFile(config, configOf({ objects, compatibilityDate, bindings }))
  const inspecting = inspect ? ['--inspector-addr', '127.0.0.1:0'] : []
  const args = ['serve', '--experimental', '--control-fd=3', ...inspecting, config]
  const child = spawn(workerd.default, args, { stdio: ['ignore', 'pipe', 'pipe', 'pipe'] })
  const watched = watchChild('workerd', child, signal)
  const ports = await portsOf(
    child.stdio[3] as Readable,
    inspect ? SOCKETS.length + 1 : SOCKETS.length,
    watched,
  )
  const origin = (socket: Socket): string => `http://127.0.0.1:${ports.get(socket)}`
  return {
    version: workerd.version,
    compatibilityDate,
    origins: Object.fromEntries(SOCKETS.map((s) => [s, origin(s)])) as Record<Socket, string>,
    inspector: inspect ? `ws://127.0.0.1:${ports.get('inspector')}/main` : undefined,
    cpuSeconds: () => cpuSecondsOf(child.pid),
    gone: watched.gone,
    end: () => watched.end(STOP_GRACE_MS),
  }
}

/** workerd says where each socket listens, a line of JSON each. */
async function portsOf(
  lines: Readable,
  expected: number,
  child: BenchChild,
): Promise<Map<string, number>> {
  const ports = new Map<string, number>()
  const all = new Promise<void>((resolve) => {
    createInterface({ input: lines }).on('line', (line) => {
      const {
        event,
        socket = 'inspector',
        port,
      } = JSON.parse(line) as {
        event: string
        socket?: string
        port?: number
      }
      if (event.startsWith('listen') && port !== undefined) ports.set(socket, port)
      if (ports.size === expected) resolve()
    })
  })
  const late = new Promise<never>((_, reject) => {
    const fail = (): void =>
      reject(new Error(`workerd did not listen within ${START_DEADLINE_MS} ms`))
    setTimeout(fail, START_DEADLINE_MS).unref()
  })
  try {
    await Promise.race([all, late, child.gone])
  } catch (error) {
    await child.end(0)
    throw error
  }
  return ports
}

async function cpuSecondsOf(pid: number | undefined): Promise<number> {
  const folder = `/proc/${pid}/task`
  const threads = await readdir(folder)
  const texts = await Promise.all(
    threads.map((tid) => readFile(`${folder}/${tid}/schedstat`, 'utf8')),
  )
  // Its first number is the time on a CPU in ns. `/proc/<pid>/stat` says the same in steps of 10 ms.
  return texts.reduce((sum, stat) => sum + Number(stat.split(' ', 1)[0]), 0) / 1e9
}

interface Config {
  /** Where Durable Objects are stored; SQLite needs a folder. */
  objects: string
  compatibilityDate: string
  bindings: Readonly<Record<string, unknown>>
}

function configOf({ objects, compatibilityDate, bindings }: Config): string {
  const sockets = SOCKETS.map(
    (name) =>
      `( name = ${text(name)}, address = "127.0.0.1:0", http = (), service = (name = "main", entrypoint = ${text(name)}) ),`,
  )
  const vars = Object.entries(bindings).map(
    ([name, value]) => `( name = ${text(name)}, text = ${text(String(value))} ),`,
  )
  return `using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "main", worker = .main),
    (name = "disk", disk = (path = ${text(objects)}, writable = true)),
  ],
  sockets = [ ${sockets.join('\n    ')} ],
);

const main :Workerd.Worker = (
  modules = [ (name = "worker.js", esModule = embed "worker.js") ],
  compatibilityDate = ${text(compatibilityDate)},
  bindings = [
    ${vars.join('\n    ')}
    ( name = "REGISTRY", durableObjectNamespace = "Registry" ),
  ],
  durableObjectNamespaces = [ (className = "Registry", uniqueKey = "registry", enableSql = true) ],
  durableObjectStorage = (localDisk = "disk"),
);
`
}

const text = (value: string): string => JSON.stringify(value)
