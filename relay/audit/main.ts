/**
 * `npm run audit`: compares what was accepted for a datahub in some time with what is in Kafka, in the queues and in the status store.
 * Composition root of the command. It reads only: no group, no committed position, nothing pulled, nothing acked.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'
import { Pool } from 'undici'
import { deadLetterTopic, ledgerTopic } from '#contract'
import {
  EXIT_SETTINGS,
  EXIT_TROUBLE,
  EXIT_USAGE,
  outputTo,
  sentenceOf,
} from '../operator/output.ts'
import { settingsNote } from '../operator/settings.ts'
import { cleanupPolicyOf, connectTo, openOwnTopic, openTopic } from '../operator/topic.ts'
import { createWorkerClient } from '../status/worker-client.ts'
import { audit, type Ports } from './audit.ts'
import { readFlags, USAGE, type Flags } from './flags.ts'
import { QueueLog, readBacklog } from './queues.ts'
import { settingsOfEnvironment, settingsOfStack, type Settings } from './settings.ts'
import { receiptsOf } from './store.ts'
import { showResult, toJson } from './text.ts'

const output = outputTo(process, () => process.exit(0))
process.exitCode = await main()

async function main(): Promise<number> {
  const read = readFlags(process.argv.slice(2), Date.now())
  if (read.status === 'help') {
    await output.print(USAGE.trimEnd())
    return 0
  }
  if (read.status === 'invalid') {
    output.note([...read.problems, 'npm run audit -- --help lists what there is.'].join('\n'))
    return EXIT_USAGE
  }
  const { flags, dev } = read
  const readFile = (path: string) => readFileSync(path, 'utf8')
  const settings =
    dev === undefined
      ? settingsOfEnvironment(process.env, readFile)
      : settingsOfStack(join(dev, 'dev.json'), readFile)
  if (settings.status === 'invalid') {
    output.note(settingsNote(settings.problems))
    return EXIT_SETTINGS
  }
  try {
    return (await run(flags, settings.settings)) ? 0 : EXIT_TROUBLE
  } catch (error) {
    output.note(sentenceOf(error))
    return EXIT_TROUBLE
  }
}

async function run(flags: Flags, settings: Settings): Promise<boolean> {
  const { kafka, instance, worker, queues, log } = settings
  const pools: Pool[] = []
  const poolOf = (url: string) => {
    const pool = new Pool(url)
    pools.push(pool)
    return pool
  }
  const cluster = await connectTo(kafka)
  try {
    const ports: Ports = {
      ledger: await openOwnTopic(cluster, ledgerTopic(instance)),
      letters: await openOwnTopic(cluster, deadLetterTopic(instance)),
      topic: (name) => openTopic(cluster, name),
      isCompacted: async (name) => (await cleanupPolicyOf(cluster, name))?.includes('compact'),
      now: Date.now,
      sleep: async (ms) => {
        await delay(ms)
      },
    }
    if (log) ports.log = new QueueLog(poolOf(log.url), log)
    if (queues) {
      const pool = poolOf(queues.url)
      ports.backlog = () => readBacklog(pool, queues)
    }
    if (worker) {
      const pool = poolOf(worker.url)
      const { lookUp } = createWorkerClient({ pool, token: worker.token })
      ports.store = { lookUp, receipts: receiptsOf(pool) }
    }
    const result = await audit(flags, ports)
    if (flags.json) await output.print(JSON.stringify(toJson(result)))
    else for (const line of showResult(result, flags.limit)) await output.print(line)
    return result.differenceCount === 0
  } finally {
    await cluster.disconnect()
    for (const pool of pools) await pool.close()
  }
}
