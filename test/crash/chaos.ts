// `npm run test:chaos`: everything fails at random and at once, under load, as the seed says; then all faults end, the queues run empty, and
// the whole history is checked. What is touched twice has recovered before the second time; brokers are all in sync before the next fails.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { setTimeout as pause } from 'node:timers/promises'
import { familyOf, isAlive } from '../../dev/processes.ts'
import { formatViolation, type Violation } from '../history/index.ts'
import { queueSwitch } from '../support/api.ts'
import { runAuditCommand } from './audit-command.ts'
import { areWhole, brokerOf } from './brokers.ts'
import { laneOf, lineOf, planChaos, type Action, type Lane, type Step } from './chaos-plan.ts'
import { nodeOf, startAgain } from './cluster-faults.ts'
import type { ChaosFlags } from './flags.ts'
import { createRandom, type Random } from './random.ts'
import { openStage, SHARDS, type Stage } from './stage.ts'

// More than in a crash campaign: most of them wait for an outcome most of the time.
const POSTERS = 12
const WHOLE_MS = 180_000
const SERVED_MS = 120_000
const SETTLED_MS = 600_000
const DRAINED_MS = 900_000
const STORED_MS = 60_000
const ANSWERS_MS = 120_000
const POLL_MS = 200

// Resolves with whether everything was right.
export async function runChaos(
  { minutes, seed, plan }: ChaosFlags,
  signal: AbortSignal,
  say: (line: string) => void,
): Promise<boolean> {
  const random = createRandom(seed)
  const steps = planChaos(minutes, random.fork('plan'))
  if (plan) {
    for (const step of steps) say(lineOf(step))
    return true
  }
  say(`${steps.length} actions in ${minutes} minutes, --seed ${seed}; starting Kafka and the stack`)
  const stage = await openStage({ random, posters: POSTERS, log: say })
  let doubts = 0
  let boots = 0
  stage.relays.onLine(({ msg }) => {
    if (msg.startsWith('A transaction is in doubt')) doubts++
    if (msg.startsWith('The shard is taken over')) boots++
  })
  const violations: Violation[] = []
  const troubles: unknown[] = []
  const done = new Map<string, number>()
  try {
    await perform(stage, steps, signal, random, {
      began(step) {
        say(lineOf(step))
        done.set(step.action.do, (done.get(step.action.do) ?? 0) + 1)
      },
      failed: (error) => troubles.push(error),
    })
    if (signal.aborted) say('Ended early: nothing is checked')
    else {
      say('All faults end; the queues run empty')
      violations.push(...(await audit(stage)))
      for (const { isRight, said } of await runAuditCommand(stage)) {
        say(`\nnpm run audit:\n${said}`)
        if (!isRight) troubles.push(new Error('npm run audit finds differences'))
      }
    }
  } catch (error) {
    troubles.push(error)
  }
  for (const trouble of troubles) {
    say(trouble instanceof Error ? (trouble.stack ?? trouble.message) : String(trouble))
  }
  for (const violation of violations) say(formatViolation(violation))
  const isRight = violations.length === 0 && troubles.length === 0
  if (!isRight) {
    await writeFile(join(stage.folder, 'violations.json'), JSON.stringify(violations, null, 1))
    say(`The evidence is kept in ${stage.folder}`)
  }
  await stage.close(!isRight)
  const { envelopes, history } = stage.audit
  say(`\n${[...done].map(([name, times]) => `${times} ${name}`).join(', ')}`)
  say(
    `${doubts} doubts, ${boots} boots, ${stage.load.unanswered} POSTs without an answer; ` +
      `${envelopes} envelopes, ${history.records.length} records, ${history.letters.length} dead letters: ` +
      `${violations.length} violations`,
  )
  return isRight
}

interface Listener {
  began(step: Step): void
  failed(error: unknown): void
}

// Each at its time, or as soon as its lane is free. Resolves when all of them have recovered.
async function perform(
  stage: Stage,
  steps: readonly Step[],
  signal: AbortSignal,
  random: Random,
  { began, failed }: Listener,
): Promise<void> {
  const lanes = new Map<Lane, Promise<void>>()
  const start = Date.now()
  for (const [i, step] of steps.entries()) {
    const wait = start + step.atMs - Date.now()
    if (wait > 0) await pause(wait, undefined, { signal }).catch(() => undefined)
    if (signal.aborted) break
    const lane = laneOf(step.action)
    const act = async () => {
      if (signal.aborted) return
      began(step)
      await carryOut(stage, step.action, random.fork(`step ${i}`))
    }
    lanes.set(lane, (lanes.get(lane) ?? Promise.resolve()).then(act).catch(failed))
  }
  await Promise.all(lanes.values())
}

async function carryOut(stage: Stage, action: Action, random: Random): Promise<void> {
  const { dev, relays } = stage
  switch (action.do) {
    case 'kill_relay':
      signalAll([relays.stateOf(action.relay).pid], 'SIGKILL')
      return
    case 'stop_relay':
      return sleepFor([relays.stateOf(action.relay).pid], action.ms)
    case 'fail_relay':
      // One that is down just now is not armed.
      await fetch(`${dev.relays[action.relay - 1]?.ops}/failpoints`, {
        method: 'POST',
        body: `${action.point}:${action.fault}`,
      }).catch(() => undefined)
      return
    case 'kill_broker': {
      const node = nodeOf(stage, await brokerOf(stage, action.role, action.shard, random))
      await node.kill()
      await pause(action.ms)
      return startAgain(stage, node)
    }
    case 'stop_broker': {
      const node = nodeOf(stage, await brokerOf(stage, action.role, action.shard, random))
      node.pause()
      try {
        await pause(action.ms)
      } finally {
        node.resume()
      }
      return areWhole(stage, WHOLE_MS)
    }
    case 'queue_faults': {
      const { shard, on, times, fault } = action
      await tolerant(queueSwitch(dev, shard, 'faults', { on, times, fault }))
      return
    }
    case 'expire_leases':
      await tolerant(queueSwitch(dev, action.shard, 'expire', {}))
      return
    case 'stop_worker':
      return sleepFor(await workerPids(stage), action.ms)
    case 'restart_worker':
      return restartWorker(stage)
  }
}

async function sleepFor(pids: readonly (number | undefined)[], ms: number): Promise<void> {
  signalAll(pids, 'SIGSTOP')
  try {
    await pause(ms)
  } finally {
    signalAll(pids, 'SIGCONT')
  }
}

function signalAll(pids: readonly (number | undefined)[], signal: NodeJS.Signals): void {
  for (const pid of pids) if (pid !== undefined && isAlive(pid)) process.kill(pid, signal)
}

// Wrangler, and the runtime that it has started meanwhile.
async function workerPids({ stack }: Stage): Promise<number[]> {
  const [pid] = (await stack.devNow()).pids.worker
  return pid === undefined ? [] : familyOf(pid)
}

async function restartWorker(stage: Stage): Promise<void> {
  const { load, dev } = stage
  await load.pause()
  try {
    await until('the queues hold all that was accepted', STORED_MS, () => isStored(stage))
    signalAll(await workerPids(stage), 'SIGKILL')
    await until('the worker answers again', ANSWERS_MS, async () => {
      return (await fetch(`${dev.api}/livez`, { signal: AbortSignal.timeout(2_000) })).ok
    })
  } finally {
    load.resume()
  }
}

async function isStored({ dev, load }: Stage): Promise<boolean> {
  const missing = new Set<string>(load.acceptedIds)
  for (const shard of SHARDS) {
    for (let after: number | null = 0; after !== null;) {
      const page: { messages: { envelopeId: string | null }[]; next: number | null } =
        await queueSwitch(dev, shard, `log?limit=10000&after=${after}`)
      for (const { envelopeId } of page.messages) missing.delete(envelopeId ?? '')
      after = page.next
    }
  }
  return missing.size === 0
}

async function audit(stage: Stage): Promise<Violation[]> {
  const { dev, relays, load } = stage
  signalAll(await workerPids(stage), 'SIGCONT')
  for (const relay of relays.relays) signalAll([relays.stateOf(relay).pid], 'SIGCONT')
  await until('faults can be cleared', ANSWERS_MS, () => clearFaults(dev))
  await areWhole(stage, WHOLE_MS)
  await relays.until(
    () => SHARDS.every((shard) => relays.ownersOf(shard).length > 0) || undefined,
    'every shard is served',
    SERVED_MS,
  )
  await load.pause()
  const open = await load.settle(SETTLED_MS)
  return stage.audit.conclude(load.take(), open, DRAINED_MS)
}

async function clearFaults({ queueApi, queues, queueToken }: Stage['dev']): Promise<boolean> {
  const answers = await Promise.all(
    queues.map(({ id }) =>
      fetch(`${queueApi}/__queue-pull/${id}/faults`, {
        method: 'DELETE',
        headers: { authorization: `Bearer ${queueToken}` },
      }),
    ),
  )
  return answers.every(({ ok }) => ok)
}

// The worker may be down just now.
async function tolerant(call: Promise<unknown>): Promise<void> {
  await call.catch(() => undefined)
}

async function until(what: string, ms: number, isTrue: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + ms
  while (!(await isTrue().catch(() => false))) {
    if (Date.now() > deadline) throw new Error(`not within ${ms} ms: ${what}`)
    await pause(POLL_MS)
  }
}
