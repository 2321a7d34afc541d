/**
 * Reads the dead-letter topic: up to what is decided when the command starts, and with little memory, however much stands in it.
 */
import { deadLetterTopic, type InstanceId } from '#contract'
import type { KafkaSettings } from '../kafka/kafkajs.ts'
import { connectTo, openOwnTopic, type Range, type Topic } from '../operator/topic.ts'
import { formatPosition, parseLetter, type Letter, type Position } from './letter.ts'
import { rangesOf, windowsOf, type Sized } from './windows.ts'

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
  const cluster = await connectTo(settings)
  const close = () => cluster.disconnect()
  try {
    const topic = await openOwnTopic(cluster, deadLetterTopic(instance))
    const bounds = new Map<number, Bounds>()
    for (const partition of topic.leaders.keys()) {
      const start = await topic.start(partition)
      bounds.set(partition, { start, end: await topic.end(partition, 'decided') })
    }
    return {
      name: topic.name,
      close,
      async scan(since, visit) {
        for (const [partition, { start, end }] of bounds) {
          // A letter's timestamp is the time that it failed, so the broker knows where to begin.
          const from =
            since === undefined ? start : ((await topic.offsetAt(partition, since)) ?? end)
          await readLetters(topic, { partition, from, through: end - 1n }, visit)
        }
      },
      async *read(positions) {
        for (const window of windowsOf(positions)) yield* readWindow(topic, bounds, window)
      },
    }
  } catch (error) {
    await close()
    throw error
  }
}

async function readLetters(
  topic: Topic,
  range: Range,
  visit: (letter: Letter) => void,
): Promise<void> {
  await topic.read(range, (record) => visit(parseLetter(range.partition, record)))
}

async function* readWindow(
  topic: Topic,
  bounds: ReadonlyMap<number, Bounds>,
  window: readonly Position[],
): AsyncGenerator<Found> {
  const wanted = new Set(window.map(formatPosition))
  const found = new Map<string, Letter>()
  const inBounds = window.filter((position) => outside(position, bounds) === undefined)
  for (const range of rangesOf(inBounds)) {
    await readLetters(topic, range, (letter) => {
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
