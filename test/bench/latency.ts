/**
 * How long from a POST to its MessageIds, on the local stack as it is: POSTs at a steady rate, each held for its outcome, whether or not
 * the ones before are answered (an open loop, so that a slow answer delays no later POST). Beside it what a part of that time goes into:
 * the look-ups, and the relay's transactions.
 */
import process from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'
import { postReports } from '../support/api.ts'
import { startStack, type TestStack } from '../support/stack.ts'
import { fetchMetrics, grownTimes, quantile } from './figures.ts'
import type { LatencyFlags } from './flags.ts'
import { machine } from './report.ts'

const WARM_UP_SECONDS = 3

export async function benchLatency(
  { rates, seconds }: LatencyFlags,
  signal: AbortSignal,
): Promise<void> {
  const stack = await startStack()
  try {
    const rows: string[] = []
    for (const rate of rates) {
      await post(stack, rate, WARM_UP_SECONDS, signal)
      const before = await metricsOf(stack)
      const times = await post(stack, rate, seconds, signal)
      const after = await metricsOf(stack)
      const ms = (name: string) => grownTimes(name, before, after, 0)
      const cells = [
        rate,
        times.length,
        `${quantile(times, 0.5).toFixed(0)} / ${quantile(times, 0.99).toFixed(0)}`,
        ms('look_up_seconds'),
        ms('transaction_seconds'),
        ms('settle_seconds'),
      ]
      rows.push(`| ${cells.join(' | ')} |`)
    }
    const lines = [
      machine(`Apache Kafka of the local stack, one broker`, new Date()),
      `Local stack, two shards; POSTs of one report of 20 bytes with \`Prefer: wait=20\`, ${seconds} s each after ${WARM_UP_SECONDS} s of warm-up.`,
      'POST → MessageId: at the client. The other times are the relay’s, p50 / p99 in ms, interpolated from histogram buckets.',
      '',
      '| POSTs/s | answers | POST → MessageId | look-up | transaction | settle |',
      '| --- | --- | --- | --- | --- | --- |',
      ...rows,
    ]
    process.stdout.write(`${lines.join('\n')}\n`)
  } finally {
    await stack.stop()
  }
}

/** Times of all answers, ms. @throws when one of them is no MessageId */
async function post(
  { dev }: TestStack,
  rate: number,
  seconds: number,
  signal: AbortSignal,
): Promise<number[]> {
  const began = performance.now()
  const answers: Promise<number>[] = []
  for (let n = 0; n < rate * seconds; n++) {
    const due = began + (n * 1000) / rate
    const early = due - performance.now()
    if (early > 1) await delay(early, undefined, { signal })
    answers.push(timed(dev, n))
  }
  return Promise.all(answers)
}

async function timed(dev: TestStack['dev'], n: number): Promise<number> {
  const from = performance.now()
  const response = await postReports(dev, [{ value: `report ${n}`.padEnd(20) }], {
    prefer: 'wait=20',
  })
  const body = await response.text()
  if (response.status !== 200) throw new Error(`${response.status}: ${body}`)
  return performance.now() - from
}

function metricsOf({ dev }: TestStack): Promise<Map<string, number>> {
  return fetchMetrics(dev.relays[0]?.ops)
}
