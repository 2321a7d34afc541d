// An instance of its own on the shared cluster for each test, whose relays only own: what happens to them is told in one common log, in
// order, and can be waited for. Everything that was started is stopped when the test ends.
import { randomBytes } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import type { Admin, ISocketFactory } from 'kafkajs'
import { onTestFinished } from 'vitest'
import { createTopics } from '../../../dev/kafka/topics.ts'
import { createAdmin } from '../../../relay/kafka/kafkajs.ts'
import { relayGroup } from '../../../relay/ownership/group-id.ts'
import { createOwnership, type Ownership } from '../../../relay/ownership/group.ts'

export const SHARDS = [0, 1, 2, 3]
// https://kafka.apache.org/protocol#protocol_api_keys
export const ApiKey = { FETCH: 1, JOIN_GROUP: 11 } as const
const API_KEY_AT = 4

export interface Happened {
  relay: string
  what: 'granted' | 'revoked' | 'joined' | 'rebalancing' | 'crashed' | 'commit failed' | 'left'
  // Of what there is one: the shard, the shards after a join, whether it left cleanly.
  of?: unknown
}

export interface TestRelay extends Ownership {
  name: string
  network: Network
  // What was granted to it and revoked from it, such as '+0' and '-0', in order.
  moves(): string[]
  until(what: Happened['what'], count?: number): Promise<void>
  owns(shards: number): Promise<void>
}

export interface Group {
  topic: string
  admin: Admin
  groupId: string
  log: Happened[]
  createRelay(name: string, onHappened?: (event: Happened) => void): TestRelay
  // The member ids that the coordinator knows.
  members(): Promise<string[]>
}

export async function createGroup(brokers: string[]): Promise<Group> {
  const name = randomBytes(4).toString('hex')
  const instance = `ckafka-${name}`
  const topic = `ownership-${name}`
  const groupId = relayGroup(instance)
  const admin = createAdmin({ brokers, clientId: 'ownership-test' })
  await admin.connect()
  onTestFinished(() => admin.disconnect())
  await createTopics({ brokers, clientId: 'ownership-test' }, [
    { topic, numPartitions: SHARDS.length, replicationFactor: 3 },
  ])

  const log: Happened[] = []
  let changed = Promise.withResolvers<void>()

  function createRelay(relay: string, onHappened?: (event: Happened) => void): TestRelay {
    const network = createNetwork()
    const tell = (what: Happened['what'], of?: unknown) => {
      const event = { relay, what, ...(of === undefined ? {} : { of }) }
      log.push(event)
      onHappened?.(event)
      changed.resolve()
      changed = Promise.withResolvers()
    }
    const ownership = createOwnership({
      kafka: { brokers, clientId: relay, socketFactory: network.socketFactory },
      instance,
      topic,
      sessionTimeoutMs: 6_000,
      onGranted: (shard) => tell('granted', shard),
      onRevoked: (shard) => tell('revoked', shard),
      observe: {
        joined: (shards) => tell('joined', shards),
        rebalancing: () => tell('rebalancing'),
        crashed: () => tell('crashed'),
        commitFailed: () => tell('commit failed'),
        left: (clean) => tell('left', clean),
      },
      random: Math.random,
      sleep: async (ms, signal) => {
        await delay(ms, undefined, { signal }).catch(() => undefined)
      },
    })
    onTestFinished(() => ownership.stop())
    const of = (what: Happened['what']) => log.filter((e) => e.relay === relay && e.what === what)
    return {
      ...ownership,
      name: relay,
      network,
      moves: () =>
        log
          .filter((e) => e.relay === relay && (e.what === 'granted' || e.what === 'revoked'))
          .map(({ what, of: shard }) => `${what === 'granted' ? '+' : '-'}${String(shard)}`),
      async until(what, count = 1) {
        while (of(what).length < count) await changed.promise
      },
      async owns(shards) {
        while (ownership.owned().size !== shards) await changed.promise
      },
    }
  }

  return {
    topic,
    admin,
    groupId,
    log,
    createRelay,
    async members() {
      const { groups } = await admin.describeGroups([groupId])
      return groups.flatMap(({ members }) => members.map(({ memberId }) => memberId))
    },
  }
}

export interface Network {
  socketFactory: ISocketFactory
  // Resets all connections, and every later one before it stands.
  down(): void
  up(): void
  // From now on what is sent goes nowhere, and no connection ends: a half-open line.
  silence(): void
  // Of each request that was sent.
  requests: number[]
  // Called as a request with this key is sent.
  onRequest(apiKey: number, call: () => void): void
}

export function createNetwork(): Network {
  const sockets = new Set<Socket>()
  const requests: number[] = []
  const hooks: { apiKey: number; call: () => void }[] = []
  let isDown = false
  let isSilent = false
  return {
    requests,
    socketFactory({ host, port, onConnect }) {
      const socket = connect({ host, port }, onConnect)
      sockets.add(socket)
      socket.once('close', () => sockets.delete(socket))
      if (isDown) reset(socket)
      const write = socket.write.bind(socket)
      socket.write = (...args: unknown[]): boolean => {
        const frame = args[0]
        if (Buffer.isBuffer(frame)) {
          const apiKey = frame.readInt16BE(API_KEY_AT)
          requests.push(apiKey)
          for (const hook of hooks) if (hook.apiKey === apiKey) hook.call()
        }
        if (isSilent) return true
        return Reflect.apply(write, socket, args)
      }
      return socket
    },
    down() {
      isDown = true
      for (const socket of sockets) reset(socket)
    },
    up() {
      isDown = false
    },
    silence() {
      isSilent = true
    },
    onRequest: (apiKey, call) => hooks.push({ apiKey, call }),
  }
}

function reset(socket: Socket): void {
  socket.destroy(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }))
}
