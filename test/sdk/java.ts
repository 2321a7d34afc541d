// Builds the Java programs once per machine: the tutorial's, which sends messages, and one that calls any
// action. Each call is a JVM of its own. Building needs a JDK (javac), Maven and, the first time, the network.
import { execFile, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, readFile, readdir } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { cacheRoot, fillOnce } from '../../dev/kafka/cache.ts'
import { copyJars } from '../../dev/kafka/maven.ts'
import type { ActionAnswer, ActionCall, SdkAccess, SendOptions, SendResult } from './sending.ts'

const SDK_VERSION = '3.1.430'
const POM = fileURLToPath(new URL('./java/pom.xml', import.meta.url))
const SOURCES = ['SendMessages', 'CallActions'].map((name) =>
  fileURLToPath(new URL(`./java/src/main/java/${name}.java`, import.meta.url)),
)
const exec = promisify(execFile)

export interface JavaClient {
  readonly classPath: string
}

let built: Promise<JavaClient> | undefined

// Safe in several processes at once. After the first time it only looks into the cache.
export function buildJavaClient(
  onProgress: (line: string) => void = () => {},
): Promise<JavaClient> {
  built ??= build(onProgress).catch((error: unknown) => {
    // The next call tries again.
    built = undefined
    throw error
  })
  return built
}

// Two entries, because the jars are large and the program changes more often than its pom.
async function build(onProgress: (line: string) => void): Promise<JavaClient> {
  const root = join(cacheRoot(), `sdk-java-${SDK_VERSION}`)
  const [pom = Buffer.of(), ...sources] = await Promise.all(
    [POM, ...SOURCES].map((f) => readFile(f)),
  )
  const libs = join(root, `libs-${hash(pom)}`)
  const classes = join(root, `classes-${hash(pom, ...sources)}`)
  const what = `Fetching tencentcloud-sdk-java ${SDK_VERSION} (once)`
  await fillOnce({
    folder: libs,
    onWait: () => onProgress('Waiting for another process that fetches the SDK'),
    fill: async (folder) => {
      onProgress(what)
      await copyJars({
        pom: POM,
        folder,
        onJars: (count) => onProgress(`${what}: ${count} jars`),
      })
    },
  })
  const jars = (await readdir(libs)).filter((name) => name.endsWith('.jar')).toSorted()
  const jarPath = jars.map((jar) => join(libs, jar)).join(delimiter)
  await fillOnce({
    folder: classes,
    fill: async (folder) => {
      await mkdir(folder, { recursive: true })
      await exec('javac', ['--release', '17', '-cp', jarPath, '-d', folder, ...SOURCES])
    },
  })
  return { classPath: `${classes}${delimiter}${jarPath}` }
}

function hash(...parts: readonly Buffer[]): string {
  const digest = createHash('sha256')
  for (const part of parts) digest.update(part)
  return digest.digest('hex').slice(0, 12)
}

export async function sendWithJava(options: SendOptions): Promise<SendResult> {
  const { datahub, messages } = options
  return runJava('SendMessages', options, { DATAHUB_ID: datahub }, messages) as Promise<SendResult>
}

export async function callWithJava(
  access: SdkAccess,
  calls: readonly ActionCall[],
): Promise<ActionAnswer[]> {
  return runJava('CallActions', access, {}, calls) as Promise<ActionAnswer[]>
}

async function runJava(
  program: string,
  { endpoint, secretId, secretKey }: SdkAccess,
  environment: Readonly<Record<string, string>>,
  input: unknown,
): Promise<unknown> {
  const { classPath } = await buildJavaClient()
  // The quick compiler and the small collector: the program lives for a second.
  const jvm = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-Xshare:auto']
  const child = spawn('java', [...jvm, '-cp', classPath, program], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: {
      ...process.env,
      ENDPOINT: endpoint,
      SECRET_ID: secretId,
      SECRET_KEY: secretKey,
      ...environment,
    },
  })
  const { promise: ended, resolve, reject } = Promise.withResolvers<number | null>()
  child.once('error', reject)
  child.once('close', resolve)
  // A program that died early has closed its end; the exit code below says so.
  child.stdin.once('error', () => {})
  child.stdin.end(JSON.stringify(input))
  const [code, stdout, stderr] = await Promise.all([ended, text(child.stdout), text(child.stderr)])
  if (code !== 0) throw new Error(`${program} ended with exit code ${code}:\n${stderr}`)
  return JSON.parse(stdout)
}
