/**
 * How long shards rest. Two relays share four shards under a light load; one of them is killed or stopped, and the time is taken from the
 * signal to the moment in which the other serves the last of its shards. And a shard is booted whose ledger is full of outcomes that
 * nobody has taken: the time from its claim to the moment in which it is served.
 */
import { randomBytes } from 'node:crypto'
import process from 'node:process'
import { InstanceId } from '#contract'
import { createQueuePullServer } from '../../dev/queue-pull/node/memory-server.ts'
import { isTakenOver, serves, sinceTime } from '../support/relay-log.ts'
import type { FailoverFlags } from './flags.ts'
import { openKafka, type BenchKafka } from './kafka.ts'
import { startTrickle } from './load.ts'
import { startTalkingRelay, TOKEN, type TalkingRelay } from './relays.ts'
import { machine, spread } from './report.ts'
import { startStandInWorker } from './stand-in-worker.ts'
import { BATCH_IDS, bootUnsettled } from './unsettled.ts'

const SHARDS = 4
const STOP_GRACE_MS = 12_000
const CASES = [
  {
    signal: 'SIGKILL',
    name: 'one of two relays is killed: signal → last of its two shards served',
  },
  {
    signal: 'SIGTERM',
    name: 'one of two relays is stopped: signal → last of its two shards served',
  },
] as const

export async function benchFailover(
  { runs, envelopes }: FailoverFlags,
  signal: AbortSignal,
): Promise<void> {
  const kafka = await openKafka()
  try {
    const rows: string[][] = []
    const add = (name: string, seconds: readonly number[]) =>
      rows.push([name, String(seconds.length), spread(seconds, 2)])
    await withPair(kafka, signal, async (takeOver) => {
      for (const { signal: how, name } of CASES) {
        const seconds: number[] = []
        for (let run = 0; run < runs; run++) {
          seconds.push(await takeOver(how, run % 2 === 0 ? 0 : 1))
        }
        add(name, seconds)
      }
    })
    const boots = await bootUnsettled({ kafka, runs, envelopes, signal })
    add(
      `boot with ${envelopes} envelopes that nobody has taken: claim → served`,
      boots.map(({ seconds }) => seconds),
    )
    const rss = Math.max(...boots.map(({ rssBytes }) => rssBytes)) / 1e6
    const conditions = [
      machine(kafka.description, new Date()),
      `${SHARDS} shards, 50 POSTs of 10 reports a second while a relay goes; figures are min / **median** / max.`,
      `The ledger of the boot has ${BATCH_IDS} envelopes a record; the relay has ${rss.toFixed(0)} MB after it (RSS, the most of all runs).`,
    ]
    const table = [['case', 'runs', 's'], ['---', '---', '---'], ...rows]
    const lines = table.map((cells) => `| ${cells.join(' | ')} |`)
    process.stdout.write(`${[...conditions, '', ...lines].join('\n')}\n`)
  } finally {
    await kafka.close()
  }
}

type TakeOver = (how: 'SIGKILL' | 'SIGTERM', victim: 0 | 1) => Promise<number>

async function withPair(
  kafka: BenchKafka,
  signal: AbortSignal,
  use: (takeOver: TakeOver) => Promise<void>,
): Promise<void> {
  const name = randomBytes(4).toString('hex')
  const topic = `bench-${name}`
  const instance = InstanceId.parse(`ckafka-${name}`)
  await kafka.createTopic(topic)
  const queue = await createQueuePullServer({ token: TOKEN, keepLog: false })
  const taken = new Set<string>()
  const worker = await startStandInWorker({
    take: (outcomes) =>
      outcomes.map(({ id }) => {
        taken.add(id)
        return id
      }),
    isFound: (id) => taken.has(id),
  })
  const start = (i: 0 | 1) =>
    startTalkingRelay({
      kafka,
      instance,
      shards: SHARDS,
      queueUrl: queue.url,
      workerUrl: worker.url,
      name: `relay-${i + 1}`,
      logLevel: 'info',
      signal,
    })
  const relays: [TalkingRelay, TalkingRelay] = [start(0), start(1)]
  const trickle = startTrickle({ topic, shards: SHARDS, push: queue.push })
  const settle = () => Promise.all(relays.map((relay) => relay.until(serves(SHARDS / 2))))
  try {
    await settle()
    await use(async (how, victim) => {
      const shards = await relays[victim].until(serves(SHARDS / 2))
      const at = Date.now()
      relays[victim].kill(how)
      const isSince = sinceTime(at)
      const last = await relays[victim === 0 ? 1 : 0].until((lines) => {
        const first = shards.map((shard) =>
          lines.find((line) => line.shard === shard && isTakenOver(line) && isSince(line)),
        )
        const times = first.flatMap((line) => (line ? [Date.parse(line.time)] : []))
        return times.length === shards.length ? Math.max(...times) : undefined
      })
      const seconds = (last - at) / 1000
      process.stderr.write(`${how}, relay-${victim + 1}: ${seconds.toFixed(2)} s\n`)
      await relays[victim].end(STOP_GRACE_MS)
      relays[victim] = start(victim)
      await relays[victim].until(serves(SHARDS / 2))
      await settle()
      return seconds
    })
  } finally {
    trickle.end()
    await Promise.all(relays.map((relay) => relay.end(STOP_GRACE_MS)))
    await queue.close()
    await worker.close()
    await kafka.deleteTopics(instance, topic)
  }
}
