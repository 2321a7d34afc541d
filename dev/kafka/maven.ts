// Runs Maven for the jars a pom names, and turns its output into progress and its failures into
// something to act on. Uses the user's own settings, repository, proxy and MAVEN_OPTS: it passes no
// option about any of them.
import { spawn } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import { createInterface } from 'node:readline'

const PROGRESS_MS = 500
const ERROR_LINES = 6

export interface CopyJarsOptions {
  readonly pom: string
  readonly folder: string
  // Called with the number of jars at hand, at most twice a second.
  readonly onJars: (count: number) => void
}

// Stopping half-way costs little: Maven keeps every finished download in its local repository.
export async function copyJars({ pom, folder, onJars }: CopyJarsOptions): Promise<void> {
  const args = ['--batch-mode', '-Dstyle.color=never', '-f', pom]
  const goal = ['dependency:copy-dependencies', '-DincludeScope=runtime']
  const child = spawn('mvn', [...args, ...goal, `-DoutputDirectory=${folder}`], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const { promise: ended, resolve, reject } = Promise.withResolvers<number | null>()
  child.once('error', reject)
  child.once('close', resolve)

  const errors: string[] = []
  const counter = createJarCounter()
  let count = 0
  let reportedAt = 0
  const read = (line: string): void => {
    if (line.startsWith('[ERROR]')) errors.push(line.slice('[ERROR]'.length).trim())
    if (!counter(line)) return
    count += 1
    if (Date.now() - reportedAt < PROGRESS_MS) return
    reportedAt = Date.now()
    onJars(count)
  }
  createInterface({ input: child.stdout }).on('line', read)
  createInterface({ input: child.stderr }).on('line', read)

  const code = await ended
  if (code !== 0) throw new Error(describeFailure(errors, code))
  onJars((await readdir(folder)).filter((name) => name.endsWith('.jar')).length)
}

// True for each line that reports a jar of ours. Maven fetches the plug-in, then our jars, then prints
// the header of the goal, then fetches the plug-in's own jars.
export function createJarCounter(): (line: string) => boolean {
  let goalStarted = false
  return (line) => {
    if (/^\[INFO\] --- \S*dependency\S*:copy-dependencies/.test(line)) goalStarted = true
    return !goalStarted && /^\[INFO\] Downloaded from (?!.*\/maven\/plugins\/).*\.jar /.test(line)
  }
}

const OFFLINE =
  /UnknownHost|unknown host|Temporary failure in name|Network is unreachable|Connection (?:refused|timed out|reset)|Connect to .* failed|connect timed out|offline mode|Could not transfer|No plugin found for prefix|Error resolving version/i

// Maven's advice about Maven.
const NOISE = /^$|^To see the full stack|^Re-run Maven|^For more information|^\[Help/

function describeFailure(errors: readonly string[], code: number | null): string {
  const text = errors.filter((line) => !NOISE.test(line)).slice(0, ERROR_LINES)
  const advice = OFFLINE.test(errors.join('\n'))
    ? 'Maven probably cannot reach its repository. Connect this machine to the network once, or name a mirror or proxy in ~/.m2/settings.xml, and start again: what is fetched already is kept.'
    : 'Start again: what is fetched already is kept. If it stays, the lines above are what Maven says.'
  return [`mvn failed (exit code ${code ?? 'none, killed'}).`, ...text, advice].join('\n')
}
