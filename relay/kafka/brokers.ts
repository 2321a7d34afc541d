/**
 * Brokers by their ids, each connected when it is first asked, and dropped alone when one of its connections is in doubt: questions to the
 * others go on. It knows no topics.
 */
import type { BrokerAddress, LoneBroker, OpenBroker } from './kafkajs.ts'

export interface Brokers {
  /** Any that answers; by preference one that is connected already, and another one each time. @throws when none can be reached */
  any(): Promise<LoneBroker>
  /** @throws when no Metadata answer has named it, or it can't be reached */
  withId(nodeId: number): Promise<LoneBroker>
  /** Takes over what a Metadata answer says of the brokers. */
  learn(addresses: readonly BrokerAddress[]): void
  /** Connects anew before it is asked again. */
  drop(broker: LoneBroker): void
  close(): void
}

interface Node {
  address?: BrokerAddress
  /** Two that connect at the same time would open two sockets, of which kafkajs forgets one. */
  connecting?: Promise<LoneBroker> | undefined
  broker?: LoneBroker | undefined
}

export function createBrokers(open: OpenBroker, bootstrapServers: number): Brokers {
  const nodes = new Map<number, Node>()
  const bootstrap: Node = {}
  let turn = 0
  let isClosed = false

  const connect = async (node: Node): Promise<LoneBroker> => {
    if (isClosed) throw new Error('the brokers were closed')
    node.connecting ??= (async () => {
      const broker = (node.broker ??= await open(node.address))
      try {
        await broker.connect()
        // Brokers close what is idle; the next question finds both open.
        for (const index of [0, 1]) await broker.connectionPool.getConnection(index)
        if (isClosed) throw new Error('the brokers were closed')
        return broker
      } catch (error) {
        forget(node, broker)
        throw error
      }
    })().finally(() => (node.connecting = undefined))
    return node.connecting
  }

  const forget = (node: Node, broker: LoneBroker | undefined = node.broker) => {
    if (node.broker === broker) node.broker = undefined
    // It waits for answers that may never come, and then fails or not: nobody needs it any more.
    broker?.disconnect().catch(() => undefined)
  }

  return {
    async any() {
      const known = [...nodes.values()]
      // Those that are connected first; among them each in its turn.
      const start = turn++ % Math.max(known.length, 1)
      const inTurn = [...known.slice(start), ...known.slice(0, start)]
      const ordered = [...inTurn.filter((n) => n.broker), ...inTurn.filter((n) => !n.broker)]
      for (const node of ordered) {
        try {
          return await connect(node)
        } catch {
          // The next one may be up.
        }
      }
      for (let left = bootstrapServers; ; left--) {
        try {
          return await connect(bootstrap)
        } catch (error) {
          if (left <= 1) throw error
        }
      }
    },
    async withId(nodeId) {
      const node = nodes.get(nodeId)
      if (!node) throw new Error(`broker ${nodeId} is not known`)
      return connect(node)
    },
    learn(addresses) {
      for (const address of addresses) {
        const node = nodes.get(address.nodeId)
        const isSame = node?.address?.host === address.host && node.address.port === address.port
        if (isSame) continue
        if (node) forget(node)
        nodes.set(address.nodeId, { address })
      }
      const ids = new Set(addresses.map(({ nodeId }) => nodeId))
      for (const [nodeId, node] of nodes) {
        if (ids.has(nodeId)) continue
        forget(node)
        nodes.delete(nodeId)
      }
      // It was only needed to get to know the others.
      if (nodes.size > 0 && bootstrap.broker && !bootstrap.connecting) forget(bootstrap)
    },
    drop(broker) {
      for (const node of [...nodes.values(), bootstrap]) if (node.broker === broker) forget(node)
    },
    close() {
      isClosed = true
      for (const node of [...nodes.values(), bootstrap]) forget(node)
    },
  }
}
