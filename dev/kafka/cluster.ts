// A real Apache Kafka on this machine, of one or three nodes, without containers. A folder holds one
// cluster for good: its id, its size and its data outlive every stop and kill. Deletes nothing.
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { isErrno } from '../files.ts'
import { createClusterId } from './cluster-id.ts'
import { ensureKafka } from './fetch.ts'
import { KafkaNode } from './node.ts'
import { findFreePorts, isFree } from './ports.ts'
import { type NodeAddress, serverProperties } from './properties.ts'
import { scramArguments, type SecurityOptions } from './security.ts'

const PORT_STEP = 10
// Each try chooses new ports; see findFreePorts.
const PORT_TRIES = 4
const DEFAULT_HEAP = '320m'
const THROUGHPUT_HEAP = '1g'

export interface KafkaOptions {
  readonly dir: string
  readonly brokers: 1 | 3
  // Broker i (from 0) listens on basePort + 10 × i, its controller on the port after that. Left out
  // or 0: any free ports, other ones at each start.
  readonly basePort?: number
  // As in -Xmx, '320m' by default and '1g' for throughput.
  readonly heap?: string
  // The full compiler and more threads: a slower start, for benchmarks.
  readonly forThroughput?: boolean
  // Leaders of a killed broker move after 3 s instead of 9 s. For fault tests.
  readonly quickFailover?: boolean
  // Listeners with TLS, log-ins, client certificates and ACLs beside the plain one. On free ports only.
  readonly security?: SecurityOptions
  readonly log?: (line: string) => void
}

export interface KafkaCluster {
  // '127.0.0.1:19092', …
  readonly brokers: readonly string[]
  // The same brokers where a password, or a client certificate, is asked for; empty without `security`.
  readonly passwordBrokers: readonly string[]
  readonly certificateBrokers: readonly string[]
  readonly nodes: readonly KafkaNode[]
  // Of the nodes that are up.
  pids(): number[]
  // SIGTERM to all, SIGKILL after 20 s. Safe to call twice.
  stop(): Promise<void>
  // SIGKILL to all: the quick end of a test whose data nobody wants.
  kill(): Promise<void>
}

// Resolves when every node lists every other. If it rejects, nothing is left running.
export async function startKafka(options: KafkaOptions): Promise<KafkaCluster> {
  const log = options.log ?? (() => {})
  if (options.basePort && options.security) throw new Error('security needs free ports')
  const dir = resolve(options.dir)
  const { classPath, classArchive } = await ensureKafka({ onProgress: log })
  const clusterId = await openFolder(dir, options.brokers)
  const jvm = { classPath, jvmArgs: jvmArgs(options, classArchive) }

  if (options.basePort) {
    const addresses = fixedAddresses(options.basePort, options.brokers)
    const nodes = createNodes({ options, dir, clusterId, addresses, jvm, log })
    return startNodes(nodes, addresses, () => refuseTakenPorts(addresses))
  }
  for (let tries = 1; ; tries += 1) {
    const addresses = await freeAddresses(options.brokers, options.security)
    const nodes = createNodes({ options, dir, clusterId, addresses, jvm, log })
    try {
      return await startNodes(nodes, addresses)
    } catch (error) {
      if (tries === PORT_TRIES || !/Address already in use/.test(String(error))) throw error
    }
  }
}

interface NodeSetting {
  readonly options: KafkaOptions
  readonly dir: string
  readonly clusterId: string
  readonly addresses: readonly NodeAddress[]
  readonly jvm: { readonly classPath: string; readonly jvmArgs: readonly string[] }
  readonly log: (line: string) => void
}

function createNodes({ options, dir, clusterId, addresses, jvm, log }: NodeSetting): KafkaNode[] {
  const { quickFailover = false, forThroughput = false, security } = options
  return addresses.map(
    (node) =>
      new KafkaNode({
        id: node.id,
        port: node.port,
        dir: join(dir, `node-${node.id}`),
        clusterId,
        properties: (dataDir) =>
          serverProperties({
            node,
            nodes: addresses,
            dataDir,
            quickFailover,
            forThroughput,
            security,
          }),
        formatArgs: security ? scramArguments(security) : [],
        ...jvm,
        log,
      }),
  )
}

async function startNodes(
  nodes: readonly KafkaNode[],
  addresses: readonly NodeAddress[],
  beforeSpawn?: () => Promise<void>,
): Promise<KafkaCluster> {
  const ids = nodes.map(({ id }) => id)
  const secured = addresses.flatMap((address) => address.secured ?? [])
  // Before the ports are looked at: a left-over node of this folder may hold them.
  for (const node of nodes) await node.endOrphan()
  await beforeSpawn?.()
  const all = async (act: (node: KafkaNode) => Promise<void>): Promise<void> => {
    await Promise.all(nodes.map(act))
  }
  const starts = nodes.map((node) => node.start(ids))
  try {
    await Promise.all(starts)
  } catch (error) {
    // The others may be anywhere in their start: the kill makes it fail, at the latest before the
    // JVM is spawned.
    await all((node) => node.kill())
    await Promise.allSettled(starts)
    throw error
  }
  return {
    brokers: nodes.map(({ port }) => `127.0.0.1:${port}`),
    passwordBrokers: secured.map(({ passwordPort }) => `127.0.0.1:${passwordPort}`),
    certificateBrokers: secured.map(({ certificatePort }) => `127.0.0.1:${certificatePort}`),
    nodes,
    pids: () => nodes.map(({ pid }) => pid).filter((pid) => pid !== undefined),
    stop: () => all((node) => node.stop()),
    kill: () => all((node) => node.kill()),
  }
}

function jvmArgs(options: KafkaOptions, classArchive: string | undefined): string[] {
  const { forThroughput = false } = options
  const heap = options.heap ?? (forThroughput ? THROUGHPUT_HEAP : DEFAULT_HEAP)
  const args = [
    '-Xms128m',
    `-Xmx${heap}`,
    '-XX:+ExitOnOutOfMemoryError',
    '-Djava.awt.headless=true',
  ]
  // The quick compiler and the small collector: half the start and half the memory.
  if (!forThroughput) args.push('-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1')
  if (classArchive !== undefined) args.push(`-XX:SharedArchiveFile=${classArchive}`, '-Xshare:auto')
  return args
}

function fixedAddresses(basePort: number, brokers: number): NodeAddress[] {
  return Array.from({ length: brokers }, (_, index) => {
    const port = basePort + PORT_STEP * index
    return { id: index + 1, port, controllerPort: port + 1 }
  })
}

async function freeAddresses(
  brokers: number,
  security: SecurityOptions | undefined,
): Promise<NodeAddress[]> {
  const each = security ? 4 : 2
  const ports = await findFreePorts(each * brokers)
  return Array.from({ length: brokers }, (_, index) => {
    const [port = 0, controllerPort = 0, passwordPort = 0, certificatePort = 0] = ports.slice(
      each * index,
    )
    const address = { id: index + 1, port, controllerPort }
    return security ? { ...address, secured: { passwordPort, certificatePort } } : address
  })
}

async function refuseTakenPorts(addresses: readonly NodeAddress[]): Promise<void> {
  for (const { id, port, controllerPort } of addresses) {
    for (const wanted of [port, controllerPort]) {
      if (await isFree(wanted)) continue
      throw new Error(
        `Port ${wanted} of 127.0.0.1, which Kafka node ${id} needs, is in use. Stop the process that holds it, or choose another port (--kafka-port).`,
      )
    }
  }
}

// The id under which the folder was formatted, made at the first start. The number of voters is part
// of the data, so a folder cannot change its size.
async function openFolder(dir: string, brokers: number): Promise<string> {
  await mkdir(dir, { recursive: true })
  const path = join(dir, 'cluster.json')
  const known = await readCluster(path)
  if (known === undefined) {
    const clusterId = createClusterId()
    await writeFile(`${path}.new`, JSON.stringify({ clusterId, brokers }))
    await rename(`${path}.new`, path)
    return clusterId
  }
  if (known.brokers === brokers) return known.clusterId
  throw new Error(
    `${dir} holds a Kafka cluster of ${known.brokers} node(s), not ${brokers}. Use --brokers ${known.brokers}, or another folder.`,
  )
}

async function readCluster(
  path: string,
): Promise<{ clusterId: string; brokers: number } | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as { clusterId: string; brokers: number }
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined
    throw error
  }
}
