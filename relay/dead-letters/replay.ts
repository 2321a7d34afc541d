/**
 * `replay`: sends letters again, a few at once, and says of each what became of it, in order. One that can't be replayed is named and
 * passed over; trouble that concerns all of them ends the run. Nothing is remembered here: run again, a letter that was sent is known to
 * the worker by its key.
 */
import type { InstanceId } from '#contract'
import type { Output } from '../operator/output.ts'
import { onOneLine } from '../operator/text.ts'
import {
  formatPosition,
  matches,
  sizeOf,
  type Filters,
  type Letter,
  type Position,
} from './letter.ts'
import { toPost, type ReplayPost } from './post.ts'
import { send, type SendDeps, type Sent } from './send.ts'
import { shortKey } from './text.ts'
import type { Found, LetterTopic } from './topic.ts'
import type { Sized } from './windows.ts'

const AT_ONCE = 4

export interface ReplayOptions {
  what: Position[] | Filters
  instance: InstanceId
  waitSeconds: number
  /** Undefined: say what would be sent. */
  sending: SendDeps | undefined
}

type Result = Sent | { status: 'would be sent'; post: ReplayPost; letter: Letter }

interface Replayed {
  position: Position
  result: Result
}

/** True when nothing is left that was not sent, and nothing failed. */
export async function replay(
  topic: Pick<LetterTopic, 'scan' | 'read'>,
  { what, instance, waitSeconds, sending }: ReplayOptions,
  { print, note }: Output,
): Promise<boolean> {
  const positions: Sized[] = Array.isArray(what) ? what : await select(topic, what)
  if (positions.length === 0) note('No letter matches.')

  let stopped: string | undefined
  const replayOne = async (found: Found): Promise<Replayed> => {
    if (!('letter' in found)) {
      return { position: found.position, result: { status: 'refused', why: found.why } }
    }
    const { letter } = found
    const { position } = letter
    const built = toPost(letter, instance, waitSeconds)
    if (built.status === 'impossible') {
      return { position, result: { status: 'refused', why: built.why } }
    }
    if (!sending) return { position, result: { status: 'would be sent', post: built.post, letter } }
    const result = await send(built.post, sending)
    if (result.status === 'stop') stopped ??= result.why
    return { position, result }
  }
  async function* untilStopped(): AsyncGenerator<Found> {
    for await (const found of topic.read(positions)) {
      if (stopped !== undefined) return
      yield found
    }
  }

  const counts = new Map<string, number>()
  let done = 0
  for await (const { position, result } of inOrder(untilStopped(), AT_ONCE, replayOne)) {
    if (result.status === 'stop') continue
    done++
    const line = lineOf(result)
    counts.set(line.word, (counts.get(line.word) ?? 0) + 1)
    const place = formatPosition(position).padEnd(8)
    await print(onOneLine(`${place}  ${line.word.padEnd(9)}  ${line.detail}`))
  }
  if (counts.size > 0) note([...counts].map(([word, count]) => `${count} ${word}`).join(', '))
  if (stopped !== undefined) {
    const left = positions.length - done
    const letters = `${left} ${left === 1 ? 'letter' : 'letters'} left`
    note(`Ended early, ${letters}: ${stopped}\nStarting again sends none of the others twice.`)
  }
  return stopped === undefined && !BAD.some((word) => counts.has(word))
}

const BAD = ['failed', 'failed (sent before)', 'not sent']

function lineOf(result: Exclude<Result, { status: 'stop' }>): { word: string; detail: string } {
  switch (result.status) {
    case 'delivered':
    case 'failed': {
      const { status, receipt, before } = result
      const end = status === 'delivered' ? result.messageId : result.reason
      return { word: before ? `${status} (sent before)` : status, detail: `${receipt}  ${end}` }
    }
    case 'queued':
      return { word: 'queued', detail: result.receipt }
    case 'refused':
      return { word: 'not sent', detail: result.why }
    case 'would be sent': {
      const { post, letter } = result
      const key = letter.key === null ? 'no key' : `key ${shortKey(letter.key)}`
      const value = letter.value === null ? 'null value' : `value of ${letter.value.length} bytes`
      const headers = `headers ${JSON.stringify(Object.fromEntries(letter.headers))}`
      return {
        word: 'would be sent',
        detail: `POST ${post.path}  ${key}, ${value}, ${headers}`,
      }
    }
  }
}

/** Everything that matches, by partition and offset. */
async function select(topic: Pick<LetterTopic, 'scan'>, filters: Filters): Promise<Sized[]> {
  const positions: Sized[] = []
  await topic.scan(filters.since, (letter) => {
    if (matches(letter, filters)) positions.push({ ...letter.position, bytes: sizeOf(letter) })
  })
  return positions
}

/** Works on a few items at a time, begun in order, and hands out the results in that order. */
async function* inOrder<T, R>(
  items: AsyncIterable<T>,
  atOnce: number,
  work: (item: T) => Promise<R>,
): AsyncGenerator<R> {
  let running: Promise<R>[] = []
  for await (const item of items) {
    running.push(work(item))
    const [first, ...others] = running
    if (!first || running.length < atOnce) continue
    yield await first
    running = others
  }
  for (const result of running) yield await result
}
