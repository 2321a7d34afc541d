// `npm run test:crash` and `npm run test:chaos`: finds the campaign by its name and runs it. The campaign is a process of its own session, so
// that a Ctrl-C in the terminal does not reach the stack below it: it is told, ends the stack in order and prints what it has so far. It
// also ends when this process is gone. Exit codes: 1 when something is wrong, 2 when it was called wrongly, 130 when it was ended early.
import { spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { runCampaign } from './campaign.ts'
import { runChaos } from './chaos.ts'
import { readFlags, USAGE, type FlagsResult } from './flags.ts'
import { parseResults, tableOf } from './results.ts'

const EXIT_USAGE = 2
const EXIT_INTERRUPTED = 130
const MAX_SEED = 1_000_000

const argv = process.argv.slice(2)
const read = readFlags(argv, () => Math.floor(Math.random() * MAX_SEED))
switch (read.status) {
  case 'help':
    process.stdout.write(USAGE)
    break
  case 'invalid':
    process.stderr.write(`${read.problem}\n\n${USAGE}`)
    process.exitCode = EXIT_USAGE
    break
  case 'ok':
    if (read.campaign === 'crash' && read.flags.report.length > 0) await report(read.flags.report)
    else if (process.send) await runHere(read)
    else process.exitCode = await supervise()
}

async function report(files: readonly string[]): Promise<void> {
  const texts = await Promise.all(files.map((file) => readFile(file, 'utf8')))
  process.stdout.write(tableOf(texts.flatMap(parseResults)))
}

function supervise(): Promise<number> {
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), ...argv], {
    detached: true,
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal))
  return new Promise((resolve) => {
    child.once('exit', (code) => resolve(code ?? 1))
  })
}

async function runHere(of: FlagsResult & { status: 'ok' }): Promise<void> {
  const stop = new AbortController()
  const say = (line: string) => process.stdout.write(`${line}\n`)
  for (const event of ['SIGINT', 'SIGTERM', 'disconnect'] as const) {
    process.on(event, () => {
      if (!stop.signal.aborted) say('Ending: the stack first, then what there is to say')
      stop.abort()
    })
  }
  let isRight = false
  try {
    isRight =
      of.campaign === 'crash'
        ? await runCampaign(of.flags, stop.signal, say)
        : await runChaos(of.flags, stop.signal, say)
  } catch (error) {
    process.stderr.write(
      `${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
    )
  }
  // What was given up on may still wait for something.
  process.exit(stop.signal.aborted ? EXIT_INTERRUPTED : isRight ? 0 : 1)
}
