/**
 * Reads the dead-letter topic over a cluster object of its own: read_committed, up to what is decided when the command starts, and with
 * little memory, however much stands in it. It joins no group, commits no position and writes nothing.
 */
import { deadLetterTopic, type InstanceId } from '#contract'
import { Code } from '../kafka/codes.ts'
import { explain } from '../kafka/explain.ts'
import {
  createCluster,
  errorName,
  type Cluster,
  type FetchedMessage,
  type KafkaSettings,
} from '../kafka/kafkajs.ts'
import { readPartition } from '../kafka/reader.ts'
import { readTopology } from '../kafka/topology.ts'
import {
  formatPosition,
  parseLetter,
  type FetchedLetter,
  type Letter,
  type Position,
} from './letter.ts'
import { Trouble } from './trouble.ts'
import { rangesOf, windowsOf, type Sized } from './windows.ts'

const STALL_MS = 15_000
const READ_COMMITTED = 1
const LATEST = -1
const EARLIEST = -2

/** Decided records of a partition: from `start` to before `end`. */
interface Bounds {
  start: bigint
  end: bigint
}

export type Found = { letter: Letter } | { position: Position; why: string }

export interface LetterTopic {
  name: string
  /** Visits every letter, by partition and offset. Those that failed before `since`, Unix ms, may be left out. */
  scan(since: number | undefined, visit: (letter: Letter) => void): Promise<void>
  /** The letters at these positions, in their order; a position without one comes with the reason. */
  read(positions: Iterable<Sized>): AsyncGenerator<Found>
  close(): Promise<void>
}

/** @throws Trouble when the cluster or the topic can't be reached */
export async function openTopic(
  settings: KafkaSettings,
  instance: InstanceId,
): Promise<LetterTopic> {
  const name = deadLetterTopic(instance)
  const cluster = createCluster(settings)
  const close = () => cluster.disconnect()
  try {
    await cluster.connect()
  } catch (error) {
    await close()
    throw new Trouble(`Kafka can't be reached at ${settings.brokers.join(', ')}: ${said(error)}`)
  }
  try {
    const leaders = await leadersOf(cluster, name)
    const bounds = new Map<number, Bounds>()
    for (const [partition, nodeId] of leaders) {
      const at = (timestamp: number) => offsetAt(cluster, { name, partition, nodeId }, timestamp)
      bounds.set(partition, { start: (await at(EARLIEST)) ?? 0n, end: (await at(LATEST)) ?? 0n })
    }
    return {
      name,
      close,
      async scan(since, visit) {
        for (const [partition, { start, end }] of bounds) {
          const nodeId = leaders.get(partition) ?? -1
          // A letter's timestamp is the time that it failed, so the broker knows where to begin.
          const from =
            since === undefined
              ? start
              : ((await offsetAt(cluster, { name, partition, nodeId }, since)) ?? end)
          await readLetters(cluster, name, { partition, from, through: end - 1n }, visit)
        }
      },
      async *read(positions) {
        for (const window of windowsOf(positions)) yield* readWindow(cluster, name, bounds, window)
      },
    }
  } catch (error) {
    await close()
    throw error
  }
}

/** Partition → broker id of its leader, in order. */
async function leadersOf(cluster: Cluster, topic: string): Promise<Map<number, number>> {
  const broker = await cluster.brokerPool.findConnectedBroker()
  const state = (await readTopology(broker, [topic], { least: 0 })).get(topic)
  if (state?.status !== 'ok') {
    const code = state?.code ?? Code.UNKNOWN_TOPIC_OR_PARTITION
    if (code === Code.TOPIC_AUTHORIZATION_FAILED) {
      throw new Trouble(`The Kafka user needs the rights Describe and Read on the topic ${topic}.`)
    }
    throw new Trouble(
      code === Code.UNKNOWN_TOPIC_OR_PARTITION
        ? `There is no topic ${topic} on this cluster: INSTANCE_ID is another one's, or its relay has never run here.`
        : `The topic ${topic} can't be read now: ${errorName(code)}.`,
    )
  }
  if (state.leaders.size < state.partitions) {
    throw new Trouble(
      `Only ${state.leaders.size} of ${state.partitions} partitions of ${topic} have a leader now.`,
    )
  }
  // So that kafkajs knows the brokers by their ids.
  await cluster.addTargetTopic(topic)
  return new Map([...state.leaders].toSorted(([a], [b]) => a - b))
}

/** The first offset with this timestamp or a later one, undefined when there is none. `LATEST` means the end of what is decided. */
async function offsetAt(
  cluster: Cluster,
  { name, partition, nodeId }: { name: string; partition: number; nodeId: number },
  timestamp: number,
): Promise<bigint | undefined> {
  const broker = await cluster.findBroker({ nodeId })
  const answer = await broker.listOffsets({
    replicaId: -1,
    isolationLevel: READ_COMMITTED,
    topics: [{ topic: name, partitions: [{ partition, timestamp }] }],
  })
  const offset = BigInt(answer.responses[0]?.partitions[0]?.offset ?? -1)
  return offset < 0n ? undefined : offset
}

async function readLetters(
  cluster: Cluster,
  topic: string,
  range: { partition: number; from: bigint; through: bigint },
  visit: (letter: Letter) => void,
): Promise<void> {
  await readPartition(cluster, { topic, ...range, stallMs: STALL_MS }, (message: FetchedMessage) =>
    // kafkajs decodes headers and timestamp as well; the relay's own reading has no use for them.
    visit(parseLetter(range.partition, message as FetchedLetter)),
  )
}

async function* readWindow(
  cluster: Cluster,
  topic: string,
  bounds: ReadonlyMap<number, Bounds>,
  window: readonly Position[],
): AsyncGenerator<Found> {
  const wanted = new Set(window.map(formatPosition))
  const found = new Map<string, Letter>()
  const inBounds = window.filter((position) => outside(position, bounds) === undefined)
  for (const range of rangesOf(inBounds)) {
    await readLetters(cluster, topic, range, (letter) => {
      const name = formatPosition(letter.position)
      if (wanted.has(name)) found.set(name, detached(letter))
    })
  }
  for (const position of window) {
    const letter = found.get(formatPosition(position))
    yield letter
      ? { letter }
      : {
          position,
          why:
            outside(position, bounds) ??
            'no letter is there, but the end of a transaction or what an aborted one left',
        }
  }
}

function outside(
  { partition, offset }: Position,
  bounds: ReadonlyMap<number, Bounds>,
): string | undefined {
  const known = bounds.get(partition)
  if (!known) {
    return `there is no partition ${partition}; the topic has partitions 0 to ${bounds.size - 1}`
  }
  if (offset >= known.end) return `the partition ends before offset ${known.end}`
  return offset < known.start
    ? `it has expired; the partition begins at offset ${known.start}`
    : undefined
}

/** What kafkajs decodes is a view of the whole answer; a letter that is kept must not keep that. */
function detached(letter: Letter): Letter {
  return {
    ...letter,
    key: letter.key && Buffer.from(letter.key),
    value: letter.value && Buffer.from(letter.value),
  }
}

function said(error: unknown): string {
  const explained = explain(error)
  return explained instanceof Error ? explained.message : String(error)
}
