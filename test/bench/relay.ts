/**
 * The relay's bench: every case in every round, each round in the reverse order of the one before. A first round is not shown: it warms
 * the broker, proves every case by reading its topic, and tells how many reports a run of the wanted length needs.
 */
import process from 'node:process'
import type { Figures } from './figures.ts'
import type { RelayFlags } from './flags.ts'
import { openKafka } from './kafka.ts'
import { conditions, table, type Result } from './report.ts'
import { run, type Case } from './runs.ts'

/** Of the first round. One report a POST is slower by about that much. */
const FIRST_REPORTS = 40_000
const FIRST_REPORTS_OF_ONE = 20_000
/** The first fifth of a run comes on top. */
const WITH_WARM_UP = 1.25

export async function benchRelay(flags: RelayFlags, signal: AbortSignal): Promise<void> {
  const results = casesOf(flags).map((which): Result => ({ which, rounds: [] }))
  /** Of the round before. */
  const rates = new Map<Result, number>()
  const kafka = await openKafka()
  try {
    for (let round = 0; round <= flags.rounds; round++) {
      const first = round === 0
      for (const result of round % 2 === 0 ? results : results.toReversed()) {
        const { which } = result
        const rate = rates.get(result)
        const wanted =
          rate === undefined ? firstReports(which) : rate * flags.seconds * WITH_WARM_UP
        const reports = flags.reports ?? Math.ceil(wanted / which.batch) * which.batch
        const { profile } = flags
        const figures = await run(which, {
          kafka,
          reports,
          read: first,
          profile: first ? undefined : profile,
          signal,
        })
        rates.set(result, figures.reports / figures.seconds)
        if (!first) result.rounds.push(figures)
        process.stderr.write(`${progress(round, which, figures)}\n`)
      }
    }
    const text = [conditions(kafka.description, flags.rounds, new Date()), table(results)]
    process.stdout.write(`${text.join('\n\n')}\n`)
  } finally {
    await kafka.close()
  }
}

function casesOf({ shards, batches, posts }: RelayFlags): Case[] {
  return shards.flatMap((n) =>
    batches.flatMap((batch): Case[] => [
      { side: 'plain', shards: n, batch },
      ...posts.map((post): Case => ({ side: 'relay', shards: n, batch, post })),
    ]),
  )
}

function firstReports(which: Case): number {
  return which.side === 'relay' && which.post === 1 ? FIRST_REPORTS_OF_ONE : FIRST_REPORTS
}

function progress(round: number, which: Case, figures: Figures): string {
  const rate = (figures.reports / figures.seconds / 1000).toFixed(1)
  const cpu = ((figures.cpuSeconds / figures.reports) * 1e6).toFixed(1)
  const post = which.side === 'relay' ? `, ${which.post} a POST` : ''
  const name = `${which.side}, ${which.shards} shards${post}, batch ${which.batch}`
  return `${round === 0 ? 'first' : `round ${round}`}: ${name}: ${rate} k/s, ${cpu} µs, ${figures.seconds.toFixed(1)} s`
}
