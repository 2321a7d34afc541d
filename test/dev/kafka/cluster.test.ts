import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Kafka, type Producer, logLevel } from 'kafkajs'
import { afterEach, beforeEach, test } from 'vitest'
import { type KafkaCluster, startKafka } from '../../../dev/kafka/cluster.ts'
import { isAlive } from '../../../dev/processes.ts'
import { readRecord, readTopic } from '../../support/kafka-reader.ts'

process.env['KAFKAJS_NO_PARTITIONER_WARNING'] = '1'
const TIMEOUT_MS = 120_000

let dir = ''
const clusters: KafkaCluster[] = []

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'edgehub-kafka-test-'))
})

afterEach(async () => {
  for (const cluster of clusters.splice(0)) await cluster.kill()
  await rm(dir, { recursive: true, force: true })
})

async function start(): Promise<KafkaCluster> {
  const cluster = await startKafka({ dir, brokers: 1, quickFailover: true })
  clusters.push(cluster)
  return cluster
}

function client({ brokers }: KafkaCluster): Kafka {
  return new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING })
}

async function createTopic(kafka: Kafka, topic: string, numPartitions: number): Promise<void> {
  const admin = kafka.admin()
  await admin.connect()
  await admin.createTopics({ topics: [{ topic, numPartitions }], waitForLeaders: true })
  await admin.disconnect()
}

async function send(kafka: Kafka, topic: string, value: string): Promise<void> {
  const producer = kafka.producer()
  await producer.connect()
  await producer.send({ topic, messages: [{ partition: 0, key: 'k', value, headers: { h: '1' } }] })
  await producer.disconnect()
}

const values = (records: readonly { readonly value: Buffer | null }[]): string[] =>
  records.map(({ value }) => String(value))

test(
  'a record outlives a stop, a start on other ports and a kill -9',
  { timeout: TIMEOUT_MS },
  async ({ expect }) => {
    const first = await start()
    await createTopic(client(first), 'kept', 2)
    await send(client(first), 'kept', 'one')
    const [record] = await readTopic({ brokers: first.brokers, topic: 'kept' })
    expect(record).toMatchObject({ partition: 0, offset: 0, key: Buffer.from('k') })
    expect(record?.headers['h']).toEqual(Buffer.from('1'))
    const [pid = 0] = first.pids()
    expect(isAlive(pid)).toBe(true)
    await first.stop()
    expect(isAlive(pid)).toBe(false)
    expect(first.pids()).toEqual([])

    const second = await start()
    expect(values(await readTopic({ brokers: second.brokers, topic: 'kept' }))).toEqual(['one'])
    await send(client(second), 'kept', 'two')
    const [node] = second.nodes
    await node?.kill()
    expect(second.pids()).toEqual([])
    await node?.start()
    expect(values(await readTopic({ brokers: second.brokers, topic: 'kept' }))).toEqual([
      'one',
      'two',
    ])
    const pids = second.pids()
    node?.pause()
    await second.stop()
    expect(pids.filter(isAlive)).toEqual([])
  },
)

test(
  'a JVM whose stack was killed with -9 is ended by the next start on its folder',
  {
    timeout: TIMEOUT_MS,
  },
  async ({ expect }) => {
    const url = new URL('../../../dev/kafka/cluster.ts', import.meta.url).href
    const script = `
    const { startKafka } = await import(${JSON.stringify(url)})
    const cluster = await startKafka({ dir: ${JSON.stringify(dir)}, brokers: 1 })
    console.log(cluster.pids().join())
    setInterval(() => {}, 1000)`
    const stack = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [line] = (await once(createInterface({ input: stack.stdout }), 'line')) as [string]
    const orphan = Number(line)
    await expect(start()).rejects.toThrow(/is in use: Kafka node 1 runs as process/)
    expect(isAlive(orphan)).toBe(true)
    stack.kill('SIGKILL')
    await once(stack, 'exit')
    expect(isAlive(orphan)).toBe(true)
    const cluster = await start()
    expect(isAlive(orphan)).toBe(false)
    expect(cluster.pids()).toHaveLength(1)
  },
)

test(
  'a taken port and another size of the cluster are refused by name',
  { timeout: TIMEOUT_MS },
  async ({ expect }) => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    await expect(startKafka({ dir, brokers: 1, basePort: port })).rejects.toThrow(
      `Port ${port} of 127.0.0.1, which Kafka node 1 needs, is in use.`,
    )
    server.close()
    await expect(startKafka({ dir, brokers: 3 })).rejects.toThrow(
      /holds a Kafka cluster of 1 node\(s\), not 3/,
    )
  },
)

test(
  'the reader shows committed records alone, also of writers that overlap',
  {
    timeout: TIMEOUT_MS,
  },
  async ({ expect }) => {
    const cluster = await start()
    const { brokers } = cluster
    const kafka = client(cluster)
    await createTopic(kafka, 'mixed', 2)
    const producers: Producer[] = []
    const begin = async (transactionalId: string) => {
      const producer = kafka.producer({ transactionalId, maxInFlightRequests: 1, idempotent: true })
      producers.push(producer)
      await producer.connect()
      const transaction = await producer.transaction()
      return {
        send: (...bodies: string[]) =>
          transaction.send({
            topic: 'mixed',
            messages: bodies.map((value) => ({ partition: 0, value })),
          }),
        commit: () => transaction.commit(),
        abort: () => transaction.abort(),
      }
    }
    const [a, b, c] = [await begin('a'), await begin('b'), await begin('c')]
    await a.send('a0')
    await b.send('b1')
    await c.send('c2')
    await a.send('a3')
    expect(await readTopic({ brokers, topic: 'mixed', upTo: 'decided' })).toEqual([])
    const waiting = readTopic({ brokers, topic: 'mixed' })
    // Ended against the order of their first offsets: the broker lists b before a.
    await b.abort()
    await c.commit()
    await a.abort()

    expect(values(await waiting)).toEqual(['c2'])
    expect(values(await readTopic({ brokers, topic: 'mixed' }))).toEqual(['c2'])
    expect(await readRecord({ brokers, topic: 'mixed', partition: 0, offset: 0 })).toBeUndefined()
    expect(await readRecord({ brokers, topic: 'mixed', partition: 0, offset: 4 })).toBeUndefined()
    expect(await readRecord({ brokers, topic: 'mixed', partition: 0, offset: 7 })).toBeUndefined()
    expect(await readRecord({ brokers, topic: 'mixed', partition: 1, offset: 0 })).toBeUndefined()
    const record = await readRecord({ brokers, topic: 'mixed', partition: 0, offset: 2 })
    expect(record).toMatchObject({ partition: 0, offset: 2, value: Buffer.from('c2') })
    // From the marker at the end on there is nothing, and that is found without waiting.
    expect(await readTopic({ brokers, topic: 'mixed', from: { 0: 3 } })).toEqual([])
    await Promise.all(producers.map((producer) => producer.disconnect()))
  },
)
