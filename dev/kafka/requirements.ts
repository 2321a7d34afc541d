// Says what the machine lacks to run a Kafka broker: Java 17 or newer always, Maven only while the jars
// are not in the cache. Each problem names what was found and what to do. Installs nothing, and throws
// nothing for a missing tool.
import { execFile } from 'node:child_process'

// Kafka 4's broker classes are Java 17 byte code.
const MIN_JAVA_MAJOR = 17
export const MIN_MAVEN = [3, 6] as const
const VERSION_TIMEOUT_MS = 30_000

export type ToolOutput =
  | { readonly status: 'ran'; readonly text: string }
  // Not on the PATH.
  | { readonly status: 'missing' }
  // On the PATH, but it ended with an error: a broken JAVA_HOME, macOS's stub for an absent Java.
  | { readonly status: 'failed'; readonly text: string }

export interface Problem {
  readonly tool: 'java' | 'mvn'
  readonly found: string
  readonly fix: string
}

export interface RequirementOptions {
  // False when the jars are in the cache already.
  readonly maven: boolean
  readonly run?: (command: string, args: readonly string[]) => Promise<ToolOutput>
}

export async function checkRequirements(options: RequirementOptions): Promise<Problem[]> {
  const run = options.run ?? runTool
  const [javaOutput, mavenOutput] = await Promise.all([
    run('java', ['-version']),
    options.maven ? run('mvn', ['-B', '-version']) : undefined,
  ])
  const problems = [javaProblem(javaOutput), mavenOutput && mavenProblem(mavenOutput)]
  return problems.filter((problem) => problem !== undefined)
}

export function formatProblems(problems: readonly Problem[]): string {
  return problems.map(({ found, fix }) => `${found}. ${fix}`).join('\n')
}

const JAVA_FIX = [
  `Install a JDK of version ${MIN_JAVA_MAJOR} or newer and put its bin folder on the PATH`,
  '(Debian, Ubuntu: apt install openjdk-17-jre-headless; macOS: brew install openjdk),',
  'or set KAFKA_BROKERS to use a Kafka of your own.',
].join(' ')

const MAVEN_FIX = [
  'Install Apache Maven (Debian, Ubuntu: apt install maven; macOS: brew install maven).',
  'It fetches the jars of Kafka once, and is not needed afterwards.',
].join(' ')

const java = (found: string): Problem => ({ tool: 'java', found, fix: JAVA_FIX })
const maven = (found: string): Problem => ({ tool: 'mvn', found, fix: MAVEN_FIX })

export function javaProblem(output: ToolOutput): Problem | undefined {
  if (output.status === 'missing') return java('Java was not found')
  if (output.status === 'failed') return java(`java -version failed: ${firstLine(output.text)}`)
  const major = parseJavaMajor(output.text)
  if (major === undefined) {
    return java(`java -version answered with something else: ${firstLine(output.text)}`)
  }
  if (major >= MIN_JAVA_MAJOR) return undefined
  return java(`Java ${major} is too old, Kafka 4 needs ${MIN_JAVA_MAJOR} or newer`)
}

export function mavenProblem(output: ToolOutput): Problem | undefined {
  if (output.status === 'missing') return maven('Maven (mvn) was not found')
  if (output.status === 'failed') return maven(`mvn -version failed: ${firstLine(output.text)}`)
  const version = parseMavenVersion(output.text)
  if (version === undefined) {
    return maven(`mvn -version answered with something else: ${firstLine(output.text)}`)
  }
  const [major, minor] = version
  if (major > MIN_MAVEN[0] || (major === MIN_MAVEN[0] && minor >= MIN_MAVEN[1])) return undefined
  return maven(`Maven ${major}.${minor} is too old, ${MIN_MAVEN.join('.')} or newer is needed`)
}

// 'openjdk version "17.0.15" 2025-04-15' → 17, 'java version "1.8.0_292"' → 8, '"21-ea"' → 21. Lines
// such as 'Picked up JAVA_TOOL_OPTIONS: …' may stand before it.
export function parseJavaMajor(text: string): number | undefined {
  const match = /^\S+ version "(?:1\.)?(\d+)[^"]*"/m.exec(text)
  return match ? Number(match[1]) : undefined
}

// 'Apache Maven 3.8.7 (b89d…)' → [3, 8]. The name may be wrapped in colour codes.
export function parseMavenVersion(text: string): [major: number, minor: number] | undefined {
  const match = /Apache Maven (\d+)\.(\d+)/.exec(text)
  return match ? [Number(match[1]), Number(match[2])] : undefined
}

function firstLine(text: string): string {
  return text.trim().split('\n', 1)[0] || 'no output'
}

// `java -version` writes to standard error, `mvn -version` to standard output: both are read.
export function runTool(command: string, args: readonly string[]): Promise<ToolOutput> {
  const { promise, resolve } = Promise.withResolvers<ToolOutput>()
  execFile(command, args, { timeout: VERSION_TIMEOUT_MS }, (error, stdout, stderr) => {
    const text = `${stderr}${stdout}`
    if (error === null) resolve({ status: 'ran', text })
    else if (error.code === 'ENOENT') resolve({ status: 'missing' })
    else resolve({ status: 'failed', text: text || error.message })
  })
  return promise
}
