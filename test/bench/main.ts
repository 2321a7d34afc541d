/**
 * `npm run bench -- <name> [flags]`: finds the bench by its name and runs it. Ctrl-C and SIGTERM abort the signal that every bench is
 * given; a bench leaves no process and no folder behind, however it ends. Exit code 2: it was called wrongly.
 */
import process from 'node:process'
import { benchEdge } from './edge.ts'
import { benchFailover } from './failover.ts'
import { readFlags, USAGE } from './flags.ts'
import { benchLatency } from './latency.ts'
import { benchQuery } from './query.ts'
import { benchRelay } from './relay.ts'

const EXIT_USAGE = 2
const EXIT_INTERRUPTED = 130

const read = readFlags(process.argv.slice(2))
switch (read.status) {
  case 'help':
    process.stdout.write(USAGE)
    break
  case 'invalid':
    process.stderr.write(`${read.problem}\n\n${USAGE}`)
    process.exitCode = EXIT_USAGE
    break
  case 'ok': {
    const stop = new AbortController()
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.on(signal, () => stop.abort(new Error(`ended by ${signal}`)))
    }
    try {
      if (read.bench === 'relay') await benchRelay(read.flags, stop.signal)
      else if (read.bench === 'failover') await benchFailover(read.flags, stop.signal)
      else if (read.bench === 'latency') await benchLatency(read.flags, stop.signal)
      else if (read.bench === 'edge') await benchEdge(read.flags, stop.signal)
      else await benchQuery(read.flags, stop.signal)
    } catch (error) {
      process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
      process.exitCode = stop.signal.aborted ? EXIT_INTERRUPTED : 1
    }
  }
}
