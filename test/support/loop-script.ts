// The life of a shard by a script: what its transactions come to, what its queue hands out, what the group says.
import type { EnvelopeId, LedgerRecord, Outcome } from '#contract'
import type { Batch, Delivered } from '../../relay/deliver.ts'
import type { Point } from '../../relay/failpoints.ts'
import type { Item } from '../../relay/item.ts'
import { Remembered } from '../../relay/ledger/remembered.ts'
import { createShardRun, type ShardDeps, type ShardRun } from '../../relay/loop.ts'
import { leaseIds, NOW, outcomeOf, queueDouble } from './items.ts'

// What a transaction comes to.
export type End =
  | 'commits'
  | 'doubt'
  | 'fenced'
  // In doubt, and committed all the same: the next boot finds it.
  | 'doubt but committed'
  // Nothing could be sent.
  | 'blocked'

export interface Script {
  // What each take-over does: an owner whose transactions end so, or a failure.
  takeOvers: ('fails' | 'fenced' | Error | End[])[]
  // What the queue hands out, batch by batch; after the last one the shard is stopped.
  pulls?: Item[][]
  // In the buffer when everything is drained or stopped.
  buffered?: Item[]
  // The group's answers to a fenced owner; true when there are no more.
  confirms?: boolean[]
  cutAt?: Point
  queueFails?: boolean
  leaseMs?: number
  // Called in the turn in which a transaction begins.
  onDeliver?: (run: ShardRun) => void
  onSleep?: () => void
  // Called in the turn of the decision.
  onDecide?: () => void
  neededFrom?: () => bigint | undefined
}

class ScriptedDoubt extends Error {
  readonly fenced: boolean
  constructor(fenced: boolean) {
    super('in doubt')
    this.fenced = fenced
  }
}

// Runs a script to its end and returns every call in order.
export async function play(script: Script) {
  const { takeOvers, pulls = [], buffered = [], confirms = [] } = script
  const calls: string[] = []
  // The bounds under which it forgot.
  const forgets: (bigint | undefined)[] = []
  const stop = new AbortController()
  const remembered = new Remembered({ keep: 0, clock: () => 0 })
  remembered.beginAt(0n)
  let ledgerEnd = 0n
  const found: LedgerRecord[] = []
  const tailsOf = (batch: Batch) => batch.send.map(({ envelope }) => numberOf(envelope.id)).join()

  function recordOf(batch: Batch): Extract<LedgerRecord, { batch: unknown }> {
    return {
      v: 1,
      batch: batch.send.map(({ envelope }): [EnvelopeId, Outcome] => [envelope.id, outcomeOf(1)]),
      raw: batch.raw.map(({ messageId }) => messageId),
    }
  }

  function deliver(batch: Batch, end: End): Delivered {
    const record = recordOf(batch)
    if (end === 'blocked') {
      return {
        committed: undefined,
        outcomes: [],
        raw: [],
        blocked: batch.send.map((sendable) => ({
          sendable,
          topic: 'topic',
          reason: 'no_leader',
          place: 'topic',
        })),
      }
    }
    if (end === 'doubt but committed') found.push(record)
    if (end !== 'commits') throw new ScriptedDoubt(end === 'fenced')
    return {
      committed: { record, offset: ledgerEnd++ },
      outcomes: record.batch,
      raw: [],
      blocked: [],
    }
  }

  const deps: ShardDeps = {
    async takeOver() {
      const next = takeOvers.shift() ?? []
      calls.push('take over')
      if (next instanceof Error) throw next
      if (next === 'fails') throw new Error('no Kafka')
      if (next === 'fenced') throw new ScriptedDoubt(true)
      for (const record of found.splice(0)) remembered.add(record, ledgerEnd++)
      return {
        async deliver(batch) {
          script.onDeliver?.(run)
          const what = [tailsOf(batch), ...batch.raw.map(({ messageId }) => messageId)]
          calls.push(`deliver ${what.filter((text) => text !== '').join()}`)
          return deliver(batch, next.shift() ?? 'commits')
        },
        close: async () => void calls.push('close'),
      }
    },
    async confirm(signal) {
      calls.push('confirm')
      return !signal.aborted && (confirms.shift() ?? true)
    },
    remembered: {
      look: (id) => remembered.look(id),
      hasRaw: (id) => remembered.hasRaw(id),
      get low() {
        return remembered.low
      },
      add(record, offset) {
        remembered.add(record, offset)
        calls.push('remember')
      },
      forget: (inUse) => {
        forgets.push(inUse)
        remembered.forget(inUse)
      },
    },
    intake: {
      hold: () => void calls.push('hold'),
      release: () => void calls.push('release'),
      async take() {
        const next = pulls.shift()
        if (!next) stop.abort()
        return next ?? []
      },
      neededFrom: () => script.neededFrom?.(),
      drain: () => buffered.splice(0),
      stop: async () => {
        calls.push('intake stops')
        return buffered.splice(0)
      },
    },
    settler: {
      async submit({ outcomes, leases, done }) {
        const words = [
          ...outcomes.map(([id]) => `${numberOf(id)}:${leaseIds(leases.get(id) ?? []).join()}`),
          ...(done.length > 0 ? [`done ${leaseIds(done).join()}`] : []),
        ]
        calls.push(`settle ${words.join(' ')}`)
      },
      settleAgain: () => void calls.push('settle again'),
      stop: async () => void calls.push('settler stops'),
    },
    queue: queueDouble(calls, () => script.queueFails ?? false),
    now() {
      script.onDecide?.()
      return NOW
    },
    clock: () => 0,
    random: () => 1,
    async sleep(ms) {
      calls.push(`sleep ${ms}`)
      script.onSleep?.()
    },
    async reach(point) {
      if (point === script.cutAt) throw new Error(`cut at ${point}`)
    },
    leaseMs: script.leaseMs ?? 60_000,
    leaseMarginMs: 15_000,
    observe: {
      booted: () => {},
      bootFailed: () => calls.push('boot failed'),
      doubt: () => calls.push('doubt'),
      fenced: (waitMs) => calls.push(`fenced, waits ${waitMs}`),
      sending: () => {},
      committed: () => {},
      known: (messages) => calls.push(`known ${messages}`),
      handedBack: (all) => calls.push(`handed back ${all.map(({ reason }) => reason).join()}`),
      handBackFailed: () => calls.push('hand-back failed'),
      stopped: () => calls.push('stopped'),
    },
  }
  const run = createShardRun(deps)
  const error: unknown = await run.run(stop.signal).then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  return { calls, forgets, error }
}

const numberOf = (id: EnvelopeId) => Buffer.from(id, 'base64url').readUInt32BE(8)
// How a life ends that ends as it should, with nothing in hand.
export const END = ['hold', 'close', 'intake stops', 'settler stops', 'stopped']
export const delivers = (calls: string[]) => calls.filter((call) => call.startsWith('deliver'))
