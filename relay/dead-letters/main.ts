/**
 * `npm run dead-letters`: lists, shows and replays what could not be delivered. Composition root of the command. It reads the dead-letter
 * topic and POSTs to the worker like any client; it writes nothing to Kafka and never deletes a letter.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'
import { Pool } from 'undici'
import {
  EXIT_SETTINGS,
  EXIT_TROUBLE,
  EXIT_USAGE,
  outputTo,
  sentenceOf,
} from '../operator/output.ts'
import { settingsNote } from '../operator/settings.ts'
import { readFlags, USAGE, type Command } from './flags.ts'
import { formatPosition, toJson } from './letter.ts'
import { list } from './list.ts'
import { replay } from './replay.ts'
import type { SendDeps } from './send.ts'
import {
  settingsOfEnvironment,
  settingsOfStack,
  type Settings,
  type WorkerAccess,
} from './settings.ts'
import { showLetter } from './text.ts'
import { openTopic, type LetterTopic } from './topic.ts'

const output = outputTo(process, () => process.exit(0))
process.exitCode = await main()

async function main(): Promise<number> {
  const flags = readFlags(process.argv.slice(2), Date.now())
  if (flags.status === 'help') {
    await output.print(USAGE.trimEnd())
    return 0
  }
  if (flags.status === 'invalid') {
    output.note(
      [...flags.problems, 'npm run dead-letters -- --help lists what there is.'].join('\n'),
    )
    return EXIT_USAGE
  }
  const { command, dev } = flags
  const needs = {
    sends: command.name === 'replay' && !command.dryRun,
    readFile: (path: string) => readFileSync(path, 'utf8'),
  }
  const read =
    dev === undefined
      ? settingsOfEnvironment(process.env, needs)
      : settingsOfStack(join(dev, 'dev.json'), needs)
  if (read.status === 'invalid') {
    output.note(settingsNote(read.problems))
    return EXIT_SETTINGS
  }
  try {
    return (await run(command, read.settings)) ? 0 : EXIT_TROUBLE
  } catch (error) {
    output.note(sentenceOf(error))
    return EXIT_TROUBLE
  }
}

async function run(command: Command, settings: Settings): Promise<boolean> {
  const topic = await openTopic(settings.kafka, settings.instance)
  try {
    switch (command.name) {
      case 'list':
        await list(topic, command, output)
        return true
      case 'show':
        return await show(topic, command)
      case 'replay': {
        const { what, waitSeconds } = command
        const { instance, worker } = settings
        if (!worker) {
          return await replay(topic, { what, instance, waitSeconds, sending: undefined }, output)
        }
        const pool = new Pool(worker.url)
        try {
          const sending = sendingTo(worker, pool, waitSeconds)
          return await replay(topic, { what, instance, waitSeconds, sending }, output)
        } finally {
          await pool.close()
        }
      }
    }
  } finally {
    await topic.close()
  }
}

async function show(
  topic: LetterTopic,
  { positions, json }: Extract<Command, { name: 'show' }>,
): Promise<boolean> {
  let all = true
  for await (const found of topic.read(positions)) {
    if ('letter' in found) {
      await output.print(json ? JSON.stringify(toJson(found.letter)) : showLetter(found.letter))
    } else {
      all = false
      output.note(`${formatPosition(found.position)}: ${found.why}`)
    }
  }
  return all
}

function sendingTo(
  { secretId, secretKey }: WorkerAccess,
  pool: Pool,
  waitSeconds: number,
): SendDeps {
  return {
    pool,
    authorization: `Basic ${Buffer.from(`${secretId}:${secretKey}`).toString('base64')}`,
    waitSeconds,
    sleep: async (ms) => {
      await delay(ms)
    },
  }
}
