/**
 * `npm run verify:model`: Spin searches every state of docs/model/relay.pml. The protocol as it is must hold, each of its mutations must
 * break the invariant that is named for it, each witness must be reachable. A search that was cut short proves nothing and counts as a
 * failure. One run at a time; `--nightly` adds the larger ones. Exit codes: 1 when a run is not as expected, 2 when it was called wrongly
 * or a tool is missing, 130 when it was ended early.
 */
import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { isErrno } from './files.ts'

export interface Run {
  name: string
  /** Without their `-D`. */
  flags: readonly string[]
  /** The assertion that must fail; none when the run must hold. */
  breaks?: 'I1' | 'I2' | 'I3' | 'I4' | 'I5' | 'REACHED'
  nightly?: boolean
}

const breaking = (breaks: NonNullable<Run['breaks']>, ...mutations: string[]): Run[] =>
  mutations.map((name) => ({ name, flags: [name], breaks }))

export const RUNS: readonly Run[] = [
  { name: 'enqueued once', flags: [] },
  { name: 'enqueued twice', flags: ['E=2'] },
  ...['NO_HOLD', 'NO_LOW_CHECK', 'NEVER_TAKEN'].map((name) => ({ name, flags: ['E=2', name] })),
  ...breaking('REACHED', 'WITNESS_DONE', 'WITNESS_GONE', 'WITNESS_DOUBT'),
  ...breaking('I1', 'READ_BEFORE_INIT', 'NO_REREAD', 'NO_LEDGER_READ_ON_BOOT', 'READ_PAST_CLAIM'),
  ...breaking('I3', 'REUSE_EPOCH', 'OLD_REQUESTS_COUNT', 'COMMIT_UNCHECKED'),
  ...breaking('I2', 'ACK_EARLY'),
  ...breaking('I4', 'STATUS_EARLY'),
  ...breaking('I5', 'NO_FENCE'),
  ...breaking('I1', 'INIT_BEFORE_MARKERS'),
  ...breaking('I1', 'ASK_WHILE_REMEMBERED', 'LOW_PAST_UNTAKEN', 'SAVED_PAST_UNTAKEN'),
  ...breaking('I1', 'BOOT_AT_END', 'LOW_PAST_LOOKUP', 'E_NOTED_LATE', 'SEND_WITHOUT_RECHECK'),
  ...breaking('I1', 'NO_ANSWER_IS_ABSENT', 'NO_AGE_LIMIT'),
  { name: 'three relays', flags: ['R=3', 'E=2', 'HELD=1'], nightly: true },
]

export interface Verdict {
  isExpected: boolean
  /** What was found, in words. */
  found: string
  states: number
  seconds: number
  megabytes: number
}

/** What the search says of this run. Pure. */
export function judge({ breaks }: Run, output: string): Verdict {
  const number = (pattern: RegExp) => Number(pattern.exec(output)?.[1] ?? Number.NaN)
  const errors = number(/errors: (\d+)/)
  const assertion = /assertion violated (.+) \(at depth/.exec(output)?.[1]
  const isCut =
    /Search not completed|search depth too small|out of memory|MEMLIM|VECTORSZ/.test(output) ||
    !/State-vector/.test(output)
  let found = 'holds'
  if (assertion !== undefined && errors > 0) found = words(assertion)
  else if (isCut) found = 'the search was cut short'
  else if (errors !== 0) found = 'another error'
  return {
    isExpected: found === (breaks === undefined ? 'holds' : words(breaks)),
    found,
    states: number(/^ *([\d.e+]+) states, stored/m),
    seconds: number(/elapsed time ([\d.]+) seconds/),
    megabytes: number(/^ *([\d.]+)\s+total actual memory usage/m),
  }
}

function words(assertion: string): string {
  return assertion === 'REACHED' ? 'is reached' : `${assertion} is broken`
}

const USAGE = `npm run verify:model -- [flags]

  --nightly   the larger runs, too
`
const MODEL = join(dirname(dirname(fileURLToPath(import.meta.url))), 'docs/model/relay.pml')
const MAX_MEGABYTES = 2_000
const DEADLINE_MS = 10 * 60_000
const EXIT_USAGE = 2
const EXIT_INTERRUPTED = 130

const INSTALL = 'Debian, Ubuntu: apt install spin gcc; macOS: brew install spin, and Xcode’s tools.'

class MissingTool extends Error {
  override readonly name = 'MissingTool'
}

async function main(): Promise<number> {
  let nightly: boolean
  try {
    const options = { nightly: { type: 'boolean', default: false } } as const
    nightly = parseArgs({ options }).values.nightly
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`)
    return EXIT_USAGE
  }
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort())
  const dir = await mkdtemp(join(tmpdir(), 'edgehub-model-'))
  try {
    return await verify(
      RUNS.filter((run) => nightly || !run.nightly),
      dir,
      stop.signal,
    )
  } catch (error) {
    if (stop.signal.aborted) return EXIT_INTERRUPTED
    if (!(error instanceof MissingTool)) throw error
    process.stderr.write(`${error.message}\n${INSTALL}\n`)
    return EXIT_USAGE
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

async function verify(runs: readonly Run[], dir: string, signal: AbortSignal): Promise<number> {
  let failed = 0
  for (const [i, run] of runs.entries()) {
    const own = join(dir, String(i))
    await mkdir(own)
    const output = await search(run, own, signal)
    const verdict = judge(run, output)
    console.log(lineOf(run, verdict))
    if (verdict.isExpected) continue
    failed++
    console.log(`${output}\n${await steps(run, own, signal)}`)
  }
  console.log(`${runs.length - failed} as expected, ${failed} not`)
  return failed === 0 ? 0 : 1
}

function lineOf(run: Run, { isExpected, found, states, seconds, megabytes }: Verdict): string {
  return [
    isExpected ? 'ok ' : 'NOT',
    run.name.padEnd(24),
    found.padEnd(12),
    `${states.toLocaleString('en')} states`.padStart(17),
    `${seconds.toFixed(1)} s`.padStart(7),
    `${megabytes.toFixed(0)} MB`.padStart(7),
  ].join('  ')
}

/** Breadth first: what it finds has the fewest steps, and no depth can cut it short. */
async function search(run: Run, dir: string, signal: AbortSignal): Promise<string> {
  const at = { dir, signal }
  const generated = await call('spin', [...defines(run), '-a', MODEL], at)
  // A search that ends early is over before an optimising compiler is.
  const speed = run.breaks === undefined ? '-O2' : '-O0'
  const options = [speed, '-DSAFETY', '-DBFS', '-DCOLLAPSE', `-DMEMLIM=${MAX_MEGABYTES}`]
  const compiled = await call('gcc', [...options, '-o', 'pan', 'pan.c'], at)
  // -E: a process that has nothing to do is no deadlock.
  return generated + compiled + (await call(join(dir, 'pan'), ['-E', '-w24'], at))
}

/** What leads to the failure, one step a line. */
async function steps(run: Run, dir: string, signal: AbortSignal): Promise<string> {
  const replay = ['-t', '-k', 'relay.pml.trail', '-B', '-T']
  return await call('spin', [...defines(run), ...replay, MODEL], { dir, signal })
}

function defines({ flags }: Run): string[] {
  return flags.map((flag) => `-D${flag}`)
}

/** All that it printed, however it ended. @throws MissingTool, or when the signal aborts */
function call(
  command: string,
  args: readonly string[],
  { dir, signal }: { dir: string; signal: AbortSignal },
): Promise<string> {
  // In a process group of its own, so that the end reaches what spin and gcc have started, too.
  const child = spawn(command, args, {
    cwd: dir,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, TMPDIR: dir },
  })
  let text = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk
    })
  }
  const end = () => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
    } catch {
      // It has just ended by itself.
    }
  }
  const timer = setTimeout(end, DEADLINE_MS)
  signal.addEventListener('abort', end)
  return new Promise<string>((resolve, reject) => {
    child.once('error', (error) => {
      reject(isErrno(error, 'ENOENT') ? new MissingTool(`${command} was not found.`) : error)
    })
    child.once('close', (code, killedBy) => {
      if (signal.aborted) reject(new Error('ended early'))
      else if (killedBy) resolve(`${text}\nSearch not completed: ${command} ended by ${killedBy}\n`)
      else if (code !== 0) resolve(`${text}\nSearch not completed: ${command} exits with ${code}\n`)
      else resolve(text)
    })
  }).finally(() => {
    clearTimeout(timer)
    signal.removeEventListener('abort', end)
  })
}

if (import.meta.main) process.exitCode = await main()
