/** Asks the worker for what is in a known topic, so many at a time, and looks whether what comes is what was asked for. */
import { randomInt } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { PARTITIONS, type KnownTopic } from './query-topic.ts'

export interface Access {
  api: string
  secretId: string
  secretKey: string
}

/** One question at random. */
export interface Question {
  search: Record<string, string | number>
  /** Numbers of the records that have to come, in order. */
  records: number[]
}

export interface Asked {
  /** Of each answer, ms. */
  times: number[]
  /** What came in place of an answer, e.g. 504: how often. */
  refusals: Map<number, number>
  /** Until the last answer. */
  seconds: number
}

export interface AskOptions {
  access: Access
  topic: KnownTopic
  next: () => Question
  concurrency: number
  seconds: number
  signal: AbortSignal
}

/** A machine that is too busy; anything else is a mistake. */
const MAY_COME = new Set([503, 504])

/** @throws when an answer is wrong */
export async function askAll(options: AskOptions): Promise<Asked> {
  const { access, topic, next, concurrency, seconds, signal } = options
  const times: number[] = []
  const refusals = new Map<number, number>()
  const began = performance.now()
  const failed = new AbortController()
  const ended = AbortSignal.any([signal, failed.signal])
  const askOn = async () => {
    while (performance.now() - began < seconds * 1000 && !ended.aborted) {
      const question = next()
      const from = performance.now()
      const { status, text } = await get(access, question, ended)
      const took = performance.now() - from
      if (MAY_COME.has(status)) {
        refusals.set(status, (refusals.get(status) ?? 0) + 1)
        continue
      }
      check(question, topic, status, text)
      times.push(took)
    }
  }
  const loops = Array.from({ length: concurrency }, () =>
    askOn().catch((error: unknown) => {
      failed.abort(error)
      throw error
    }),
  )
  // The first failure ends the others; none of them goes on behind the caller's back.
  await Promise.allSettled(loops)
  failed.signal.throwIfAborted()
  signal.throwIfAborted()
  return { times, refusals, seconds: (performance.now() - began) / 1000 }
}

/** By partition and offset. */
export function oneOf({ topic, records }: KnownTopic): () => Question {
  return () => {
    const n = randomInt(records)
    const search = { topic, partition: n % PARTITIONS, offset: Math.floor(n / PARTITIONS) }
    return { search, records: [n] }
  }
}

/** From a time on, over all partitions. */
export function fromTime({ topic, records, since }: KnownTopic, limit: number): () => Question {
  return () => {
    const n = randomInt(records - limit)
    const search = { topic, from: since + n, limit }
    return { search, records: Array.from({ length: limit }, (_, i) => n + i) }
  }
}

/** From a time on, in one partition. */
export function fromTimeInOne(
  { topic, records, since }: KnownTopic,
  limit: number,
): () => Question {
  return () => {
    const n = randomInt(records - limit * PARTITIONS)
    const partition = randomInt(PARTITIONS)
    // The first one of this partition that is not older.
    const first = n + ((partition - (n % PARTITIONS) + PARTITIONS) % PARTITIONS)
    const search = { topic, partition, from: since + n, limit }
    return { search, records: Array.from({ length: limit }, (_, i) => first + i * PARTITIONS) }
  }
}

const LOOK_AGAIN_MS = 100

/** A change of tasks shows a little later. */
export async function untilVisible(access: Access, topic: string, signal: AbortSignal) {
  const path = `/v1/topics/${topic}`
  for (;;) {
    const { status, text } = await getPath(access, path, signal)
    if (status === 200) return
    if (status !== 404 && !MAY_COME.has(status)) throw new Error(`${path}: ${status}: ${text}`)
    await delay(LOOK_AGAIN_MS, undefined, { signal })
  }
}

const get = (access: Access, { search }: Question, signal: AbortSignal) => {
  const entries = Object.entries(search).map(([name, value]) => [name, String(value)])
  return getPath(access, `/v1/messages?${new URLSearchParams(entries)}`, signal)
}

async function getPath({ api, secretId, secretKey }: Access, path: string, signal: AbortSignal) {
  const authorization = `Basic ${Buffer.from(`${secretId}:${secretKey}`).toString('base64')}`
  const response = await fetch(`${api}${path}`, { headers: { authorization }, signal })
  return { status: response.status, text: await response.text() }
}

interface Body {
  message?: Message
  messages?: Message[]
}

interface Message {
  partition: number
  offset: string
  timestamp: number
  value: string
}

function check(
  { search, records }: Question,
  { since }: KnownTopic,
  status: number,
  text: string,
): void {
  const { message, messages = message ? [message] : [] } =
    status === 200 ? (JSON.parse(text) as Body) : {}
  const isRight =
    messages.length === records.length &&
    records.every((n, i) => {
      const { partition, offset, timestamp, value } = messages[i] ?? {}
      return (
        partition === n % PARTITIONS &&
        offset === String(Math.floor(n / PARTITIONS)) &&
        timestamp === since + n &&
        value?.startsWith(`record ${n} `)
      )
    })
  if (!isRight) {
    throw new Error(`${JSON.stringify(search)} is answered ${status}: ${text.slice(0, 500)}`)
  }
}
