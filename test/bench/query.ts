/**
 * What it takes to read messages back, on the local stack as it is: how long an answer takes, by place and by time; what memory the relay
 * needs while a hundred are asked for at once; and what a link costs of which nothing is asked.
 */
import { randomBytes } from 'node:crypto'
import process from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'
import { makeCredential, makeDatahub } from '../support/datahubs.ts'
import { startStack, type TestStack } from '../support/stack.ts'
import {
  askAll,
  fromTime,
  fromTimeInOne,
  oneOf,
  untilVisible,
  type Asked,
  type AskOptions,
  type Question,
} from './asking.ts'
import { fetchMetrics, grownTimes, quantile } from './figures.ts'
import type { QueryFlags } from './flags.ts'
import { describeIdleLink, watchIdleLink } from './idle-link.ts'
import {
  BATCH_RECORDS,
  fillTopic,
  PARTITIONS,
  VALUE_BYTES,
  type KnownTopic,
} from './query-topic.ts'
import { machine } from './report.ts'

const MAX_WARM_UP_SECONDS = 2
const CONCURRENCIES = [1, 8]
const LIMIT = 20
const AT_ONCE = 100
const LARGE_LIMIT = 100
const SAMPLE_MS = 50

const CASES = [
  { name: 'one, by partition and offset', questions: oneOf },
  {
    name: `${LIMIT} by time, over all ${PARTITIONS} partitions`,
    questions: (topic: KnownTopic) => fromTime(topic, LIMIT),
  },
  {
    name: `${LIMIT} by time, in one partition`,
    questions: (topic: KnownTopic) => fromTimeInOne(topic, LIMIT),
  },
]

export async function benchQuery(flags: QueryFlags, signal: AbortSignal): Promise<void> {
  const { records, seconds, idleSeconds } = flags
  const warmUp = Math.min(MAX_WARM_UP_SECONDS, seconds)
  const say = (line: string) => process.stderr.write(`${line}\n`)
  const stack = await startStack()
  try {
    const brokers = stack.dev.kafka.split(',')
    const name = `bench-${randomBytes(4).toString('hex')}`
    say(`Writing ${count(records)} records`)
    const topic = await fillTopic({ brokers, topic: name, records, signal })
    await makeDatahub(stack.dev, name)
    const { api } = stack.dev
    const access = { api, ...(await makeCredential(stack.dev, { scopes: ['query'] })) }
    await untilVisible(access, name, signal)
    const ask = (next: () => Question, concurrency: number, forSeconds = seconds) =>
      askAll({ access, topic, next, concurrency, seconds: forSeconds, signal })

    const before = await rssOf(stack)
    const rows: string[] = []
    for (const { name: what, questions } of CASES) {
      const next = questions(topic)
      for (const concurrency of CONCURRENCIES) {
        say(`${what}, ${concurrency} at once`)
        rows.push(await measure(stack, what, { next, concurrency, warmUp, ask }))
      }
    }
    say(`${AT_ONCE} at once`)
    const memory = await watchMemory(stack, () => ask(fromTime(topic, LARGE_LIMIT), AT_ONCE))
    say('Nothing is asked')
    const topics = [stack.dev.topic, name]
    const idle = await watchIdleLink({ brokers, topics, seconds: idleSeconds, signal })

    const lines = [
      machine(`Apache Kafka of the local stack, one broker`, new Date()),
      `Local stack, one relay; ${PARTITIONS} partitions, ${count(records)} records in all, values of ${VALUE_BYTES} bytes, a millisecond apart, written in batches of`,
      `${count(BATCH_RECORDS)} over all partitions. GET /v1/messages at random places, each answer compared with what was written; ${seconds} s each after ${warmUp} s of warm-up.`,
      'Client: from the question to the whole answer. Relay: its query_seconds, interpolated from histogram buckets, of which the first is 0 to 5 ms.',
      '',
      '| case | at once | answers | client p50 / p99 ms | answers/s | relay p50 / p99 ms |',
      '| --- | --- | --- | --- | --- | --- |',
      ...rows,
      '',
      `Memory of the relay (RSS) while ${AT_ONCE} questions run at once all the time, ${LARGE_LIMIT} by time over all partitions, ${seconds} s:`,
      `${answersOf(memory.asked)} answers, client p50 / p99 ${clientTimes(memory.asked)} ms; ${memory.samples} samples, at most one every ${SAMPLE_MS} ms.`,
      '',
      '| before any question | before these | most, meanwhile |',
      '| --- | --- | --- |',
      `| ${mb(before)} | ${mb(memory.before)} | ${mb(memory.most)} |`,
      '',
      ...describeIdleLink(idle),
    ]
    process.stdout.write(`${lines.join('\n')}\n`)
  } finally {
    await stack.stop()
  }
}

interface Measure extends Pick<AskOptions, 'next' | 'concurrency'> {
  /** Seconds. */
  warmUp: number
  ask(next: () => Question, concurrency: number, seconds?: number): Promise<Asked>
}

/** A row of the table. */
async function measure(
  stack: TestStack,
  what: string,
  { next, concurrency, warmUp, ask }: Measure,
): Promise<string> {
  await ask(next, concurrency, warmUp)
  const before = await metricsOf(stack)
  const asked = await ask(next, concurrency)
  const after = await metricsOf(stack)
  const cells = [
    what,
    concurrency,
    answersOf(asked),
    clientTimes(asked),
    (asked.times.length / asked.seconds).toFixed(0),
    grownTimes('query_seconds', before, after, 1),
  ]
  return `| ${cells.join(' | ')} |`
}

interface Memory {
  asked: Asked
  before: number
  most: number
  samples: number
}

async function watchMemory(stack: TestStack, ask: () => Promise<Asked>): Promise<Memory> {
  const before = await rssOf(stack)
  const over = new AbortController()
  const samples: number[] = []
  const sampling = (async () => {
    while (!over.signal.aborted) {
      samples.push(await rssOf(stack))
      await delay(SAMPLE_MS, undefined, { signal: over.signal }).catch(() => undefined)
    }
  })()
  // Told when the questions are over.
  sampling.catch(() => undefined)
  try {
    const asked = await ask()
    over.abort()
    await sampling
    return { asked, before, most: Math.max(...samples), samples: samples.length }
  } finally {
    over.abort()
  }
}

function metricsOf({ dev }: TestStack): Promise<Map<string, number>> {
  return fetchMetrics(dev.relays[0]?.ops)
}

async function rssOf(stack: TestStack): Promise<number> {
  return (await metricsOf(stack)).get('process_resident_memory_bytes') ?? Number.NaN
}

const count = (n: number) => n.toLocaleString('en')
const mb = (bytes: number) => `${(bytes / 1e6).toFixed(0)} MB`

function clientTimes({ times }: Asked): string {
  return [0.5, 0.99].map((q) => quantile(times, q).toFixed(1)).join(' / ')
}

/** With what came in their place, where there was any. */
function answersOf({ times, refusals }: Asked): string {
  const others = [...refusals].map(([status, n]) => `${n} × ${status}`)
  return [count(times.length), ...others].join(', besides ')
}
