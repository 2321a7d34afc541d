// `npm run test:crash`: one injection after the other into a running stack, each followed by the check of all that was accepted since the
// one before. What is wrong is printed at once, and the folder with all logs is kept.
import { appendFile, mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { formatViolation, type Violation } from '../history/index.ts'
import { countViolations } from './audit.ts'
import { clusterRuns } from './cluster-faults.ts'
import type { CrashFlags } from './flags.ts'
import { inject, type Injection } from './inject.ts'
import { createRandom, type Random } from './random.ts'
import { lineOf, tableOf, type Result, type Session } from './results.ts'
import { openStage, type Stage } from './stage.ts'

// What a run does; the rest is the same for all.
export interface Run {
  point: string
  fault: string
  act(stage: Stage, random: Random): Promise<{ ms: number; doubts: number }>
}

const SETTLED_MS = 120_000
const DRAINED_MS = 300_000

// Every point and fault so many times, in any order.
export function planInjections(
  { runs, points, faults }: Pick<CrashFlags, 'runs' | 'points' | 'faults'>,
  random: Random,
): Injection[] {
  const all = points.flatMap((point) => faults.map((fault) => ({ point, fault })))
  // Round by round, so that a campaign that is ended early has done all of them about as often.
  return Array.from({ length: runs }, () => random.shuffled(all)).flat()
}

// Resolves with whether everything was right; ends early, with what was done so far, when the signal aborts.
export async function runCampaign(
  flags: CrashFlags,
  signal: AbortSignal,
  say: (line: string) => void,
): Promise<boolean> {
  const { seed, out } = flags
  const random = createRandom(seed)
  const runs: Run[] = flags.cluster
    ? clusterRuns(flags.runs, random.fork('plan'))
    : planInjections(flags, random.fork('plan')).map((of) => ({
        ...of,
        act: (stage, r) => inject(stage, of, r),
      }))
  say(`${runs.length} runs, --seed ${seed}; starting Kafka and the stack`)
  const session: Session = {
    campaign: flags.cluster ? 'cluster' : 'crash',
    at: new Date().toISOString(),
    seed,
  }
  const record = async (line: Session | Result) => {
    if (out === undefined) return
    await mkdir(dirname(out), { recursive: true })
    await appendFile(out, `${JSON.stringify(line)}\n`)
  }

  const stage = await openStage({ random, log: say })
  const results: Result[] = []
  const violations: Violation[] = []
  let failure: unknown
  try {
    await record(session)
    for (const [i, run] of runs.entries()) {
      const done = await orAborted(oneRun(stage, run, random.fork(`run ${i}`)), signal)
      if (!done) break
      const result: Result = { n: i + 1, point: run.point, fault: run.fault, ...done.result }
      results.push(result)
      violations.push(...done.violations)
      say(lineOf(result))
      for (const violation of done.violations) say(`     ${formatViolation(violation)}`)
      await record(result)
    }
    if (!signal.aborted) {
      say('Checking all of it once more')
      await stage.load.pause()
      const open = await stage.load.settle(SETTLED_MS)
      const all = await stage.audit.conclude(stage.load.take(), open, DRAINED_MS)
      for (const violation of all) say(`     ${formatViolation(violation)}`)
      violations.push(...all)
      const { envelopes, history } = stage.audit
      say(
        `${envelopes} envelopes, ${history.records.length} records, ${history.letters.length} dead letters, ` +
          `${stage.load.unanswered} POSTs without an answer: ${all.length} violations`,
      )
    }
  } catch (error) {
    failure = error
    say(error instanceof Error ? (error.stack ?? error.message) : String(error))
  }
  const isRight = violations.length === 0 && failure === undefined
  if (!isRight) {
    await writeFile(join(stage.folder, 'violations.json'), JSON.stringify(violations, null, 1))
    say(`The evidence is kept in ${stage.folder}`)
  }
  await stage.close(!isRight)
  say('')
  say(tableOf(results))
  return isRight
}

async function oneRun(
  stage: Stage,
  run: Run,
  random: Random,
): Promise<{ result: Omit<Result, 'n' | 'point' | 'fault'>; violations: Violation[] }> {
  const { load, audit } = stage
  const { ms, doubts } = await run.act(stage, random)
  await load.pause()
  const open = await load.settle(SETTLED_MS)
  const told = load.take()
  const violations = await audit.check(told, open)
  load.resume()
  const envelopes = new Set(told.accepted.map(({ id }) => id)).size
  const reports = new Map(told.accepted.map(({ id, reports: of }) => [id, of.length]))
  return {
    result: {
      ms,
      envelopes,
      reports: [...reports.values()].reduce((sum, count) => sum + count, 0),
      ...countViolations(violations),
      doubts,
    },
    violations,
  }
}

async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  if (signal.aborted) return undefined
  const { promise, resolve } = Promise.withResolvers<undefined>()
  const onAbort = () => resolve(undefined)
  signal.addEventListener('abort', onAbort)
  try {
    return await Promise.race([work, promise])
  } finally {
    signal.removeEventListener('abort', onAbort)
    // What is given up on may fail later.
    work.catch(() => undefined)
  }
}
