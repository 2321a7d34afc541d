// Writes the server.properties of one combined node (broker and controller) of a cluster on this
// machine. Pure. Sources: https://kafka.apache.org/documentation/#configuration; the smaller numbers
// make a node fit into a heap of 320 MB.
import {
  listenersOf,
  SECURED_PROTOCOLS,
  securityProperties,
  type SecuredPorts,
  type SecurityOptions,
} from './security.ts'

export interface NodeAddress {
  readonly id: number
  readonly port: number
  readonly controllerPort: number
  // Only where there is a security.
  readonly secured?: SecuredPorts
}

export interface PropertiesOptions {
  readonly node: NodeAddress
  readonly nodes: readonly NodeAddress[]
  readonly dataDir: string
  readonly quickFailover: boolean
  readonly forThroughput: boolean
  readonly security?: SecurityOptions | undefined
}

export function serverProperties(options: PropertiesOptions): string {
  const { node, nodes, dataDir, quickFailover, forThroughput, security } = options
  const replicas = nodes.length
  const minInSync = Math.min(2, replicas)
  const threads = forThroughput ? 4 : 2
  const voters = nodes.map(({ id, controllerPort }) => `${id}@127.0.0.1:${controllerPort}`)
  const secured = security && node.secured ? listenersOf(node.secured) : []
  const plain = `PLAINTEXT://127.0.0.1:${node.port}`
  const properties: Record<string, string | number | boolean> = {
    'process.roles': 'broker,controller',
    'node.id': node.id,
    'controller.quorum.voters': voters.join(','),
    listeners: [plain, `CONTROLLER://127.0.0.1:${node.controllerPort}`, ...secured].join(','),
    'advertised.listeners': [plain, ...secured].join(','),
    'inter.broker.listener.name': 'PLAINTEXT',
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map': [
      'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
      ...(security ? SECURED_PROTOCOLS : []),
    ].join(','),
    'log.dirs': dataDir,
    // A topic that nobody created is a mistake of the caller, here as in production.
    'auto.create.topics.enable': false,
    'default.replication.factor': replicas,
    'min.insync.replicas': minInSync,
    'offsets.topic.replication.factor': replicas,
    'offsets.topic.num.partitions': 3,
    'transaction.state.log.replication.factor': replicas,
    'transaction.state.log.min.isr': minInSync,
    'transaction.state.log.num.partitions': 3,
    'share.coordinator.state.topic.replication.factor': replicas,
    'share.coordinator.state.topic.min.isr': minInSync,
    'group.initial.rebalance.delay.ms': 0,
    // A local relay that is killed and started again need not wait for the 6 s that brokers ask for by default.
    'group.min.session.timeout.ms': 1_000,
    'transaction.abort.timed.out.transaction.cleanup.interval.ms': 1_000,
    'num.network.threads': threads,
    'num.io.threads': threads,
    // The default takes 128 MiB of heap.
    'log.cleaner.dedupe.buffer.size': 4_194_304,
  }
  if (quickFailover) {
    // A killed broker stays leader until its session ends: 9 s by default.
    properties['broker.session.timeout.ms'] = 3_000
    properties['broker.heartbeat.interval.ms'] = 500
  }
  if (security) Object.assign(properties, securityProperties(security))
  return Object.entries(properties)
    .map(([key, value]) => `${key}=${escapeValue(String(value))}\n`)
    .join('')
}

// java.util.Properties takes a backslash in a value for an escape.
function escapeValue(value: string): string {
  return value.replaceAll('\\', '\\\\')
}
