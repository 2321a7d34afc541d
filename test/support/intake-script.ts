// An intake on queues that answer by a script.
import { Intake, type IntakeDeps, type IntakeLimits } from '../../relay/intake.ts'
import type { HeldLease, Item, SourceName } from '../../relay/item.ts'
import type { Lease } from '../../relay/queue/client.ts'
import { itemOf, leaseIds, leaseOf } from './items.ts'

export interface Setup {
  // What the pulls bring, one after the other: so many messages, or a failure. Then nothing.
  queue?: (number | Error)[]
  deadLetters?: (number | Error)[]
  limits?: Partial<IntakeLimits>
  messageBytes?: number
  // Reports in each message.
  records?: number
  prepare?: IntakeDeps['prepare']
  onPulled?: IntakeDeps['onPulled']
}

export const forever = new AbortController().signal
// Everything that needs no I/O has happened then.
export const settled = () => new Promise((resolve) => setImmediate(resolve))

export function itemsOf(leases: readonly HeldLease[], reports = 1): Item[] {
  const records = Array.from({ length: reports }, () => ({ value: 'v' }))
  return leases.map((lease) => ({ ...itemOf(1, { records }), lease }))
}

// An intake on scripted queues. A source sleeps as often as its script has answers, and for ever after that.
export function makeIntake(setup: Setup = {}) {
  const { messageBytes = 10, limits, prepare, onPulled } = setup
  const scripts: Record<SourceName, (number | Error)[]> = {
    queue: setup.queue ?? [],
    dead_letter_queue: setup.deadLetters ?? [],
  }
  const asked: Record<SourceName, number[]> = { queue: [], dead_letter_queue: [] }
  const sleeps: number[] = []
  const failures: unknown[] = []
  const time = { now: 0, ledgerEnd: 0n }
  let lease = 0
  const source = (name: SourceName, idle: { firstMs: number; maxMs: number }) => ({
    name,
    idle,
    async pull(limit: number): Promise<Lease[]> {
      asked[name].push(limit)
      const answer = scripts[name][asked[name].length - 1] ?? 0
      if (answer instanceof Error) throw answer
      return Array.from({ length: Math.min(answer, limit) }, () =>
        leaseOf(++lease, { body: 'b'.repeat(messageBytes) }),
      )
    },
  })
  const intake = new Intake(
    {
      sources: [
        ...(setup.queue ? [source('queue', { firstMs: 20, maxMs: 1_000 })] : []),
        ...(setup.deadLetters
          ? [source('dead_letter_queue', { firstMs: 1_000, maxMs: 30_000 })]
          : []),
      ],
      prepare:
        prepare ??
        (async (leases, emit) => {
          for (const item of itemsOf(leases, setup.records)) emit(item)
        }),
      ledgerEnd: () => time.ledgerEnd,
      clock: () => time.now,
      random: () => 1,
      async sleep(ms, signal) {
        sleeps.push(ms)
        const isDry = (name: SourceName) => asked[name].length >= scripts[name].length
        if (!isDry('queue') || !isDry('dead_letter_queue')) return
        await new Promise<void>((resolve) => {
          if (signal.aborted) resolve()
          else signal.addEventListener('abort', () => resolve())
        })
      },
      onPulled: onPulled ?? (() => {}),
      onPullFailed: (error) => void failures.push(error),
    },
    { maxReports: 1_000, maxBytes: 1e9, maxPulls: 1, leaseMs: 60_000, ...limits },
  )
  return { intake, sleeps, asked, failures, time, start: () => intake.release('not_booted') }
}

// Batch by batch, until nothing is left; the leases of each.
export async function takeAll(intake: Intake): Promise<string[][]> {
  const batches: string[][] = []
  for (;;) {
    const stop = new AbortController()
    const taking = intake.take(stop.signal)
    await settled()
    stop.abort()
    const batch = await taking
    if (batch.length === 0) return batches
    batches.push(leaseIds(batch))
  }
}
